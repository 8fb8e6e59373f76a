//! Jobs: what is done again and again without being asked.
//!
//! Schedule and history are tables. A launcher that is connected to no database starts a short-lived worker in each
//! database every few seconds; the worker runs what is due, a transaction a step, and ends. A job that fails is tried
//! again later each time and parked in the end; the others go on. On a standby nothing runs.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`tables`] | the schedule and the history |
//! | [`policy`] | making, changing and deleting jobs |
//! | [`run`] | one step of a job, and what came of it |
//! | [`free_space`] | whether there is room enough to seal |
//! | [`launcher`] | starts a worker in each database |
//! | [`worker`] | runs what is due in one database |

mod free_space;
pub(crate) mod launcher;
mod policy;
mod run;
mod tables;
mod worker;
