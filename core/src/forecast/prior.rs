//! What the model knows before it sees a history: constants, versioned, given as an argument.

use serde::{Deserialize, Serialize};

use super::Pooled;

/// Constants of the model. The hub fits its own from its fleet; an old answer can be computed again with the old ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Name and version, shown with each forecast. Names the network's constants too.
    pub version: String,
    /// How much more often than the network says an outcome comes early: what it says of a level below one half is said
    /// of twice the level to the power of one over this, halved. 1 leaves it as it is, more makes P10 earlier.
    #[serde(default = "early")]
    pub power_early: f64,
    /// The same above one half, for late outcomes: more makes P90 later.
    #[serde(default = "late")]
    pub power_late: f64,
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

/// A higher power says nothing more: the level is at the end of the tail.
const POWER_MAX: f64 = 100.0;

/// A fit is surer of what it has seen: of repositories left out of it 11.6 % were early at 1.
fn early() -> f64 {
    1.05
}

/// A P90 beyond a year cannot be missed within it, so the others carry the whole late tail: of repositories left out of the
/// fit 5 % were late at 1.
fn late() -> f64 {
    0.7
}

impl Prior {
    /// The level of the network's quantile that is told at `level`, in 0…1. It rises with it, and does not depend on the
    /// limit, so that a higher limit stays later at every level (recalibration of the distribution function, after
    /// Kuleshov, Fenner and Ermon 2018).
    pub(super) fn network_level(&self, level: f64) -> f64 {
        if level < 0.5 {
            0.5 * libm::pow(2.0 * level, self.power_early.clamp(0.0, POWER_MAX))
        } else {
            1.0 - 0.5 * libm::pow(2.0 * (1.0 - level), self.power_late.clamp(0.0, POWER_MAX))
        }
    }

    /// The constants that come with this version of the program (`constants/README.md`).
    pub fn builtin() -> Self {
        Self {
            version: "network-5".to_owned(),
            power_early: early(),
            power_late: late(),
            shift: 0.0,
            days_min: 14,
            stale_days: 14,
            pooled: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Prior;

    #[test]
    fn constants_of_an_older_hub_are_read_with_the_built_in_levels() {
        let kept = r#"{"version": "network-4+1.10/0.90", "spread_early": 1.1, "spread_late": 0.72, "shift": 0.0,
            "days_min": 14, "stale_days": 14}"#;
        let read: Prior = serde_json::from_str(kept).unwrap();
        assert_eq!(read, Prior { version: "network-4+1.10/0.90".to_owned(), ..Prior::builtin() });
    }

    #[test]
    fn levels_rise_and_stay_levels_whatever_the_powers() {
        for power in [-1.0, 0.0, 0.3, 1.0, 2.0, 1e300, f64::INFINITY] {
            let prior = Prior { power_early: power, power_late: power, ..Prior::builtin() };
            let levels: Vec<f64> = (0..=100).map(|i| prior.network_level(f64::from(i) / 100.0)).collect();
            assert!(levels.is_sorted() && levels.iter().all(|level| (0.0..=1.0).contains(level)), "{power}");
        }
    }
}
