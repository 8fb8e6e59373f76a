//! The life of an offer and the rules of contact.
//!
//! [`machine`] is the state machine with its hysteresis, [`due`] says when an offer is due, [`bundling`] which needs share
//! one, [`contact_rules`] when it may be sent.

mod bundling;
mod contact_rules;
mod due;
mod machine;

pub use bundling::{Addressee, Bundle, Due, bundle};
pub use contact_rules::{ContactRules, Forbidden, may_send, next_day};
pub use due::{LATE_PROBABILITY_DUE, Pressure, due_date, is_due};
pub use machine::{
    CALM_RUNS_TO_WITHDRAW, Event, OfferState, Refused, UnknownOfferState, after_run, transition,
};

#[cfg(test)]
mod tests;
