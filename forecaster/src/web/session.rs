//! What keeps a person signed in: the cookie and its token.
//!
//! The cookie holds a random token; the database holds its SHA-256, so a copy of the database opens no session. A new
//! token is made at every sign-in. A session ends when nothing was asked for twelve hours, after seven days whatever
//! happens, at sign-out, and when the person is removed. A page that refreshes itself does not count as asking.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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
