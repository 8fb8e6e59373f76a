//! How what was measured gets to the hub where nothing may connect to this node.
//!
//! | Room | What it is |
//! |---|---|
//! | [`hub_client`] | a connection to the hub's intake |
//! | [`push`] | newest first, until everything is acknowledged |
//! | [`bundle`] | the same as a signed file, where there is no network |
//! | [`renew`] | the next certificate, in time |

pub mod bundle;
pub mod hub_client;
pub mod push;
pub mod renew;
