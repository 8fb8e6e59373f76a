//! Headroom's core: everything that needs no file, socket, clock or database.
//!
//! The node, the hub and the PostgreSQL extension call the same functions here, so that one question has one
//! answer wherever it is asked. Time, randomness and I/O are passed in.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`quantity`] | units of measure and how they are printed |
//! | [`unit`] | what a sold unit is, whose it is and how it does |
//! | [`exchange`] | what node and hub say to each other, versioned |
//! | [`block`] | the sealed block of the series store: format, codecs, summaries |
//! | [`forecast`] | when a resource runs out, how sure that is and why |
//! | [`plan`] | what to buy so that it lasts, and by when to order it |
//! | [`offer`] | the life of an offer and the rules of contact |

pub mod block;
pub mod exchange;
pub mod forecast;
pub mod offer;
pub mod plan;
pub mod quantity;
pub mod unit;
