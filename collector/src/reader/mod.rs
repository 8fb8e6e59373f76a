//! The privileged reader: a process of its own that looks at devices and speaks to no network. The networked part asks
//! it over a Unix socket and needs no privilege.
//!
//! | Room | What it is |
//! |---|---|
//! | [`talk`] | question and answer on the socket |
//! | [`server`] | the reader's side |
//! | [`client`] | the networked part's side |

pub mod client;
pub mod server;
mod talk;
