//! One transaction: what the node is, its units and components, its samples and the acknowledged range.

use std::collections::HashMap;

use headroom_core::exchange::{Answer, Batch};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::examine::{examine_answer, examine_batch};
use super::problem::IntakeProblem;
use crate::database::{nodes, series, units};
use crate::hub::Hub;

/// What was committed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Rows that were not there before.
    pub(crate) rows: u64,
    /// Samples that were set aside, with their reason.
    pub(crate) set_aside: u64,
}

/// Writes an answer and its batch, all or nothing. Writing the same again changes nothing.
pub(crate) async fn commit(
    hub: &Hub,
    answer: &Answer,
    batch: Batch,
    now: Timestamp,
) -> Result<Committed, IntakeProblem> {
    examine_answer(answer)?;
    let (store, range) = (batch.store, batch.range);
    let examined = examine_batch(answer, batch, now, hub.settings().intake_future_max)?;
    let node = answer.description.node;

    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    // The row of the node is locked: two writers for one node take turns, and deadlock never.
    let digest = digest(answer);
    let known = nodes::seen(&transaction, answer, now).await?;
    if known.as_deref() != Some(digest.as_slice()) {
        units::describe(&transaction, answer, now).await?;
        nodes::described(&transaction, node, &digest).await?;
    }
    let ids: HashMap<String, i64> = units::component_ids(&transaction, node).await?;
    let components: Vec<i64> = examined
        .taken
        .iter()
        .map(|sample| {
            ids.get(&sample.component.0).copied().ok_or_else(|| {
                IntakeProblem::Internal(anyhow::anyhow!("component {:?} was not written", sample.component.0))
            })
        })
        .collect::<Result<_, _>>()?;
    let rows = series::insert(&transaction, &components, &examined.taken).await?;
    nodes::set_aside(&transaction, node, store, &examined.set_aside, now).await?;
    if let Some(range) = range {
        nodes::acknowledge(&transaction, node, store, range, now).await?;
    }
    transaction.commit().await?;
    Ok(Committed { rows, set_aside: examined.set_aside.len() as u64 })
}

/// What changes when the description of units, users or absences does; the status and the clock do not count.
fn digest(answer: &Answer) -> Vec<u8> {
    let described = (&answer.user, &answer.units, &answer.absences);
    let text = serde_json::to_vec(&described).expect("the exchange types have string keys only");
    Sha256::digest(&text).to_vec()
}
