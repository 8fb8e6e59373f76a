//! Tests of the whole system. This library holds what they share.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`cluster`] | a throw-away PostgreSQL with the extension, for one test |
//! | [`built`] | where the programs and libraries under test are |

pub mod built;
pub mod cluster;

pub use cluster::Cluster;
