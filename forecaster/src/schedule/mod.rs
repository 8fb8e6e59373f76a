//! Jobs: their schedule, next start and history are rows in PostgreSQL, so a restart forgets nothing and several
//! services share them. [`job`] is the list, [`runner`] runs what is due.
//!
//! An advisory lock keeps a job from running twice at once. A job that fails is tried again later and later; after five
//! failures in a row it is parked, with its last error, until a person resumes it. The others go on.

mod job;
mod runner;

pub(crate) use runner::{Outcome, run_now, serve};
