//! Aggregates over a hypertable without making rows of its blocks: from the summaries of a block where all its rows
//! belong to one group, from those of its days where groups are made of whole days, else from its decoded columns.
//!
//! What is taken on: `count`, `sum`, `avg` of integers, `min`, `max`, [`first`] and [`last`] by segment, by buckets of
//! a fixed length, by both or overall, under conditions on the time or the segment alone, those of policies included.
//! Everything else stays with the server's own aggregation over rows.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`spec`] | what is computed, as a plan carries it |
//! | [`recognise`] | which expressions of a query those are |
//! | [`plan`] | the path beside the server's own |
//! | [`state`] | the aggregates' states |
//! | [`groups`] | groups and their states |
//! | [`node`] | the node as the executor knows it |
//! | [`children`] | the plans below it |
//! | [`run`] | rows, heads, days and columns to groups |
//! | [`by_day`] | what the days of a block tell |
//! | [`result`](mod@result) | datums to states and back |
//!
//! [`first`]: crate::functions
//! [`last`]: crate::functions

mod by_day;
mod children;
mod groups;
mod node;
mod plan;
mod recognise;
mod result;
mod run;
mod spec;
mod state;

pub(super) use plan::{consider, register};
