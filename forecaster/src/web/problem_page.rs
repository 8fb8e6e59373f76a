//! What errors look like, decided in one place: a page for people, problem+json (RFC 9457) for machines, and in both
//! the request's id, which the log has too.

use std::time::Instant;

use askama::Template;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use tracing::Instrument as _;
use uuid::Uuid;

use super::frame::Frame;
use super::problem::Shown;
use super::query_value::percent_encoded;
use super::state::Web;

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
