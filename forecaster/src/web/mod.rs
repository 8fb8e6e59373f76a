//! Sign-in, pages and REST.

use axum::Router;

use crate::hub::Hub;

/// The web view.
pub(crate) fn router(_hub: Hub) -> Router {
    Router::new()
}
