//! Where the parts of the demo are reached.

use std::net::SocketAddr;

/// Where the demo's services listen.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The hub's web view.
    pub web: SocketAddr,
    /// The hub's intake.
    pub intake: SocketAddr,
    /// The read API of this machine's node.
    pub node: SocketAddr,
}
