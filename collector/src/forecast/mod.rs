//! When what this node watches runs out, from its own store: core's model on the history that the hub would use, so an
//! air-gapped or private owner has the same answer.
//!
//! | Room | What it is |
//! |---|---|
//! | [`daily`] | one value a day of each resource, as the hub makes it in SQL |
//! | [`answer`] | the forecast of everything in a store |

pub mod answer;
pub mod daily;
