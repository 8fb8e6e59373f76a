//! Signing in and out: `GET` and `POST /sign-in`, `POST /sign-out`.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::frame::Frame;
use super::password::{address_of, check};
use super::problem::Problem;
use super::session::{cookie, fingerprint, new_token, no_cookie, safe_next, token};
use super::state::Web;
use crate::database::people;

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
