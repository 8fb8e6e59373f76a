//! The closed set of states a forecast can be in. Only [`State::Dated`] has dates.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a forecast can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is a date with a band.
    Dated,
    /// Not inside the horizon.
    BeyondHorizon,
    /// The value does not grow.
    FlatOrShrinking,
    /// The history moves too much to say.
    TooNoisy,
    /// Too little history.
    TooShort,
    /// The last value is too old.
    Stale,
    /// The limit has been reached already.
    AlreadyExhausted,
    /// There is no limit to run into.
    UnknownLimit,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Dated,
        Self::BeyondHorizon,
        Self::FlatOrShrinking,
        Self::TooNoisy,
        Self::TooShort,
        Self::Stale,
        Self::AlreadyExhausted,
        Self::UnknownLimit,
    ];

    /// The name in SQL, JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dated => "dated",
            Self::BeyondHorizon => "beyond_horizon",
            Self::FlatOrShrinking => "flat_or_shrinking",
            Self::TooNoisy => "too_noisy",
            Self::TooShort => "too_short",
            Self::Stale => "stale",
            Self::AlreadyExhausted => "already_exhausted",
            Self::UnknownLimit => "unknown_limit",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state name that is none of [`State::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown forecast state {0:?}")]
pub struct UnknownState(pub String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == name).ok_or_else(|| UnknownState(name.to_owned()))
    }
}

/// Why a forecast is in its state: a code for machines and the sentence that a person reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Short, stable, snake_case.
    pub code: String,
    /// One sentence with the figures in it.
    pub sentence: String,
}
