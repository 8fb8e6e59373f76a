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
//! | [`credentials`] | who this node is and whom it trusts |
//! | [`node`] | the running node: what its parts share, and what is told |
//! | [`reader`] | the privileged part, a process of its own |
//! | [`forecast`] | when it runs out, from the own store |
//! | [`serve`] | the read API over TLS with mutual authentication |
//! | [`deliver`] | push to a hub that may not connect to this node |
//! | [`durable`] | files that are there as a whole or not at all |
//! | [`failure`] | exit codes that a script can act on |

pub mod command;
pub mod config;
pub mod credentials;
pub mod decode;
pub mod deliver;
pub mod durable;
pub mod failure;
pub mod forecast;
pub mod measure;
pub mod node;
pub mod owner;
pub mod probe;
pub mod reader;
pub mod serve;
pub mod store;
pub mod transport;
