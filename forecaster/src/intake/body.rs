//! Reads a node's JSON: bounded before and after decompression, errors with the path of the field.

use std::io::Read as _;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

use super::problem::IntakeProblem;

/// Reads a whole body as JSON, plain or gzip, of at most `most` bytes in either form.
pub(crate) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<T, IntakeProblem> {
    let bytes = to_bytes(body, most).await.map_err(|error| {
        // What broke off will be sent again; what is too large will not fit then either.
        if error.to_string().contains("length limit") {
            IntakeProblem::TooLarge(most)
        } else {
            IntakeProblem::invalid("body", format!("broke off: {error}"))
        }
    })?;
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => parse(&bytes),
        Some(b"gzip") => parse(&decompress(&bytes, most)?),
        Some(other) => Err(IntakeProblem::invalid(
            "Content-Encoding",
            format!("{:?} is not understood: use gzip or none", String::from_utf8_lossy(other)),
        )),
    }
}

/// Unpacks gzip of at most so many bytes.
pub(super) fn decompress(bytes: &[u8], most: usize) -> Result<Vec<u8>, IntakeProblem> {
    let mut plain = Vec::new();
    let read = GzDecoder::new(bytes)
        .take(most as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|error| IntakeProblem::invalid("body", format!("is no gzip: {error}")))?;
    if read > most { Err(IntakeProblem::TooLarge(most)) } else { Ok(plain) }
}

/// Parses JSON; an error names the field's path.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, IntakeProblem> {
    let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body".to_owned() } else { path };
        IntakeProblem::invalid(field, error.into_inner().to_string())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::body::Body;
    use axum::http::{HeaderMap, HeaderValue, header};
    use flate2::{Compression, write::GzEncoder};
    use headroom_core::exchange::Push;
    use proptest::prelude::*;

    use super::{json, parse};
    use crate::intake::problem::IntakeProblem;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("compressed");
        encoder.finish().expect("compressed")
    }

    #[test]
    fn a_malformed_push_names_its_field() {
        for (text, field) in [
            ("{}", "body"),
            ("", "body"),
            ("[[[[", "[0]"),
            (r#"{"answer": 5}"#, "answer"),
            (r#"{"answer": {"protocol": -1}}"#, "answer.protocol"),
        ] {
            let error = parse::<Push>(text.as_bytes()).expect_err(text);
            assert!(
                matches!(&error, IntakeProblem::Invalid { field: named, .. } if named == field),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_bomb_is_refused_by_its_size() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let bomb = gzip(&vec![b' '; 10_000_000]);
        let refused = json::<serde_json::Value>(&headers, Body::from(bomb), 100_000).await;
        assert!(matches!(refused, Err(IntakeProblem::TooLarge(100_000))));
        let plain = json::<serde_json::Value>(&HeaderMap::new(), Body::from(vec![b' '; 200]), 100).await;
        assert!(matches!(plain, Err(IntakeProblem::TooLarge(100))));
        let fine = json::<serde_json::Value>(&headers, Body::from(gzip(b"{\"a\":1}")), 100).await;
        assert_eq!(fine.expect("read")["a"], 1);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_and_nothing_breaks(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse::<Push>(&bytes).is_err());
        }
    }
}
