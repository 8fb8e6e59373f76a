//! What is asked of the forecast.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::unit::Resource;

/// One value of a resource's history. Order does not matter; values that are not finite are set aside and counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// The value: bytes, a ratio or a count, as the resource says.
    pub used: f64,
    /// The limit at that time, in the same unit, where it is known.
    pub limit: Option<f64>,
}

/// The question: one resource's history, the moment of asking and how far to look.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which resource: it decides the model.
    pub resource: Resource,
    /// The history. Nothing after `as_of` is used.
    pub observations: &'a [Observation],
    /// The limit to run into; `None` takes the last known limit of the history.
    pub limit: Option<f64>,
    /// The moment of asking.
    pub as_of: Timestamp,
    /// How many days to look ahead, 1 to 1,096.
    pub horizon_days: u16,
}
