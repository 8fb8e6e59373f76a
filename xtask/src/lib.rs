//! Tasks of the project that have outgrown a page of shell, and what the demo and the tests share of them.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`schema`] | the extension's install script, made from what the built library says of itself |
//! | [`postgres_tree`] | a private copy of the installed PostgreSQL with the extension in it |
//! | [`account`] | PostgreSQL does not run as root: as whom it runs instead |
//! | [`server`] | a PostgreSQL server of our own on a private tree |

pub mod account;
pub mod postgres_tree;
pub mod schema;
pub mod server;
