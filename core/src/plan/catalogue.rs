//! What the vendor sells.

use core::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::quantity::Bytes;

/// What can be done about a unit that runs out. The last three are the purchase plans of claim 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Wait, until when.
    DoNothing,
    /// Free space or move load.
    Reclaim,
    /// Add capacity in free bays.
    Expansion,
    /// Replace the unit by a larger, faster or fresher one.
    Upgrade,
    /// Add an ability, such as a cache, a controller or a licence.
    FunctionalExtension,
}

impl PlanAction {
    /// The purchase plans of claim 13.
    pub const PURCHASES: [Self; 3] = [Self::Expansion, Self::Upgrade, Self::FunctionalExtension];

    /// The name in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DoNothing => "do_nothing",
            Self::Reclaim => "reclaim",
            Self::Expansion => "expansion",
            Self::Upgrade => "upgrade",
            Self::FunctionalExtension => "functional_extension",
        }
    }
}

/// A name that is no plan action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown plan action {0:?}: use expansion, upgrade or functional_extension")]
pub struct UnknownPlanAction(pub String);

impl FromStr for PlanAction {
    type Err = UnknownPlanAction;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::DoNothing, Self::Reclaim]
            .into_iter()
            .chain(Self::PURCHASES)
            .find(|action| action.as_str() == name)
            .ok_or_else(|| UnknownPlanAction(name.to_owned()))
    }
}

impl fmt::Display for PlanAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DoNothing => "do nothing",
            Self::Reclaim => "reclaim",
            Self::Expansion => "expansion",
            Self::Upgrade => "upgrade",
            Self::FunctionalExtension => "functional extension",
        })
    }
}

/// An item of the catalogue that changes a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Order number.
    pub sku: String,
    /// What it is bought for: expansion, upgrade or functional extension.
    pub action: PlanAction,
    /// Models it fits; empty for any.
    pub fits_models: Vec<String>,
    /// Interface it needs; `None` for any.
    pub interface: Option<String>,
    /// Capacity it adds (expansion) or has (upgrade), before redundancy.
    pub capacity: Bytes,
    /// Share of its capacity that redundancy takes, 0…1.
    pub raid_overhead: f64,
    /// Bays it takes (expansion).
    pub bays: u16,
    /// Load before it divided by load after it: 2 halves the utilisation.
    pub load_factor: f64,
    /// Bytes that may be written over its life, where it is rated (upgrade).
    pub rated_write_bytes: Option<Bytes>,
    /// Price of one.
    pub price: Decimal,
    /// ISO 4217 code of the price's currency.
    pub currency: String,
    /// Days from order to delivery.
    pub lead_time_days: u16,
}

impl Item {
    /// Usable capacity of one, bytes, after redundancy.
    pub fn usable_bytes(&self) -> f64 {
        let overhead = if self.raid_overhead.is_finite() { self.raid_overhead.clamp(0.0, 1.0) } else { 1.0 };
        self.capacity.0 as f64 * (1.0 - overhead)
    }

    /// Whether it fits a unit of this model and interface. What is not known of the unit does not fit what is asked for.
    pub fn fits(&self, model: Option<&str>, interface: Option<&str>) -> bool {
        let model_fits = self.fits_models.is_empty()
            || model.is_some_and(|model| self.fits_models.iter().any(|fit| fit.eq_ignore_ascii_case(model)));
        let interface_fits = self
            .interface
            .as_deref()
            .is_none_or(|wanted| interface.is_some_and(|have| have.eq_ignore_ascii_case(wanted)));
        model_fits && interface_fits
    }
}
