//! What the model knows before it sees a history: constants, versioned, given as an argument.

use serde::{Deserialize, Serialize};

use super::Pooled;

/// Constants of the model. The hub fits its own from its fleet; an old answer can be computed again with the old ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Name and version, shown with each forecast. Names the network's constants too.
    pub version: String,
    /// How much wider than the network says the date's distribution is made, in the logarithm of days: below the median.
    pub spread_early: f64,
    /// The same above the median.
    pub spread_late: f64,
    /// Shift of the logarithm of days.
    pub shift: f64,
    /// Days of history below which a unit has no date of its own.
    pub days_min: u16,
    /// Days after which a last value is stale.
    pub stale_days: u16,
    /// What units alike have shown, for a unit with a short history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooled: Option<Pooled>,
}

impl Prior {
    /// The constants that come with this version of the program (`constants/README.md`).
    pub fn builtin() -> Self {
        Self {
            version: "network-4".to_owned(),
            spread_early: 1.0,
            // A P90 beyond a year cannot be missed within it, so the others carry the whole late tail: on repositories left
            // out of the fit 5 % were late at 1.0; at 0.8 about 8 % are.
            spread_late: 0.8,
            shift: 0.0,
            days_min: 14,
            stale_days: 14,
            pooled: None,
        }
    }
}
