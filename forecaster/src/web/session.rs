//! Signing in, staying signed in, signing out.
//!
//! The cookie holds a random token; the database holds its SHA-256, so a copy of the database opens no session. A new
//! token is made at every sign-in. A session ends when nothing was asked for twelve hours, after seven days whatever
//! happens, at sign-out, and when the person is removed. A page that refreshes itself does not count as asking.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use super::state::Web;
use crate::database::people::{self, Person};

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
pub(crate) struct SignedIn(pub(crate) Person);

impl FromRequestParts<Web> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let back = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let next = if parts.method == axum::http::Method::GET { back } else { "/".to_owned() };
        let Some(token) = token(&parts.headers, web.secure()) else {
            return Err(Problem::SignIn { next });
        };
        let client = web.pool().get().await?;
        let awake = !parts.headers.contains_key("x-refresh");
        let person = people::of_session(&client, &fingerprint(&token), IDLE_MINUTES, AGE_MINUTES, awake).await?;
        person.map(Self).ok_or(Problem::SignIn { next })
    }
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

const FAILURES_ALLOWED: usize = 5;
const FAILURES_ALLOWED_FROM_ADDRESS: usize = 30;
const WINDOW: Duration = Duration::from_secs(15 * 60);
const NAMES_KEPT: usize = 20_000;

/// Failed attempts of the last quarter of an hour, by account and by address. Kept in memory on purpose: an attacker
/// must not be able to make the database write, and a restart costs them more than it gives.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, Vec<Instant>>>);

impl Attempts {
    /// Whether another attempt may be made now; else the seconds to wait.
    pub(crate) fn allowed(&self, account: &str, address: &str, now: Instant) -> Result<(), u64> {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (key, limit) in [(account_key(account), FAILURES_ALLOWED), (address_key(address), FAILURES_ALLOWED_FROM_ADDRESS)] {
            let Some(times) = failures.get_mut(&key) else { continue };
            times.retain(|time| now.saturating_duration_since(*time) < WINDOW);
            if times.len() >= limit {
                let oldest = times.first().copied().unwrap_or(now);
                return Err(WINDOW.saturating_sub(now.saturating_duration_since(oldest)).as_secs().max(1));
            }
        }
        Ok(())
    }

    /// Remembers a failed attempt.
    pub(crate) fn failed(&self, account: &str, address: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if failures.len() >= NAMES_KEPT {
            failures.retain(|_, times| times.last().is_some_and(|time| now.saturating_duration_since(*time) < WINDOW));
        }
        for key in [account_key(account), address_key(address)] {
            if failures.len() < NAMES_KEPT || failures.contains_key(&key) {
                failures.entry(key).or_default().push(now);
            }
        }
    }

    /// Forgets an account's failures after a sign-in that worked.
    pub(crate) fn worked(&self, account: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&account_key(account));
    }
}

fn account_key(account: &str) -> String {
    format!("account {}", account.trim().to_lowercase().chars().take(200).collect::<String>())
}

fn address_key(address: &str) -> String {
    format!("address {address}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Attempts, WINDOW, cookie, fingerprint, new_token, safe_next, token};

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

    #[test]
    fn the_sixth_wrong_password_waits() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(attempts.allowed("Anna@x", "1.2.3.4", start), Ok(()));
            attempts.failed("Anna@x", "1.2.3.4", start);
        }
        assert!(attempts.allowed(" anna@X ", "5.6.7.8", start).is_err(), "the same account from elsewhere");
        assert_eq!(attempts.allowed("ben@x", "1.2.3.4", start), Ok(()), "another account");
        assert_eq!(attempts.allowed("anna@x", "1.2.3.4", start + WINDOW + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for index in 0..30 {
            attempts.failed(&format!("person{index}"), "1.2.3.4", start);
        }
        assert!(attempts.allowed("somebody", "1.2.3.4", start).is_err());
        assert_eq!(attempts.allowed("somebody", "1.2.3.5", start), Ok(()));
    }
}
