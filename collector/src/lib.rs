//! The node of Headroom: measures storage units where they stand and tells their owner first.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`transport`] | how the machine is reached: the kernel, a recording, a fault |
//! | [`decode`] | bytes to status: pure, fuzzed, usable on what a field engineer sends in |
//! | [`probe`] | what the machine has and how it does, at one moment |
//! | [`store`] | the embedded store: every round committed, nothing lost, nothing double |

pub mod decode;
pub mod probe;
pub mod store;
pub mod transport;
