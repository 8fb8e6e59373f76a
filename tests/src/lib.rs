//! Tests of the whole system. This library holds what they share.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`cluster`] | a throw-away PostgreSQL with the extension, for one test |
//! | [`fleet`] | a small fleet whose truth is known |
//! | [`hub`] | the hub's program on such a PostgreSQL |
//! | [`node`] | a node that says what it is told to |
//! | [`built`] | where the programs and libraries under test are |
//! | [`node_process`] | a real node with a data folder of its own |
//! | [`test_hub`] | the hub's side of the exchange in memory, with faults on demand |
//! | [`fault_proxy`] | a line that delays, limits and breaks off |

pub mod built;
pub mod cluster;
pub mod fault_proxy;
pub mod fleet;
pub mod hub;
pub mod node;
pub mod node_process;
pub mod test_hub;

pub use cluster::{Cluster, PG_CONFIG};
pub use fault_proxy::{FaultProxy, Line};
pub use hub::Hub;
pub use node::Node;
pub use node_process::NodeProcess;
pub use test_hub::{Authority, Mood, TestHub};
