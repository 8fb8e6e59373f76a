//! Tests of the whole system. This library holds what they share.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`cluster`] | a throw-away PostgreSQL with the extension, for one test |
//! | [`hub`] | the hub's program on such a PostgreSQL |
//! | [`node`] | a node that says what it is told to |
//! | [`built`] | where the programs and libraries under test are |

pub mod built;
pub mod cluster;
pub mod hub;
pub mod node;

pub use cluster::Cluster;
pub use hub::Hub;
pub use node::Node;
