//! The read API: the hub, and nobody else, asks this node over TLS with mutual authentication.
//!
//! | Room | What it is |
//! |---|---|
//! | [`listener`] | connections: who gets past the handshake |
//! | [`routes`] | what can be asked |
//! | [`body`] | JSON in and out, compressed where both sides want it |
//! | [`problem`] | what somebody is told who is refused |
//! | [`metrics`] | the owner's page for Prometheus |
//! | [`enrol`] | the one conversation of an enrolment that the hub starts |

pub mod body;
pub mod enrol;
pub mod listener;
pub mod metrics;
pub mod problem;
pub mod routes;
