//! A bundle: what a node's pushes would say, as a signed file that a person carried. The format is in
//! `headroom_core::exchange::bundle`.

use anyhow::{Context as _, bail};
use headroom_core::exchange::{Acknowledgement, Push, bundle};
use headroom_peer::certificate::{is_signed_by, serial_of};
use headroom_peer::name::{PeerName, name_of};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Serialize;
use uuid::Uuid;

use super::body;
use super::commit::{Way, commit};
use super::problem::IntakeProblem;
use crate::database::{certificates, nodes};
use crate::failure::Failure;
use crate::hub::Hub;

/// What an import came to.
#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    /// Whose bundle.
    pub(crate) node: Uuid,
    /// Pushes in it.
    pub(crate) pushes: u64,
    /// Rows that were not there before.
    pub(crate) rows: u64,
    /// Samples set aside.
    pub(crate) set_aside: u64,
    /// What was committed; it may travel back.
    pub(crate) acknowledged: Vec<Acknowledgement>,
}

/// Imports a bundle (after decompression). Each push is a transaction of its own: after a failure the same file is
/// imported again.
pub(crate) async fn import(hub: &Hub, bytes: &[u8], now: Timestamp) -> anyhow::Result<Imported> {
    let parts = bundle::take_apart(bytes).map_err(|error| Failure::Data(error.to_string()))?;
    let node = believed(hub, &parts, now).await?;
    let mut imported = Imported {
        node,
        pushes: 0,
        rows: 0,
        set_aside: 0,
        acknowledged: Vec::with_capacity(parts.pushes.len()),
    };
    for (line, push) in (2..).zip(&parts.pushes) {
        let told = async {
            let push: Push = body::parse(push)?;
            if push.answer.description.node != node {
                let reason = format!("is {}, but the bundle is of {node}", push.answer.description.node);
                return Err(IntakeProblem::invalid("answer.node", reason));
            }
            let (store, range) = (push.batch.store, push.batch.range);
            let committed = commit(hub, &push.answer, push.batch, Way::Carried, now).await?;
            Ok((committed, range.map(|range| Acknowledgement { store, range })))
        };
        let (committed, acknowledgement) = told.await.map_err(|problem| failure(line, problem))?;
        imported.pushes += 1;
        imported.rows += committed.rows;
        imported.set_aside += committed.set_aside;
        imported.acknowledged.extend(acknowledgement);
    }
    Ok(imported)
}

fn failure(line: usize, problem: IntakeProblem) -> anyhow::Error {
    let sentence = format!("line {line} of the bundle: {problem}");
    match problem {
        IntakeProblem::Unavailable(source) => source.context(Failure::Unavailable(sentence)),
        IntakeProblem::Internal(source) => source.context(sentence),
        _ => Failure::Data(sentence).into(),
    }
}

/// The node that a bundle is of, where everything about it can be believed.
async fn believed(hub: &Hub, parts: &bundle::Parts<'_>, now: Timestamp) -> anyhow::Result<Uuid> {
    let header = &parts.header;
    let refused = |why: String| Failure::Permission(format!("this bundle is not believed: {why}"));
    let certificate = CertificateDer::from_pem_slice(header.certificate.as_bytes())
        .map_err(|error| refused(format!("its certificate cannot be read ({error})")))?;
    if !is_signed_by(&certificate, parts.signed, &parts.signature) {
        bail!(refused(
            "its signature is not that of its certificate's key, or the file was changed".to_owned()
        ));
    }
    let future_max =
        SignedDuration::try_from(hub.settings().intake_future_max).unwrap_or(SignedDuration::ZERO);
    if header.made_at > now.checked_add(future_max).unwrap_or(Timestamp::MAX) {
        bail!(refused(format!("it was made in the future, at {}", header.made_at)));
    }
    hub.authority().held(&certificate, header.made_at).map_err(|error| {
        refused(format!(
            "its certificate is not of this hub, or did not hold at {} ({error})",
            header.made_at
        ))
    })?;
    if name_of(&certificate).ok() != Some(PeerName::Node(header.node)) {
        bail!(refused(format!("its certificate is not of node {}", header.node)));
    }
    let serial = serial_of(&certificate).context("a certificate that was just read")?;
    let client = hub.pool().get().await?;
    if certificates::is_revoked(&**client, &serial).await?
        || !nodes::is_enrolled(&**client, header.node).await?
    {
        bail!(refused("its certificate was revoked: enrol the node again and export again".to_owned()));
    }
    Ok(header.node)
}
