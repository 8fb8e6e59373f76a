//! When a resource runs out, how sure that is, and why.
//!
//! Exhaustion is a first passage: the first time that the value reaches its limit. The same input gives the same
//! output on any machine: no clock, no hidden randomness, transcendental functions from `libm`.

mod answer;
mod question;
mod state;

pub use answer::{Factor, FanPoint, Forecast, Passage, PassagePoint};
pub use question::{Observation, Question};
pub use state::{Reason, State};
