//! Signing in and out: `GET` and `POST /sign-in`, `POST /sign-out`.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::frame::Frame;
use super::problem::Problem;
use super::role::Role;
use super::session::{SignedIn, cookie, fingerprint, new_token, no_cookie, safe_next, token};
use super::state::Web;
use crate::database::people;

/// Longest name and password that are looked at, bytes.
const LENGTH_MAX: usize = 500;
/// Passwords that are checked at the same time: each takes about 20 MB and a core for a while.
static CHECKS: Semaphore = Semaphore::const_new(2);
/// What the password of somebody unknown is checked against, so that it takes as long as that of somebody known.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    Argon2::default().hash_password(new_token().as_bytes()).map(|hash| hash.to_string()).unwrap_or_default()
});

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    refusal: Option<&'a str>,
    name: &'a str,
    next: String,
}

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

/// `GET /sign-in`
pub(crate) async fn page(State(web): State<Web>, Query(query): Query<Next>) -> Result<Html<String>, Problem> {
    let next = safe_next(query.next.as_deref());
    Ok(Html(SignInPage { frame: web.frame_for_nobody(), refusal: None, name: "", next }.render()?))
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    next: Option<String>,
}

/// `POST /sign-in`
pub(crate) async fn sign_in(
    State(web): State<Web>,
    extensions: Extensions,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let address = address_of(&extensions);
    let next = safe_next(form.next.as_deref());
    let Some(person) = check(&web, &form.name, &form.password, &address).await? else {
        let refusal = Some("No one signs in with this name and password.");
        let page = SignInPage { frame: web.frame_for_nobody(), refusal, name: &form.name, next };
        return Ok((StatusCode::UNAUTHORIZED, Html(page.render()?)).into_response());
    };
    let token = new_token();
    let client = web.connection().await?;
    people::begin_session(&**client, &fingerprint(&token), person.person_id).await?;
    tracing::info!(person = person.person_id, %address, "signed in");
    let mut response = Redirect::to(&next).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&token, web.secure()));
    Ok(response)
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = token(&headers, web.secure()) {
        let client = web.connection().await?;
        people::end_session(&**client, &fingerprint(&token)).await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().insert(header::SET_COOKIE, no_cookie(web.secure()));
    Ok(response)
}

/// The address at the other end of the connection.
pub(crate) fn address_of(extensions: &Extensions) -> String {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(|| "unknown".to_owned(), |info| info.0.ip().to_string())
}

/// Who signs in with this name and password; `None` where that is nobody, without saying which of the two is wrong.
pub(crate) async fn check(
    web: &Web,
    name: &str,
    password: &str,
    address: &str,
) -> Result<Option<SignedIn>, Problem> {
    let name = name.trim();
    web.attempts().allowed(name, address, Instant::now()).map_err(|seconds| Problem::TooMany { seconds })?;
    // PostgreSQL's text holds no NUL.
    let plausible = name.len() <= LENGTH_MAX && password.len() <= LENGTH_MAX && !name.contains('\0');
    let client = web.connection().await?;
    let known = if plausible { people::for_sign_in(&**client, name).await? } else { None };
    drop(client);
    let hash = known.as_ref().map_or_else(|| NOBODY.clone(), |known| known.password_hash.clone());
    let password = if plausible { password.to_owned() } else { String::new() };
    let permit = CHECKS.acquire().await.map_err(|error| Problem::Internal(error.into()))?;
    let right = tokio::task::spawn_blocking(move || is_right(&password, &hash))
        .await
        .map_err(|error| Problem::Internal(error.into()))?;
    drop(permit);
    match known {
        Some(known) if right => {
            web.attempts().worked(name);
            Ok(Some(SignedIn { person_id: known.person_id, name: known.name, role: Role::of(&known.role)? }))
        }
        _ => {
            web.attempts().failed(name, address, Instant::now());
            tracing::warn!(address, "refused a sign-in: wrong name or password");
            Ok(None)
        }
    }
}

fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use argon2::Argon2;
    use argon2::password_hash::PasswordHasher as _;

    use super::{NOBODY, is_right};

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let hash = Argon2::default().hash_password(b"correct horse").expect("hashes").to_string();
        assert!(hash.starts_with("$argon2id$"));
        assert!(is_right("correct horse", &hash));
        assert!(!is_right("correct horse ", &hash));
        assert!(!is_right("correct horse", "no hash at all"));
        assert!(!is_right("", &NOBODY) && NOBODY.starts_with("$argon2"));
    }
}
