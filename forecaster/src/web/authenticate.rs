//! Finds out who asks: by the cookie of a session, or for the REST interface by name and password.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;

use super::password;
use super::person::SignedIn;
use super::problem::Problem;
use super::role::Role;
use super::session::{AGE_MINUTES, IDLE_MINUTES, fingerprint, token};
use super::state::Web;
use crate::database::people;

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
    let address = password::address_of(&parts.extensions);
    let person = password::check(web, name, password, &address).await?;
    person.ok_or(Problem::SignIn { next: "/".to_owned() })
}
