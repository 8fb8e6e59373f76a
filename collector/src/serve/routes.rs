//! What the hub can ask: the table is in `headroom_core::exchange`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use headroom_core::exchange::enrol::Grant;
use headroom_core::exchange::{Acknowledgement, Batch};
use serde::Deserialize;

use super::body;
use super::problem::Problem;
use crate::credentials::Pending;
use crate::node::Node;
use crate::store::{EntryKind, Order, Store, StoreError};

/// Most samples in one batch, whatever was asked for: what is told at once must fit into little memory.
pub const BATCH_SAMPLES_MAX: u32 = 2_000;

/// What the routes share.
#[derive(Clone)]
struct Shared {
    node: Arc<Node>,
    /// The key of a renewal that the hub has asked for and not yet granted.
    renewal: Arc<Mutex<Option<Pending>>>,
}

/// The read API of a node.
pub fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/v1/answer", get(answer))
        .route("/v1/measure", post(measure))
        .route("/v1/samples", get(samples))
        .route("/v1/acknowledge", post(acknowledge))
        .route("/v1/renew/request", post(renew_request))
        .route("/v1/renew/grant", post(renew_grant))
        .fallback(|| async { Problem::NoSuchPage })
        .with_state(Shared { node, renewal: Arc::default() })
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let answer = blocking(move || shared.node.answer()).await??;
    Ok(body::tell(&headers, &answer))
}

async fn measure(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    // Nobody makes this machine work who may not hear the result.
    shared.node.may_tell()?;
    if !shared.node.measure_now().await {
        return Err(Problem::Stopping);
    }
    answer(State(shared), headers).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SamplesQuery {
    after: Option<u64>,
    limit: Option<u32>,
    newest: Option<u32>,
}

async fn samples(
    State(shared): State<Shared>,
    query: Result<Query<SamplesQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::Invalid(error.body_text()))?;
    let node = shared.node.id();
    let most = |asked: u32| asked.clamp(1, BATCH_SAMPLES_MAX);
    let batch: Batch = match (query.newest, query.after) {
        (Some(newest), None) => {
            with_store(shared, move |store| {
                store.unacknowledged(node, Order::NewestUnacknowledged, most(newest))
            })
            .await?
        }
        (None, Some(after)) => {
            let limit = most(query.limit.unwrap_or(BATCH_SAMPLES_MAX));
            with_store(shared, move |store| store.after(node, after, limit)).await?
        }
        _ => {
            let sentence = "either newest=N or after=SEQUENCE, with limit=N, is expected".to_owned();
            return Err(Problem::Invalid(sentence));
        }
    };
    Ok(body::tell(&headers, &batch))
}

async fn acknowledge(State(shared): State<Shared>, request: Body) -> Result<StatusCode, Problem> {
    let acknowledgement: Acknowledgement = body::read(request).await?;
    with_store(shared, move |store| store.acknowledge(acknowledgement)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn renew_request(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let pending = Pending::generate()?;
    let request = pending.request(shared.node.id(), String::new(), shared.node.settings().announced(None))?;
    *shared.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
    Ok(body::tell(&headers, &request))
}

async fn renew_grant(State(shared): State<Shared>, request: Body) -> Result<StatusCode, Problem> {
    let grant: Grant = body::read(request).await?;
    let pending = shared.renewal.lock().unwrap_or_else(PoisonError::into_inner).take();
    let pending = pending.ok_or_else(|| {
        Problem::Invalid("no renewal is under way: POST /v1/renew/request comes first".to_owned())
    })?;
    blocking(move || {
        pending.granted(shared.node.id(), grant)?.write(&shared.node.settings().data_dir)?;
        shared.node.note(EntryKind::Certificate, "the hub renewed this node's certificate");
        Ok::<_, Problem>(())
    })
    .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Works with the store, for whom the owner allows it.
async fn with_store<T: Send + 'static>(
    shared: Shared,
    work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    blocking(move || {
        shared.node.may_tell()?;
        let mut keeper = shared.node.keeper();
        let trouble = keeper.trouble().unwrap_or("it is not open yet").to_owned();
        Ok(keeper.with_store(work).ok_or(Problem::NoStore(trouble))??)
    })
    .await?
}

/// Runs what waits for the disk outside the runtime's one thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a request was not finished");
        Problem::Stopping
    })
}
