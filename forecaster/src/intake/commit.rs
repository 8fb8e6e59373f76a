//! One transaction: what the node is, its units and components, its samples and the acknowledged range.

use std::collections::HashMap;

use headroom_core::exchange::{Answer, Batch};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::examine::{examine_answer, examine_batch, examine_text, sort_out};
use super::problem::IntakeProblem;
use crate::database::lives::{self, Life};
use crate::database::{nodes, ranges, remarks, series, units};
use crate::hub::Hub;

/// What was committed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Rows that were not there before.
    pub(crate) rows: u64,
    /// Samples that were set aside, with their reason.
    pub(crate) set_aside: u64,
}

/// How an answer came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the node itself, over the network, just now.
    Direct,
    /// As a file that a person carried: it may be old, and older than what came before it.
    Carried,
}

/// Writes an answer and its batch, all or nothing. Writing the same again changes nothing.
pub(crate) async fn commit(
    hub: &Hub,
    answer: &Answer,
    batch: Batch,
    way: Way,
    now: Timestamp,
) -> Result<Committed, IntakeProblem> {
    examine_answer(answer)?;
    examine_batch(answer, &batch)?;
    let (node, store, range) = (answer.description.node, batch.store, batch.range);

    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let tx: &tokio_postgres::Transaction<'_> = &transaction;
    // The row of the node is locked: two writers for one node take turns, and deadlock never.
    let known = match way {
        Way::Direct => nodes::seen(&transaction, answer, now).await?,
        Way::Carried => nodes::carried(tx, answer).await?,
    };
    let is_stale = way == Way::Carried && lives::was_heard_since(tx, node, answer.answered_at).await?;
    if let Some(what) = fork(&transaction, answer, is_stale, now).await? {
        transaction.commit().await?;
        return Err(IntakeProblem::Forked(what));
    }
    let digest = digest(answer);
    let is_new = known.as_deref() != Some(digest.as_slice());
    if is_stale {
        examine_text(answer)?;
        let known = units::component_ids(&transaction, node).await?;
        units::describe_unknown(tx, answer, &known, now).await?;
    } else if is_new {
        examine_text(answer)?;
        units::describe(tx, answer, now).await?;
        nodes::described(tx, node, &digest).await?;
    }
    // Those that are gone too: samples of a drive that was pulled out while the hub was away still count.
    let ids: HashMap<String, i64> = units::component_ids(&transaction, node).await?;
    // Who withdrew everything tells that alone: it takes back nothing that was remarked before.
    if (is_new || is_stale) && answer.user.consent.any() {
        remarks::write(tx, answer, &ids, !is_stale, now).await?;
    }
    let sorted =
        sort_out(batch.samples, &|key| ids.contains_key(&key.0), now, hub.settings().intake_future_max);
    let components: Vec<i64> =
        sorted.taken.iter().filter_map(|sample| ids.get(&sample.component.0).copied()).collect();
    let rows = series::insert(&transaction, &components, &sorted.taken).await?;
    series::note_newest(&transaction, &components, &sorted.taken).await?;
    for aside in &sorted.set_aside {
        let reason = format!("{}: {}", aside.code, aside.sentence);
        ranges::set_aside(tx, node, store, &aside.sample, &reason, now).await?;
    }
    if let Some(range) = range {
        ranges::acknowledge(&transaction, node, store, range, now).await?;
    }
    transaction.commit().await?;
    Ok(Committed { rows, set_aside: sorted.set_aside.len() as u64 })
}

/// What says that two copies of this node speak, if anything does or did.
async fn fork(
    transaction: &deadpool_postgres::Transaction<'_>,
    answer: &Answer,
    is_stale: bool,
    now: Timestamp,
) -> Result<Option<String>, IntakeProblem> {
    let node = answer.description.node;
    if let Some(what) = lives::fork(transaction, node).await? {
        return Ok(Some(what));
    }
    // What is older than the last answer proves nothing.
    if is_stale {
        return Ok(None);
    }
    let Some(newest) = answer.status.iter().max_by_key(|sample| sample.sequence) else { return Ok(None) };
    let life = Life {
        node,
        store: answer.description.store,
        boot: newest.boot,
        sequence: newest.sequence,
        answered_at: answer.answered_at,
    };
    let wrong = lives::note(transaction, &life, now).await?;
    if let Some(what) = &wrong {
        tracing::warn!(%node, "two copies of a node speak: {what}");
        lives::mark(&**transaction, node, what, now).await?;
    }
    Ok(wrong)
}

/// What changes when the description of units, users or absences does, or what is remarked; the status and the clock do
/// not count.
fn digest(answer: &Answer) -> Vec<u8> {
    let remarked = (&answer.remarks, &answer.notices);
    let described = (&answer.user, &answer.units, &answer.gone, &answer.absences, remarked);
    let text = serde_json::to_vec(&described).expect("the exchange types have string keys only");
    Sha256::digest(&text).to_vec()
}
