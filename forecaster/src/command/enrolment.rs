//! Enrolment of a node that a person vouches for, however its request came.

use anyhow::Context as _;
use headroom_core::exchange::enrol::{Grant, Request};
use jiff::Timestamp;

use crate::database::nodes;
use crate::failure::Failure;
use crate::hub::Hub;
use crate::intake;

/// Enrols the node of a request that a person vouches for. It is written before it is granted: a granted certificate that
/// the hub does not know would be refused for ever.
pub(super) async fn enrol(hub: &Hub, request: &Request, customer: Option<&str>) -> anyhow::Result<Grant> {
    let now = Timestamp::now();
    let issued = intake::sign(hub, request, now)
        .with_context(|| Failure::Data(format!("node {} sent no valid signing request", request.node)))?;
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let tx: &tokio_postgres::Transaction<'_> = &transaction;
    if !nodes::knows_customer(tx, customer).await? {
        return Err(no_customer(customer));
    }
    let enrolled = nodes::Enrolled {
        node: request.node,
        address: request.address.as_deref(),
        customer,
        serial: &issued.serial,
        not_after: issued.not_after,
    };
    if !nodes::enrol(tx, &enrolled, now).await? {
        let sentence = format!("node {} belongs to another customer: name it with --customer", request.node);
        return Err(Failure::Permission(sentence).into());
    }
    let grant = intake::grant(hub, tx, issued, now).await?;
    transaction.commit().await?;
    Ok(grant)
}

/// That the hub knows no such customer.
pub(super) fn no_customer(reference: Option<&str>) -> anyhow::Error {
    let reference = reference.unwrap_or_default();
    Failure::NotFound(format!("there is no customer {reference:?}: `headroom import customers` makes them"))
        .into()
}
