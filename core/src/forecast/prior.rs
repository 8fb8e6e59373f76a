//! What the model knows before it sees a history: constants, versioned, given as an argument.

use serde::{Deserialize, Serialize};

/// Constants of the model. The hub may fit its own from its fleet; an old answer can be computed again with the old one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Name and version, shown with each forecast.
    pub version: String,
    /// Days of history from which increments are drawn, one entry for each stratum of paths.
    pub windows_days: Vec<u16>,
    /// Length of the blocks of increments, days, for each stratum.
    pub blocks_days: Vec<u16>,
    /// How much wider than simulated the distribution of the date is made, in the logarithm of days: below the median.
    pub spread_early: f64,
    /// The same above the median.
    pub spread_late: f64,
    /// Shift of the logarithm of days.
    pub shift: f64,
    /// Days of history below which there is no date.
    pub days_min: u16,
    /// Days after which a last value is stale.
    pub stale_days: u16,
    /// Number of simulated paths.
    pub paths: u16,
}

impl Prior {
    /// The constants that come with this version of the program.
    pub fn builtin() -> Self {
        Self {
            version: "bootstrap-1".to_owned(),
            windows_days: vec![60, 180, 365, 730],
            blocks_days: vec![30, 30, 30, 30],
            spread_early: 1.0,
            spread_late: 1.0,
            shift: 0.0,
            days_min: 14,
            stale_days: 14,
            paths: 400,
        }
    }
}
