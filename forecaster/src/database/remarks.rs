//! Rows of `fleet.remarks`: what nodes say beside the figures, each remark once.

use std::collections::HashMap;

use headroom_core::exchange::Answer;
use headroom_core::unit::Remark;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Error, GenericClient};

/// Days for which what happened is kept: a year, and a month to look back on it.
const DAYS_KEPT: i64 = 400;
/// Most remarks of one unit that are shown.
const SHOWN_MAX: i64 = 200;

/// What names a remark: a component that is not known yet, or a sentence of any length, changes nothing about it.
fn digest(remark: &Remark) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in [
        remark.component.as_ref().map(|key| key.0.clone()).unwrap_or_default(),
        remark.at.map(|at| at.to_string()).unwrap_or_default(),
        remark.text.clone(),
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}

/// Writes what an answer remarks; `ids` are the node's components. What happened is added. What holds is replaced, where
/// the answer `is_current`: an older one would undo what was told since.
pub(crate) async fn write(
    client: &impl GenericClient,
    answer: &Answer,
    ids: &HashMap<String, i64>,
    is_current: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let of_node = answer.notices.iter().map(|text| Remark { component: None, at: None, text: text.clone() });
    let told: Vec<Remark> = answer
        .remarks
        .iter()
        .cloned()
        .chain(of_node)
        .filter(|remark| is_current || remark.at.is_some())
        .collect();
    let digests: Vec<Vec<u8>> = told.iter().map(digest).collect();
    // One of a component that was never described is still worth reading: it is the node's then.
    let components: Vec<Option<i64>> = told
        .iter()
        .map(|remark| remark.component.as_ref().and_then(|key| ids.get(&key.0).copied()))
        .collect();
    let moments: Vec<Option<Timestamp>> = told.iter().map(|remark| remark.at).collect();
    let sentences: Vec<&str> = told.iter().map(|remark| remark.text.as_str()).collect();
    let node = answer.description.node;
    client
        .execute(
            "with removed as (
                delete from fleet.remarks r
                 where $6 and r.node_id = $1 and r.happened_at is null and r.digest <> all ($2))
             insert into fleet.remarks as r (node_id, digest, component_id, happened_at, sentence, noted_at)
             select distinct on (t.digest) $1, t.digest, t.component_id, t.happened_at, t.sentence, $7
               from unnest($2::bytea[], $3::bigint[], $4::timestamptz[], $5::text[])
                    as t (digest, component_id, happened_at, sentence)
             on conflict (node_id, digest) do update set component_id = excluded.component_id
              where r.component_id is distinct from excluded.component_id",
            &[&node, &digests, &components, &moments, &sentences, &is_current, &now],
        )
        .await?;
    Ok(())
}

/// Forgets what happened long ago. Gives how many.
pub(crate) async fn forget_old(client: &impl GenericClient, now: Timestamp) -> Result<u64, Error> {
    let before = now - SignedDuration::from_hours(24 * DAYS_KEPT);
    client
        .execute("delete from fleet.remarks where happened_at is not null and noted_at < $1", &[&before])
        .await
}

/// A remark as the hub keeps it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RemarkRow {
    /// Which component; `None` for the node and its machine.
    pub(crate) component_id: Option<i64>,
    /// When it happened; `None` for what holds now.
    pub(crate) happened_at: Option<Timestamp>,
    /// What the node says.
    pub(crate) sentence: String,
}

/// What the node says of a unit's components and of itself: what holds first, then what happened, the newest first.
pub(crate) async fn of_unit(client: &impl GenericClient, unit: i64) -> Result<Vec<RemarkRow>, Error> {
    let rows = client
        .query(
            "select r.component_id, r.happened_at, r.sentence
               from fleet.remarks r
              where r.component_id in (select k.component_id from fleet.components k where k.unit_id = $1)
                 or (r.component_id is null
                     and r.node_id = (select u.node_id from fleet.units u where u.unit_id = $1))
              order by r.happened_at desc nulls first, r.component_id, r.sentence limit $2",
            &[&unit, &SHOWN_MAX],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| RemarkRow { component_id: row.get(0), happened_at: row.get(1), sentence: row.get(2) })
        .collect())
}
