//! What a node is told when the hub cannot take what it sent: problem+json (RFC 9457) that names the field.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request of a node is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeProblem {
    /// No certificate, or one that is not honoured.
    #[error("{0}")]
    Forbidden(String),
    /// What was sent is wrong in this field. Sending it again changes nothing.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field, as a path from the top.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing at this path.
    #[error(
        "the intake has /v1/enrol, /v1/renew, /v1/push, /v1/prometheus/write and /v1/metrics, each by POST"
    )]
    NoSuchPage,
    /// Two copies of the node speak.
    #[error(
        "two copies of this node seem to speak: {0}; nothing is taken until a person has it enrolled again with a new token"
    )]
    Forked(String),
    /// Larger than the hub reads.
    #[error("the body has more than {0} bytes: send fewer samples at once")]
    TooLarge(usize),
    /// The database does not answer: send it again later.
    #[error("the hub's database does not answer; nothing was taken, send it again later")]
    Unavailable(#[source] anyhow::Error),
    /// A fault of the hub.
    #[error("the hub made a mistake; nothing was taken")]
    Internal(#[source] anyhow::Error),
}

impl IntakeProblem {
    /// What was sent is wrong in this field.
    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Forked(_) => StatusCode::CONFLICT,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Whether the database will take the same thing later: it is away, restarting, full or in conflict with another writer.
pub(crate) fn is_passing(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => true, // the connection broke
        Some(state) => ["08", "40", "53", "57"].iter().any(|class| state.code().starts_with(class)),
    }
}

impl From<tokio_postgres::Error> for IntakeProblem {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_passing(&error) { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<deadpool_postgres::PoolError> for IntakeProblem {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl IntoResponse for IntakeProblem {
    fn into_response(self) -> Response {
        let status = self.status();
        match &self {
            Self::Internal(source) => tracing::error!(error = format!("{source:#}"), "{self}"),
            Self::Unavailable(source) => tracing::warn!(error = format!("{source:#}"), "{self}"),
            _ => tracing::info!("refused: {self}"),
        }
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Problem"),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        if let Self::Invalid { field, .. } = &self {
            body["field"] = json!(field);
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}
