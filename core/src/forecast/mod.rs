//! When a resource runs out, how sure that is, and why.
//!
//! Exhaustion is a first passage: the first time that the value reaches its limit. The same input gives the same
//! output on any machine: no clock, no hidden randomness, transcendental functions from `libm`.

mod answer;
mod backtest;
mod bootstrap;
mod day_classes;
mod endurance;
mod evidence;
mod fan;
mod first_passage;
mod follow;
mod grid;
mod history;
mod load;
mod model;
mod network;
mod pooled;
mod prior;
mod quantities;
mod question;
mod random;
mod recalibrate;
mod regular;
mod replay;
mod seasonal;
mod shape;
mod state;
#[cfg(test)]
mod tests;
mod why;

pub use answer::{Factor, FanPoint, Forecast, Passage, PassagePoint};
pub use backtest::{BacktestCase, JUDGED_DAYS, backtest};
pub use endurance::{EnduranceFigures, EnduranceUsed, endurance_used};
pub use evidence::{EVIDENCE, RISING, capacity_evidence};
pub use first_passage::{Calibration, FirstPassage, first_passages};
pub use follow::follow;
pub use history::HISTORY_DAYS_MAX;
pub use model::forecast;
pub use pooled::{Pooled, UnitGrowth};
pub use prior::Prior;
pub use question::{Observation, Question};
pub use recalibrate::{Outcome, recalibrated};
pub use seasonal::hourly_forecast;
pub use state::{Reason, State};
