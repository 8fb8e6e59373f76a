//! What the planner is asked and what it answers.

use core::fmt;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::PlanAction;
use crate::{
    forecast::{Forecast, Prior, Question},
    quantity::Bytes,
    unit::Resource,
};

/// The customer's terms: user information decides plan and timing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// Days that the customer takes to approve an order.
    pub approval_days: u16,
    /// Days from delivery to use.
    pub installation_days: u16,
    /// What it can spend on one plan, in `currency`.
    pub budget: Option<Decimal>,
    /// Currency in which it buys; `None` for the catalogue's first.
    pub currency: Option<String>,
}

/// What stands at the customer's. What is not known is `None`, and nothing that depends on it is sold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Installed {
    /// Model of the unit.
    pub model: Option<String>,
    /// Interface of its drives.
    pub interface: Option<String>,
    /// Free bays.
    pub bays_free: Option<u16>,
    /// Space for data of the component that runs out.
    pub space: Option<Bytes>,
    /// Bytes that may be written over its life.
    pub rated_write_bytes: Option<Bytes>,
}

/// A unit that may run out.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// What was asked about the resource that binds first: a purchase is tried on the same history.
    pub question: &'a Question<'a>,
    /// The model's constants.
    pub prior: &'a Prior,
    /// The answer to that question.
    pub forecast: &'a Forecast,
    /// Forecasts of the unit's other resources: a worn unit is not extended.
    pub others: &'a [Forecast],
    /// What stands there.
    pub installed: &'a Installed,
    /// The customer's terms.
    pub terms: &'a Terms,
    /// The plan must last until then.
    pub lasts_to: Timestamp,
    /// Probability with which it must last, 0.5…0.99.
    pub confidence: f64,
}

/// A number of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternativeItem {
    /// Order number.
    pub sku: String,
    /// How many.
    pub quantity: u16,
}

/// What keeps an alternative from being smaller, cheaper or sufficient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// Nothing: nothing is bought.
    None,
    /// The planning horizon: one item fewer would not last to it.
    Horizon,
    /// The free bays.
    Bays(u16),
    /// Nobody knows how many bays are free.
    BaysUnknown,
    /// What the customer can spend.
    Budget(Decimal, String),
    /// What would be cheaper, or would last, comes too late.
    LeadTime,
    /// The catalogue has nothing larger that fits.
    Catalogue,
    /// Another resource of the unit runs out first.
    Resource(Resource),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Horizon => f.write_str("planning horizon"),
            Self::Bays(1) => f.write_str("1 free bay"),
            Self::Bays(bays) => write!(f, "{bays} free bays"),
            Self::BaysUnknown => f.write_str("free bays unknown"),
            Self::Budget(amount, currency) => write!(f, "budget of {amount} {currency}"),
            Self::LeadTime => f.write_str("lead time"),
            Self::Catalogue => f.write_str("the largest that fits"),
            Self::Resource(resource) => write!(f, "{resource} runs out first"),
        }
    }
}

/// One thing that could be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// What kind of thing.
    pub action: PlanAction,
    /// What is bought, in the order of order numbers; empty for doing nothing and reclaiming.
    pub items: Vec<AlternativeItem>,
    /// Price of all items with its currency.
    pub price: Option<(Decimal, String)>,
    /// Order by; `None` where nothing is bought.
    pub order_by: Option<Date>,
    /// The order-by date has passed.
    pub overdue: bool,
    /// Probability that it runs out before an order of today is in use; `None` where nothing is bought or the forecast
    /// does not reach so far.
    pub late_probability: Option<f64>,
    /// The date before which it runs out again with the probability that is left to the wanted confidence; `None`
    /// beyond the forecast's horizon.
    pub lasts_until: Option<Timestamp>,
    /// Whether it lasts to the end of the planning horizon.
    pub sufficient: bool,
    /// What keeps it from being smaller, cheaper or sufficient.
    pub constraint: Constraint,
    /// One sentence.
    pub reason: String,
    /// The suggestion: the cheapest that lasts. At most one is chosen.
    pub chosen: bool,
}
