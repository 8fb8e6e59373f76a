//! What somebody is told who is refused: `application/problem+json`, one sentence that names the thing.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::credentials::CredentialsError;
use crate::failure::one_line;
use crate::node::answer::Silence;
use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The owner allows nothing, or nothing was measured yet.
    #[error(transparent)]
    Silent(#[from] Silence),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No store is open.
    #[error("the store of this node cannot be opened: {0}")]
    NoStore(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It is larger than anything that is asked here.
    #[error("the request is larger than {0} bytes")]
    TooLarge(usize),
    /// The token is wrong.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such page.
    #[error(
        "there is no such page; the read API is /v1/answer, /v1/measure, /v1/samples and /v1/acknowledge"
    )]
    NoSuchPage,
    /// Certificates cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The node is stopping.
    #[error("this node is stopping")]
    Stopping,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Silent(Silence::NotGranted) | Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Silent(_) | Self::NoStore(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::OtherStore { .. } | StoreError::BadRange { .. }) => StatusCode::CONFLICT,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Invalid(_) | Self::Credentials(CredentialsError::Unusable(_)) => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::Credentials(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail = one_line(&anyhow::Error::from(self));
        tracing::info!(status = status.as_u16(), "refused a request: {detail}");
        let title = status.canonical_reason().unwrap_or("refused");
        let body =
            json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        let mut response = (status, Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
