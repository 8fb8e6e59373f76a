//! Samples into PostgreSQL, exactly once.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`pull`] | the hub reads the nodes on their schedule |
//! | [`push`] | a node sends by itself |
//! | [`enrol`] | a node gets and renews its certificate |
//! | [`bundle`] | a signed file that a person carried |
//! | [`body`] | bounded JSON, errors by field |
//! | [`examine`] | what contradicts itself is refused, what cannot be is set aside |
//! | [`ranges`] | which sequence numbers are missing |
//! | [`commit`] | rows and acknowledged range in one transaction |
//! | [`watched`] | series of a Prometheus or an OpenTelemetry collector |
//! | [`problem`] | what a node is told when it is refused |

mod body;
mod bundle;
mod commit;
mod enrol;
mod examine;
mod problem;
mod pull;
mod push;
mod ranges;
pub(crate) mod watched;

use axum::Router;
use axum::routing::post;
use headroom_peer::name::PeerName;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::database::{certificates, jobs, nodes, people, remarks, watched as kept};
use crate::hub::Hub;
use crate::listener::Peer;
use problem::IntakeProblem;

pub(crate) use bundle::import as import_bundle;
pub(crate) use enrol::{grant, secret_hash, sign};
pub(crate) use pull::{read_again, serve as pull_nodes};

/// Hours after which a session is forgotten that was not used: longer than any that still counts.
const SESSION_HOURS_KEPT: i64 = 24 * 31;
/// Days for which the history of jobs is kept.
const HISTORY_DAYS: i64 = 90;

/// The routes that nodes talk to.
pub(crate) fn router(hub: Hub) -> Router {
    Router::new()
        .route("/v1/enrol", post(enrol::enrol))
        .route("/v1/renew", post(enrol::renew))
        .route("/v1/push", post(push::push))
        .route("/v1/prometheus/write", post(watched::remote_write))
        .route("/v1/metrics", post(watched::otlp))
        .fallback(|| async { IntakeProblem::NoSuchPage })
        .with_state(hub)
}

/// The node that a connection's certificate speaks for, if the hub honours that certificate.
async fn authenticated(hub: &Hub, peer: &Peer) -> Result<Uuid, IntakeProblem> {
    let refused = |why: &str| {
        tracing::warn!(address = %peer.address, "refused a request: {why}");
        Err(IntakeProblem::Forbidden(why.to_owned()))
    };
    let Some((name, serial)) = &peer.certificate else {
        return refused("a certificate of this hub's authority is needed: enrol first");
    };
    let PeerName::Node(node) = name else {
        return refused("the certificate is not a node's");
    };
    let client = hub.pool().get().await?;
    if !nodes::honours(&client, *node, serial).await? {
        return refused("the certificate is revoked or was replaced: enrol again");
    }
    Ok(*node)
}

/// The job that tidies up.
pub(crate) async fn upkeep(hub: Hub) -> anyhow::Result<String> {
    let client = hub.pool().get().await?;
    let now = Timestamp::now();
    let tokens = nodes::forget_tokens(&**client, now).await?;
    let certificates = certificates::forget_ended(&**client, now).await?;
    kept::forget_old(&**client, now).await?;
    let runs = jobs::tidy(&**client, now - SignedDuration::from_hours(24 * HISTORY_DAYS)).await?;
    let happenings = remarks::forget_old(&**client, now).await?;
    let idle = now - SignedDuration::from_hours(SESSION_HOURS_KEPT);
    let sessions = people::forget_sessions(&**client, idle, idle).await?;
    Ok(format!(
        "forgot {tokens} tokens, {certificates} revoked certificates, {sessions} sessions, {happenings} remarks of long \
         ago and {runs} runs of jobs"
    ))
}
