//! The border to the server.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`error`] | what can go wrong, with SQLSTATE and remedy; the one place that raises |
//! | [`identity`] | as whom something runs, and who owns what |
//! | [`settings`] | the settings named `headroom.*` |

pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod settings;
