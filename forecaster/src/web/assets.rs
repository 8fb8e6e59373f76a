//! Style sheet and scripts, embedded in the program: no request leaves the origin.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

/// Our own files, and the npm packages' that the lock file names; `make` installs those before it builds.
#[derive(RustEmbed)]
#[folder = "assets/"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[include = "node_modules/modern-normalize/modern-normalize.css"]
#[include = "node_modules/idiomorph/dist/idiomorph.min.js"]
#[exclude = "node_modules/*/index.js"]
struct Embedded;

/// The name in an address, and the file.
const FILES: [(&str, &str, &str); 6] = [
    ("base.css", "node_modules/modern-normalize/modern-normalize.css", "text/css; charset=utf-8"),
    ("style.css", "style.css", "text/css; charset=utf-8"),
    ("theme.js", "theme.js", "text/javascript; charset=utf-8"),
    ("morph.js", "node_modules/idiomorph/dist/idiomorph.min.js", "text/javascript; charset=utf-8"),
    ("app.js", "app.js", "text/javascript; charset=utf-8"),
    ("icon.svg", "icon.svg", "image/svg+xml"),
];

struct Asset {
    bytes: std::borrow::Cow<'static, [u8]>,
    content_type: &'static str,
    fingerprint: String,
}

static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    FILES
        .iter()
        .filter_map(|(name, path, content_type)| {
            let bytes = Embedded::get(path)?.data;
            let digest = Sha256::digest(&bytes);
            let fingerprint = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            Some((*name, Asset { bytes, content_type, fingerprint }))
        })
        .collect()
});

/// The files that this program was built without: npm's, where they were not installed before the build.
pub(crate) fn missing() -> Vec<&'static str> {
    FILES.iter().filter(|(name, ..)| !ASSETS.contains_key(name)).map(|(_, path, _)| *path).collect()
}

/// The address of an asset. It changes with the content, so a browser may keep it for ever.
pub(crate) fn address(name: &str) -> String {
    let fingerprint = ASSETS.get(name).map_or("missing", |asset| asset.fingerprint.as_str());
    format!("/assets/{fingerprint}/{name}")
}

/// `GET /assets/{fingerprint}/{name}`
pub(crate) async fn serve(Path((fingerprint, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asset = ASSETS.get(name.as_str()).ok_or(Problem::NotFound("file"))?;
    let keep = if fingerprint == asset.fingerprint { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = axum::body::Bytes::copy_from_slice(&asset.bytes).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_asset_is_embedded() {
        assert_eq!(super::missing(), Vec::<&str>::new(), "run `npm ci` in forecaster/assets before the build");
    }

    #[test]
    fn no_asset_names_another_origin_to_load_from() {
        for (name, asset) in super::ASSETS.iter() {
            let text = String::from_utf8_lossy(&asset.bytes);
            for loader in ["@import", "url(http", "src=\"http", "import(\"http"] {
                assert!(!text.contains(loader), "{name} has {loader}");
            }
        }
    }
}
