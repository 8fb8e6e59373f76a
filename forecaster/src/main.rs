//! `headroom`: the hub's one service and command line.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`command`] | one file a subcommand |
//! | [`config`] | settings, merged from file, environment and flags |
//! | [`authority`] | the hub's certificate authority and the two sides of TLS |
//! | [`terminal`] | reading a node straight (claim 1) |
//! | [`intake`] | samples into PostgreSQL, exactly once: pull, push, enrolment |
//! | [`database`] | the only SQL in Rust, one file a subject |
//! | [`schedule`] | jobs in PostgreSQL |
//! | [`fleet`] | forecasts of all components |
//! | [`offers`] | from plan to offer, and back when the need is gone |
//! | [`report`] | predicted dates as HTML and CSV |
//! | [`import`] | customers, catalogue and units from CSV |
//! | [`listener`] | TLS for intake and web |
//! | [`markup`] | text inside HTML and XML |
//! | [`score`] | the model's answers to cases in files |
//! | [`web`] | sign-in, pages, REST |

mod authority;
mod command;
mod config;
mod database;
mod failure;
mod fleet;
mod hub;
mod import;
mod intake;
mod listener;
mod markup;
mod offers;
mod report;
mod schedule;
mod score;
mod terminal;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
