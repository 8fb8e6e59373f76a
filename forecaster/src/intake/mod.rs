//! Samples into PostgreSQL, exactly once.
//!
//! [`listener`] speaks TLS with nodes.

mod listener;

pub(crate) use listener::serve;

/// The routes that nodes talk to.
pub(crate) fn router(_hub: crate::hub::Hub) -> axum::Router {
    axum::Router::new()
}
