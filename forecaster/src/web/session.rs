//! Signing in, staying signed in, signing out.
//!
//! The cookie holds a random token; the database holds its SHA-256, so a copy of the database opens no session. A new
//! token is made at every sign-in. A session ends when nothing was asked for twelve hours, after seven days whatever
//! happens, at sign-out, and when the person is removed. A page that refreshes itself does not count as asking.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use super::role::Role;
use super::sign_in;
use super::state::Web;
use crate::database::people;

/// Idle time after which a session ends.
pub(crate) const IDLE_MINUTES: i32 = 12 * 60;
/// Age at which a session ends.
pub(crate) const AGE_MINUTES: i32 = 7 * 24 * 60;

/// A fresh token: 244 random bits from the system's generator, in hexadecimal.
pub(crate) fn new_token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// What the database keeps of a token.
pub(crate) fn fingerprint(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-headroom" } else { "headroom" }
}

/// The cookie for a token. Over TLS its name is bound to this host.
pub(crate) fn cookie(token: &str, secure: bool) -> HeaderValue {
    let flags = if secure { "; Secure" } else { "" };
    let text = format!(
        "{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{flags}",
        cookie_name(secure),
        i64::from(AGE_MINUTES) * 60
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The cookie that removes the session's.
pub(crate) fn no_cookie(secure: bool) -> HeaderValue {
    HeaderValue::from_static(if secure {
        "__Host-headroom=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
    } else {
        "headroom=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    })
}

/// The token that a request carries.
pub(crate) fn token(headers: &HeaderMap, secure: bool) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == cookie_name(secure))
        .map(|(_, token)| token.to_owned())
        .filter(|token| token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The person who asks. A handler that takes this is closed to everybody else.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// Their key.
    pub(crate) person_id: i64,
    /// Their name.
    pub(crate) name: String,
    /// With which role.
    pub(crate) role: Role,
}

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        if parts.uri.path().starts_with("/api/") && parts.headers.contains_key(header::AUTHORIZATION) {
            return by_password(parts, web).await;
        }
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let back = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let next = if parts.method == axum::http::Method::GET { back } else { "/".to_owned() };
        let Some(token) = token(&parts.headers, web.secure()) else {
            return Err(Problem::SignIn { next });
        };
        let client = web.connection().await?;
        let awake = !parts.headers.contains_key("x-refresh");
        let person =
            people::of_session(&**client, &fingerprint(&token), IDLE_MINUTES, AGE_MINUTES, awake).await?;
        let person = person.ok_or(Problem::SignIn { next })?;
        let role = Role::of(&person.role)?;
        Ok(Self { person_id: person.person_id, name: person.name, role })
    }
}

/// Programs that use the REST interface send name and password (RFC 7617) instead of a cookie.
async fn by_password(parts: &Parts, web: &Web) -> Result<SignedIn, Problem> {
    let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    let pair = value
        .strip_prefix("Basic ")
        .and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((name, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
        return Err(Problem::Invalid(
            "Authorization must be Basic, with name and password in base64".to_owned(),
        ));
    };
    let address = sign_in::address_of(&parts.extensions);
    let person = sign_in::check(web, name, password, &address).await?;
    person.ok_or(Problem::SignIn { next: "/".to_owned() })
}

/// A path of this service to go to after signing in; anything else becomes the start page.
pub(crate) fn safe_next(next: Option<&str>) -> String {
    next.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains(['\\', '\r', '\n', '\t'])
            && !path.chars().any(char::is_control)
            && !path.starts_with("/sign-")
    })
    .unwrap_or("/")
    .to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{cookie, fingerprint, new_token, safe_next, token};

    #[test]
    fn only_paths_of_this_service_are_gone_back_to() {
        for (next, expected) in [
            (Some("/units/4?resource=load"), "/units/4?resource=load"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/x\r\nSet-Cookie: a=b"), "/"),
            (Some("/sign-out"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(safe_next(next), expected, "{next:?}");
        }
    }

    #[test]
    fn a_cookie_comes_back_as_its_token() {
        for secure in [false, true] {
            let fresh = new_token();
            let value = cookie(&fresh, secure);
            let text = value.to_str().expect("ascii");
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax") && text.contains("Path=/"));
            assert_eq!(text.contains("Secure") && text.starts_with("__Host-"), secure);
            let mut headers = HeaderMap::new();
            let pair = text.split(';').next().expect("a pair");
            headers.insert(header::COOKIE, HeaderValue::from_str(&format!("a=b; {pair}")).expect("ascii"));
            assert_eq!(token(&headers, secure), Some(fresh));
        }
        assert_ne!(new_token(), new_token());
        assert_eq!(fingerprint("x").len(), 32);
    }
}
