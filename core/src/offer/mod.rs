//! The life of an offer and the rules of contact.

mod contact_rules;
mod machine;

pub use contact_rules::{ContactRules, Forbidden, may_send};
pub use machine::{CALM_RUNS_TO_WITHDRAW, Event, OfferState, Refused, after_run, transition};

#[cfg(test)]
mod tests;
