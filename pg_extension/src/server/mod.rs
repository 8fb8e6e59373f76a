//! The border to the server.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`array`] | arrays made at once |
//! | [`cursor`] | a query of our own whose rows are taken one at a time |
//! | [`error`] | what can go wrong, with SQLSTATE and remedy; the one place that raises |
//! | [`identity`] | as whom something runs, and who owns what |
//! | [`memory`] | where allocations live |
//! | [`own_query`] | queries of our own, of which nobody is warned |
//! | [`relation`] | open relations and their names |
//! | [`settings`] | the settings named `headroom.*` |
//! | [`srf`] | functions that return sets of rows |
//! | [`type_form`] | how values of a type lie in memory |

pub(crate) mod array;
pub(crate) mod cursor;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod memory;
pub(crate) mod own_query;
pub(crate) mod relation;
pub(crate) mod settings;
pub(crate) mod srf;
pub(crate) mod type_form;
