//! What errors look like, decided in one place: a page for people, problem+json (RFC 9457) for machines, and in both
//! the request's id, which the log has too. Nothing of the inside (SQL, addresses, paths) is shown.

use std::time::Instant;

use askama::Template;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use tracing::Instrument as _;
use uuid::Uuid;

use super::frame::Frame;
use super::state::Web;

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

/// What travels with the response to [`show`].
#[derive(Clone)]
struct Shown {
    sentence: String,
    next: Option<String>,
    retry_after: Option<u64>,
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

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    heading: &'a str,
    sentence: &'a str,
    request: Uuid,
}

/// The middleware that gives every request a number, counts its answer, and writes its problem in the form that was
/// asked for.
pub(crate) async fn show(State(web): State<Web>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", |route| route.as_str()).to_owned();
    let asked = AskedFor {
        machine: path.starts_with("/api/"),
        refresh: request.headers().contains_key("x-refresh"),
        banner: web.settings().web_banner.clone(),
    };
    let started = Instant::now();
    let span = tracing::info_span!("request", %id);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    if let Some(shown) = response.extensions_mut().remove::<Shown>() {
        response = written(&shown, status, id, &asked);
    } else if (status.is_client_error() || status.is_server_error()) && !is_written(&response) {
        response = written(&refused_by_framework(status), status, id, &asked);
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    let took = started.elapsed();
    web.traffic().note(&route, status.as_u16(), took);
    tracing::debug!(request = %id, %method, path, status = status.as_u16(), milliseconds = took.as_millis() as u64, "answered");
    response
}

/// In which form a problem is written.
struct AskedFor {
    machine: bool,
    refresh: bool,
    banner: Option<String>,
}

/// Whether a handler has written a page or a document for this status.
fn is_written(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    kind.starts_with("text/html") || kind.starts_with("application/")
}

/// What the framework's own refusals mean: they say it in a line of plain text, and some repeat what was sent.
fn refused_by_framework(status: StatusCode) -> Shown {
    let sentence = match status {
        StatusCode::NOT_FOUND => "there is no such page here",
        StatusCode::METHOD_NOT_ALLOWED => "this page takes no such request",
        StatusCode::FORBIDDEN => {
            "this request was sent by another site. Open the page here and do it again; behind a proxy, set web.origin"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "what was sent is too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "what was sent is no form",
        StatusCode::SERVICE_UNAVAILABLE => "this took too long. No data is lost; try again in a moment",
        status if status.is_client_error() => "what was sent cannot be understood",
        _ => "the hub made a mistake. No data is lost; tell its operator the request's number",
    };
    Shown { sentence: format!("{sentence}."), next: None, retry_after: None }
}

fn written(shown: &Shown, status: StatusCode, id: Uuid, asked: &AskedFor) -> Response {
    let heading = status.canonical_reason().unwrap_or("Problem");
    let mut response = match &shown.next {
        Some(next) if !asked.machine && !asked.refresh => {
            let query = if next == "/" { String::new() } else { format!("?next={}", percent_encoded(next)) };
            Redirect::to(&format!("/sign-in{query}")).into_response()
        }
        _ if asked.machine => {
            let body = serde_json::json!({
                "type": "about:blank", "title": heading, "status": status.as_u16(), "detail": shown.sentence, "request": id,
            });
            let mut response = (status, axum::Json(body)).into_response();
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            response
        }
        _ => {
            let frame = Frame { banner: asked.banner.clone(), ..Frame::default() };
            let page = ProblemPage { frame, heading, sentence: &shown.sentence, request: id };
            match page.render() {
                Ok(text) => (status, Html(text)).into_response(),
                Err(_) => (status, shown.sentence.clone()).into_response(),
            }
        }
    };
    if let Some(seconds) = shown.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Text for one value of a query string.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn a_query_value_cannot_leave_its_place() {
        assert_eq!(percent_encoded("/units/5?tab=load&x=ä"), "/units/5%3Ftab%3Dload%26x%3D%C3%A4");
    }
}
