//! Sign-in, pages and REST.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`page`] | what people see |
//! | [`api`] | REST |
//! | [`chart`] | drawings |
//! | [`person`], [`role`], [`authenticate`] | who asks |
//! | [`sign_in`], [`password`], [`session`], [`limit`] | how they sign in and stay so |
//! | [`state`], [`frame`], [`line`], [`wording`], [`query_value`] | what pages share |
//! | [`problem`], [`problem_page`] | what errors say, and how they look |
//! | [`headers`] | headers of every answer |
//! | [`assets`] | style sheet and scripts |
//! | [`operation`], [`traffic`] | what operators and their monitoring ask |

mod api;
mod assets;
mod authenticate;
mod chart;
mod frame;
mod headers;
mod limit;
mod line;
mod operation;
mod page;
mod password;
mod person;
mod problem;
mod problem_page;
mod query_value;
mod role;
mod session;
mod sign_in;
mod state;
mod traffic;
mod wording;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

use crate::hub::Hub;
use state::Web;

/// Largest body of a form, bytes.
const FORM_BYTES_MAX: usize = 65_536;
/// After which time a request is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The web view.
pub(crate) fn router(hub: Hub) -> Router {
    let web = Web::new(hub);
    let mut origin = CsrfLayer::new();
    if let Some(own) = web.settings().web_origin.as_deref() {
        match origin.clone().add_trusted_origin(own.trim_end_matches('/')) {
            Ok(trusting) => origin = trusting,
            Err(error) => tracing::error!(%error, "web.origin is no origin such as https://headroom.example"),
        }
    }
    Router::new()
        .route("/", get(page::worklist::page))
        .route("/units.csv", get(page::worklist::csv))
        .route("/units/{id}", get(page::unit::page))
        .route("/units/{id}/ask", get(page::unit::asked_before).post(page::unit::ask))
        .route("/accuracy", get(page::accuracy::page))
        .route("/catalogue", get(page::catalogue::page))
        .route("/offers", get(page::offers::list))
        .route("/offers/{id}", get(page::offers::one))
        .route("/offers/{id}/{step}", post(page::offers::step))
        .route("/portal", get(page::portal::page))
        .route("/portal/{customer}/{purpose}", post(page::portal::decide))
        .route("/unmatched", get(page::unmatched::page))
        .route("/unmatched/{unit}", post(page::unmatched::choose))
        .route("/health", get(page::health::page))
        .route("/api/v1", get(api::index))
        .route("/api/v1/units", get(api::units))
        .route("/api/v1/units/{id}", get(api::unit))
        .route("/api/v1/units/{id}/forecast", get(api::forecast))
        .route("/api/v1/units/{id}/plan", get(api::plan))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/healthz", get(operation::healthz))
        .route("/metrics", get(operation::metrics))
        .route("/assets/{fingerprint}/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PATIENCE))
        .layer(origin)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(web.clone(), problem_page::show))
        .layer(middleware::from_fn(headers::add))
        .with_state(web)
}
