//! Why a request gets no answer, and what of it is told: nothing of the inside (SQL, addresses, paths).

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It does not exist, or it is not this person's to see: both look the same, so ids cannot be probed.
    #[error("there is no such {0} here")]
    NotFound(&'static str),
    /// The person may see it but not do this.
    #[error("{0}")]
    Forbidden(String),
    /// What was sent cannot be used; the sentence names the thing and the remedy.
    #[error("{0}")]
    Invalid(String),
    /// It was changed by somebody else, or is not in a state that allows this.
    #[error("{0}")]
    Conflict(String),
    /// Nobody is signed in. Pages go to the sign-in and come back to this path.
    #[error("sign in first")]
    SignIn {
        /// Where to go afterwards: a path of this service.
        next: String,
    },
    /// Too many attempts.
    #[error("too many attempts: try again in {seconds} seconds")]
    TooMany {
        /// After which time it may work again.
        seconds: u64,
    },
    /// Something that the hub needs does not answer.
    #[error("{what} does not answer. No data is lost; try again in a moment.")]
    Unavailable {
        /// What does not answer.
        what: String,
        /// The chain of causes, for the log.
        #[source]
        source: anyhow::Error,
    },
    /// A fault of the hub itself.
    #[error("the hub made a mistake. No data is lost; tell its operator the request's number.")]
    Internal(#[source] anyhow::Error),
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::SignIn { .. } => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            None => Self::Unavailable { what: "The database".to_owned(), source: error.into() },
            // 57Pxx: the server is going down or coming up.
            Some(db) if db.code().code().starts_with("57P") => {
                Self::Unavailable { what: "The database".to_owned(), source: error.into() }
            }
            Some(db) if db.code() == &tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Forbidden("your role does not allow this".to_owned())
            }
            Some(_) => Self::Internal(error.into()),
        }
    }
}

impl From<deadpool_postgres::PoolError> for Problem {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Unavailable { what: "The database".to_owned(), source: error.into() }
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// What travels with the response to the middleware that writes it: [`super::problem_page::show`].
#[derive(Clone)]
pub(super) struct Shown {
    /// The sentence for people.
    pub(super) sentence: String,
    /// Where to go after signing in.
    pub(super) next: Option<String>,
    /// Seconds after which it may work again.
    pub(super) retry_after: Option<u64>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        match &self {
            Self::Internal(source) | Self::Unavailable { source, .. } => {
                tracing::error!(error = format!("{source:#}"), "{self}");
            }
            _ => {}
        }
        let (next, retry_after) = match &self {
            Self::SignIn { next } => (Some(next.clone()), None),
            Self::TooMany { seconds } => (None, Some(*seconds)),
            _ => (None, None),
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Shown { sentence: self.to_string(), next, retry_after });
        response
    }
}
