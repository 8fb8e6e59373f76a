//! Style sheet and scripts, embedded in the program: no request leaves the origin.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

/// The name in an address, the type, and the content that the build script has put there.
const FILES: [(&str, &str, &[u8]); 6] = [
    ("base.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/base.css"))),
    ("style.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/style.css"))),
    ("theme.js", "text/javascript; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/theme.js"))),
    ("morph.js", "text/javascript; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/morph.js"))),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/app.js"))),
    ("icon.svg", "image/svg+xml", include_bytes!(concat!(env!("OUT_DIR"), "/icon.svg"))),
];

/// A digest of each content, by name.
static FINGERPRINTS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, _, bytes)| {
            let digest = Sha256::digest(bytes);
            (*name, digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect())
        })
        .collect()
});

/// The address of an asset. It changes with the content, so a browser may keep it for ever.
pub(crate) fn address(name: &str) -> String {
    let fingerprint = FINGERPRINTS.get(name).map_or("missing", String::as_str);
    format!("/assets/{fingerprint}/{name}")
}

/// `GET /assets/{fingerprint}/{name}`
pub(crate) async fn serve(Path((fingerprint, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (name, content_type, bytes) = found.ok_or(Problem::NotFound("file"))?;
    let is_current = FINGERPRINTS.get(name).is_some_and(|current| *current == fingerprint);
    let keep = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    Ok((headers, *bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_asset_is_embedded() {
        for (name, _, bytes) in FILES {
            assert!(
                !bytes.is_empty(),
                "{name}: run `npm ci --prefix forecaster/assets --ignore-scripts` before the build"
            );
        }
    }

    #[test]
    fn no_asset_names_another_origin_to_load_from() {
        for (name, _, bytes) in FILES {
            let text = String::from_utf8_lossy(bytes);
            for loader in ["@import", "url(http", "src=\"http", "import(\"http"] {
                assert!(!text.contains(loader), "{name} has {loader}");
            }
        }
    }
}
