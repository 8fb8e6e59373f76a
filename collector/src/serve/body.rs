//! JSON in and out. What is asked here is small; what is told may be large, and lines are slow: it is compressed for
//! who accepts that.

use std::io::Write as _;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use flate2::{Compression, write::GzEncoder};
use serde::{Serialize, de::DeserializeOwned};

use super::problem::Problem;

/// Largest request, bytes: a grant with its certificates and revocations.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Smaller answers are not worth it, bytes.
const COMPRESSED_FROM: usize = 1_024;

/// Reads a request.
///
/// # Errors
/// It is too large, breaks off or is no such JSON.
pub async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = to_bytes(body, REQUEST_BYTES_MAX).await.map_err(|error| {
        if error.to_string().contains("length limit") {
            Problem::TooLarge(REQUEST_BYTES_MAX)
        } else {
            Problem::Invalid(format!("the request broke off: {error}"))
        }
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::Invalid(format!("the request: {error}")))
}

/// Answers with JSON.
pub fn tell(headers: &HeaderMap, value: &impl Serialize) -> Response {
    let json = serde_json::to_vec(value).expect("the exchange types have string keys only");
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let wanted = accepted.is_some_and(|list| {
        list.split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"))
    });
    let kind = HeaderValue::from_static("application/json");
    if wanted && json.len() >= COMPRESSED_FROM {
        let mut response = gzip(&json).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return response;
    }
    let mut response = json.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}
