//! The only SQL in Rust, one file a subject.
//!
//! [`pool`] opens connections, [`guard`] refuses a role with too much power, [`migrations`] brings the schema up to date.

pub(crate) mod guard;
pub(crate) mod migrations;
pub(crate) mod pool;
