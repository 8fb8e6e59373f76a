//! The terminal of claim 1: reads specifications, user information and status straight from a node.
//!
//! [`client`] is one connection to a node; [`show`] prints an answer for people.

mod client;
mod show;

pub(crate) use client::{NodeClient, TerminalError};
pub(crate) use show::print;
