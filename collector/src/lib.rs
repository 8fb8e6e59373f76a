//! The node of Headroom: measures storage units where they stand and tells their owner first.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`decode`] | bytes to status: pure, fuzzed, usable on what a field engineer sends in |

pub mod decode;
