//! The border to the server.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`error`] | what can go wrong, with SQLSTATE and remedy; the one place that raises |
//! | [`identity`] | as whom something runs, and who owns what |
//! | [`memory`] | where allocations live |
//! | [`own_query`] | queries of our own, of which nobody is warned |
//! | [`relation`] | open relations and their names |
//! | [`settings`] | the settings named `headroom.*` |

pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod memory;
pub(crate) mod own_query;
pub(crate) mod relation;
pub(crate) mod settings;
