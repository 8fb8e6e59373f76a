//! Which sequence numbers were committed, and which were not believed.

use deadpool_postgres::GenericClient as Cached;
use headroom_core::exchange::SequenceRange;
use headroom_core::unit::Sample;
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// The numbers of a store that were committed, as rising ranges that do not touch.
pub(crate) async fn acknowledged(
    client: &impl GenericClient,
    node: Uuid,
    store: Uuid,
) -> Result<Vec<SequenceRange>, Error> {
    let rows = client
        .query(
            "select lower(r), upper(r) - 1 from fleet.acknowledged_ranges, unnest(sequences) r
              where node_id = $1 and store_id = $2 order by 1",
            &[&node, &store],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| SequenceRange {
            first: row.get::<_, i64>(0).unsigned_abs(),
            last: row.get::<_, i64>(1).unsigned_abs(),
        })
        .collect())
}

/// Adds a range to what was committed. In the transaction of its rows, or it would lie.
pub(crate) async fn acknowledge(
    client: &impl Cached,
    node: Uuid,
    store: Uuid,
    range: SequenceRange,
    now: Timestamp,
) -> Result<(), Error> {
    let statement = client
        .prepare_cached(
            "insert into fleet.acknowledged_ranges as a (node_id, store_id, sequences, acknowledged_at)
             values ($1, $2, int8multirange(int8range($3, $4, '[]')), $5)
             on conflict (node_id, store_id) do update
                set sequences = a.sequences + excluded.sequences, acknowledged_at = excluded.acknowledged_at",
        )
        .await?;
    client.execute(&statement, &[&node, &store, &signed(range.first), &signed(range.last), &now]).await?;
    Ok(())
}

/// Forgets what a node's stores have acknowledged, so that everything is read again.
pub(crate) async fn forget(client: &impl GenericClient, node: Uuid) -> Result<(), Error> {
    client.execute("delete from fleet.acknowledged_ranges where node_id = $1", &[&node]).await?;
    Ok(())
}

/// Notes samples that the node no longer has: they are acknowledged, so that nobody asks for them again.
pub(crate) async fn note_gap(
    client: &impl Cached,
    node: Uuid,
    store: Uuid,
    range: SequenceRange,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.set_aside (node_id, store_id, sequences, reason, noted_at)
             values ($1, $2, int8range($3, $4, '[]'), 'gone: the node no longer has these samples', $5)",
            &[&node, &store, &signed(range.first), &signed(range.last), &now],
        )
        .await?;
    acknowledge(client, node, store, range, now).await
}

/// Keeps a sample that was not believed, with the reason.
pub(crate) async fn set_aside(
    client: &impl GenericClient,
    node: Uuid,
    store: Uuid,
    sample: &Sample,
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let json = serde_json::to_value(sample).ok().filter(|json| !json.to_string().contains("\\u0000"));
    let reason: String = reason.chars().filter(|c| *c != '\0').take(500).collect();
    client
        .execute(
            "insert into fleet.set_aside (node_id, store_id, sequences, reason, sample, noted_at)
             select $1, $2, int8range($3, $3, '[]'), $4, $5, $6
              where not exists (select from fleet.set_aside s
                                 where s.node_id = $1 and s.store_id = $2 and s.sequences = int8range($3, $3, '[]'))",
            &[&node, &store, &signed(sample.sequence), &reason, &json, &now],
        )
        .await?;
    Ok(())
}

/// Intake has refused numbers that do not fit.
fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX - 1)
}
