//! Enrolment and renewal, the hub's side. The protocol is in `headroom_core::exchange::enrol`.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use headroom_core::exchange::enrol::{Grant, Request};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::body;
use super::problem::IntakeProblem;
use crate::authority::{IssuedCertificate, RequestRefused};
use crate::database::certificates;
use crate::database::nodes::{self, Enrolled};
use crate::hub::Hub;
use crate::listener::Peer;
use crate::terminal::NodeClient;

/// Largest enrolment request, bytes.
const REQUEST_BYTES_MAX: usize = 65_536;

/// `POST /v1/enrol`: a node with a token gets its certificate. A token works once.
pub(crate) async fn enrol(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Grant>, IntakeProblem> {
    let request: Request = body::json(&headers, body, REQUEST_BYTES_MAX).await?;
    let now = Timestamp::now();
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    // Used up in the same transaction in which the node is written: a crash in between uses nothing up.
    let tx: &tokio_postgres::Transaction<'_> = &transaction;
    let Some(customer) = nodes::use_token(tx, &secret_hash(&request.secret), request.node, now).await? else {
        tracing::warn!(address = %peer.address, node = %request.node, "refused an enrolment: no such token");
        return Err(IntakeProblem::Forbidden(
            "this token is unknown, used or older than an hour: make a new one with `headroom node token`"
                .to_owned(),
        ));
    };
    let issued = sign(&hub, &request, now)?;
    let enrolled = Enrolled {
        node: request.node,
        address: request.address.as_deref(),
        customer: customer.as_deref(),
        serial: &issued.serial,
        not_after: issued.not_after,
    };
    if !nodes::enrol(tx, &enrolled, now).await? {
        tracing::warn!(address = %peer.address, node = %request.node, "refused an enrolment: another customer's node");
        return Err(IntakeProblem::Forbidden(
            "this node belongs to another customer than the token: make one with `headroom node token --customer`"
                .to_owned(),
        ));
    }
    let grant = grant(&hub, tx, issued, now).await?;
    transaction.commit().await?;
    tracing::info!(address = %peer.address, node = %request.node, "enrolled a node");
    Ok(Json(grant))
}

/// `POST /v1/renew`: a node with a valid certificate gets its next one.
pub(crate) async fn renew(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Grant>, IntakeProblem> {
    let node = super::authenticated(&hub, &peer).await?;
    let request: Request = body::json(&headers, body, REQUEST_BYTES_MAX).await?;
    if request.node != node {
        return Err(IntakeProblem::invalid(
            "node",
            format!("is {}, but the certificate is of {node}", request.node),
        ));
    }
    let shown = peer.certificate.as_ref().map(|(_, serial)| serial.as_str());
    let grant = renewed(&hub, &request, shown).await?;
    tracing::info!(address = %peer.address, %node, "renewed a node's certificate");
    Ok(Json(grant))
}

/// Renews the certificate of a node that may not connect to the hub, over its read API.
pub(crate) async fn renew_over(hub: &Hub, terminal: &mut NodeClient, node: Uuid) -> anyhow::Result<()> {
    let request: Request =
        terminal.post("/v1/renew/request", &serde_json::json!({}), "renewal request").await?;
    anyhow::ensure!(request.node == node, "asks for a certificate of node {}", request.node);
    let grant = renewed(hub, &request, None).await?;
    terminal.tell("/v1/renew/grant", &grant).await?;
    tracing::info!(%node, "renewed a node's certificate over its read API");
    Ok(())
}

/// Signs the next certificate of a node, which may have shown the one with this serial number, and writes it down before
/// it is granted: should the grant be lost, the present certificate stays honoured and it is tried again.
async fn renewed(hub: &Hub, request: &Request, shown: Option<&str>) -> Result<Grant, IntakeProblem> {
    let now = Timestamp::now();
    let issued = sign(hub, request, now)?;
    let client = hub.pool().get().await?;
    let next = Enrolled {
        node: request.node,
        address: request.address.as_deref(),
        customer: None,
        serial: &issued.serial,
        not_after: issued.not_after,
    };
    nodes::renew(&**client, &next, shown, now).await?;
    grant(hub, &**client, issued, now).await
}

/// What a token's secret is known by: the database never holds one that works.
pub(crate) fn secret_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.trim().to_ascii_lowercase().as_bytes()).to_vec()
}

/// Signs a node's request.
pub(crate) fn sign(hub: &Hub, request: &Request, now: Timestamp) -> Result<IssuedCertificate, IntakeProblem> {
    hub.authority().sign_node(request.node, &request.signing_request, now).map_err(|error| match error {
        RequestRefused::Malformed(_) => IntakeProblem::invalid("signing_request", error.to_string()),
        RequestRefused::Signing(_) => IntakeProblem::Internal(error.into()),
    })
}

/// The answer with which a node can talk to this hub, with the list of certificates that hold no longer.
pub(crate) async fn grant(
    hub: &Hub,
    client: &impl GenericClient,
    issued: IssuedCertificate,
    now: Timestamp,
) -> Result<Grant, IntakeProblem> {
    let revoked = certificates::revoked(client, now).await?;
    let list = hub.authority().revocation_list(&revoked, now).map_err(IntakeProblem::Internal)?;
    Ok(Grant {
        certificate: issued.pem,
        authority: hub.authority().certificate_pem.clone(),
        hub_address: Some(hub.settings().announced_intake()),
        revocations: Some(list),
    })
}
