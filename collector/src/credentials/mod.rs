//! Who this node is and whom it trusts.
//!
//! | Room | What it is |
//! |---|---|
//! | [`identity`] | the node's id, made once, and whether this machine is a copy of another |
//! | [`Credentials`], [`Pending`] | key, certificate and authority, in one file that is there as a whole or not at all |
//! | [`tls`] | both sides of a connection; whom a certificate speaks for is told by [`headroom_peer`] |

pub mod identity;
mod kept;
pub mod tls;

pub use kept::{Credentials, CredentialsError, Pending};
