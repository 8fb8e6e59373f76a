//! `POST /v1/push`: a node sends by itself, because nothing may connect to it.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use headroom_core::exchange::{Acknowledgement, Push, SequenceRange};
use jiff::Timestamp;

use super::body;
use super::commit::{Way, commit};
use super::problem::IntakeProblem;
use crate::hub::Hub;
use crate::listener::Peer;

/// Takes what a node sends. The acknowledgement is written after the rows are committed, never before.
pub(crate) async fn push(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Acknowledgement>, IntakeProblem> {
    let node = super::authenticated(&hub, &peer).await?;
    let push: Push = body::json(&headers, body, hub.settings().intake_body_bytes_max).await?;
    if push.answer.description.node != node {
        return Err(IntakeProblem::invalid(
            "answer.node",
            format!("is {}, but the certificate is of {node}", push.answer.description.node),
        ));
    }
    let store = push.batch.store;
    let range = push.batch.range;
    let committed = commit(&hub, &push.answer, push.batch, Way::Direct, Timestamp::now()).await?;
    tracing::debug!(%node, rows = committed.rows, set_aside = committed.set_aside, "took a push");
    // An empty batch tells specifications and user information only; no sample has the number 0.
    let range = range.unwrap_or(SequenceRange { first: 0, last: 0 });
    Ok(Json(Acknowledgement { store, range }))
}
