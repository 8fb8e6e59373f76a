//! Who this node is and whom it trusts.
//!
//! | Room | What it is |
//! |---|---|
//! | [`identity`] | the node's id, made once, and whether this machine is a copy of another |
//! | [`Credentials`], [`Pending`] | key, certificate and authority, in one file that is there as a whole or not at all |
//! | [`names`] | the name in a certificate: names are authenticated, not addresses |
//! | [`tls`] | both sides of a connection |

pub mod identity;
mod kept;
pub mod names;
pub mod tls;

pub use kept::{Credentials, CredentialsError, Pending};
