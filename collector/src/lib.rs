//! The node of Headroom: measures storage units where they stand and tells their owner first.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`command`] | one file a subcommand |
//! | [`config`] | what the owner decides: file, environment, flags |
//! | [`transport`] | how the machine is reached: the kernel, a recording, a fault |
//! | [`decode`] | bytes to status: pure, fuzzed, usable on what a field engineer sends in |
//! | [`probe`] | what the machine has and how it does, at one moment |
//! | [`measure`] | one round after the other: measured, differenced, kept |
//! | [`store`] | the embedded store: every round committed, nothing lost, nothing double |
//! | [`owner`] | whose unit it is and what may leave |
//! | [`durable`] | files that are there as a whole or not at all |

pub mod command;
pub mod config;
pub mod decode;
pub mod durable;
pub mod measure;
pub mod owner;
pub mod probe;
pub mod store;
pub mod transport;
