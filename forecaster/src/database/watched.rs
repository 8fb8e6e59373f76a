//! What senders of series (Prometheus, OpenTelemetry) leave between two requests, and what a person mapped.

use headroom_core::unit::Consent;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// A value that waits for its counterpart, or the last reading of a counter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptPart {
    /// Which component.
    pub(crate) component: String,
    /// Which part, as in SQL.
    pub(crate) part: String,
    /// When it was measured.
    pub(crate) at: Timestamp,
    /// The value.
    pub(crate) value: f64,
}

/// A mapping as SQL has it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MappingRow {
    /// Name of the series.
    pub(crate) metric: String,
    /// Kind of component.
    pub(crate) kind: String,
    /// The label that names the component.
    pub(crate) label: String,
    /// Which figure.
    pub(crate) field: String,
    /// Value times this is the figure.
    pub(crate) factor: f64,
}

/// A name that nothing maps.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Unmatched {
    /// Which sender.
    pub(crate) node: Uuid,
    /// Name of the series.
    pub(crate) metric: String,
    /// The labels of one of them.
    pub(crate) labels: serde_json::Value,
    /// Most series of that name in one request.
    pub(crate) series: i64,
    /// Last seen.
    pub(crate) seen_at: Timestamp,
}

/// Notes that a sender was heard, with what its owner grants, and locks its row: two requests of one sender take turns.
pub(crate) async fn heard(
    client: &impl GenericClient,
    node: Uuid,
    software: &str,
    consent: Consent,
    now: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "update fleet.nodes
                set software = $2, seen_at = $3, consent_support = $4, consent_advice = $5, consent_sales = $6,
                    failure = null, failed_at = null
              where node_id = $1",
            &[&node, &software, &now, &consent.support, &consent.advice, &consent.sales],
        )
        .await?;
    Ok(())
}

/// What people mapped.
pub(crate) async fn mappings(client: &impl GenericClient) -> Result<Vec<MappingRow>, Error> {
    let rows = client
        .query("select metric, kind, label, field, factor from fleet.metric_mappings order by metric", &[])
        .await?;
    Ok(rows
        .iter()
        .map(|row| MappingRow {
            metric: row.get(0),
            kind: row.get(1),
            label: row.get(2),
            field: row.get(3),
            factor: row.get(4),
        })
        .collect())
}

/// Maps a name; what it was mapped to before counts no more. It is unmatched no longer.
pub(crate) async fn map(client: &impl GenericClient, mapping: &MappingRow) -> Result<(), Error> {
    let MappingRow { metric, kind, label, field, factor } = mapping;
    client
        .execute(
            "with matched as (delete from fleet.unmatched_metrics where metric = $1)
             insert into fleet.metric_mappings (metric, kind, label, field, factor) values ($1, $2, $3, $4, $5)
             on conflict (metric) do update set kind = excluded.kind, label = excluded.label, field = excluded.field,
                factor = excluded.factor",
            &[metric, kind, label, field, factor],
        )
        .await?;
    Ok(())
}

/// Takes a mapping back. False where there is none.
pub(crate) async fn unmap(client: &impl GenericClient, metric: &str) -> Result<bool, Error> {
    let gone = client.execute("delete from fleet.metric_mappings where metric = $1", &[&metric]).await?;
    Ok(gone > 0)
}

/// Notes names that nothing maps: metric, labels of one series, number of series.
pub(crate) async fn note_unmatched(
    client: &impl GenericClient,
    node: Uuid,
    names: &[(String, serde_json::Value, i64)],
    now: Timestamp,
) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let metrics: Vec<&str> = names.iter().map(|(metric, ..)| metric.as_str()).collect();
    let labels: Vec<&serde_json::Value> = names.iter().map(|(_, labels, _)| labels).collect();
    let series: Vec<i64> = names.iter().map(|(.., series)| *series).collect();
    client
        .execute(
            "insert into fleet.unmatched_metrics as u (node_id, metric, labels, series, seen_at)
             select $1, t.metric, t.labels, t.series, $5 from unnest($2::text[], $3::jsonb[], $4::bigint[]) as t (metric, labels, series)
             on conflict (node_id, metric) do update
                set labels = excluded.labels, series = greatest(u.series, excluded.series), seen_at = excluded.seen_at",
            &[&node, &metrics, &labels, &series, &now],
        )
        .await?;
    Ok(())
}

/// The names that nothing maps, of one sender or of all.
pub(crate) async fn unmatched(
    client: &impl GenericClient,
    node: Option<Uuid>,
) -> Result<Vec<Unmatched>, Error> {
    let rows = client
        .query(
            "select node_id, metric, labels, series, seen_at from fleet.unmatched_metrics
              where $1::uuid is null or node_id = $1 order by metric, node_id",
            &[&node],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Unmatched {
            node: row.get(0),
            metric: row.get(1),
            labels: row.get(2),
            series: row.get(3),
            seen_at: row.get(4),
        })
        .collect())
}

/// Takes what waits for these components: it is there no more, and what waits still is kept anew.
pub(crate) async fn take_parts(
    client: &impl GenericClient,
    node: Uuid,
    components: &[&str],
) -> Result<Vec<KeptPart>, Error> {
    let rows = client
        .query(
            "delete from fleet.watched_parts where node_id = $1 and component_key = any ($2)
             returning component_key, part, at, value",
            &[&node, &components],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| KeptPart { component: row.get(0), part: row.get(1), at: row.get(2), value: row.get(3) })
        .collect())
}

/// Keeps what waits.
pub(crate) async fn keep_parts(
    client: &impl GenericClient,
    node: Uuid,
    parts: &[KeptPart],
) -> Result<(), Error> {
    let components: Vec<&str> = parts.iter().map(|part| part.component.as_str()).collect();
    let names: Vec<&str> = parts.iter().map(|part| part.part.as_str()).collect();
    let at: Vec<Timestamp> = parts.iter().map(|part| part.at).collect();
    let values: Vec<f64> = parts.iter().map(|part| part.value).collect();
    client
        .execute(
            "insert into fleet.watched_parts (node_id, component_key, part, at, value)
             select $1, t.* from unnest($2::text[], $3::text[], $4::timestamptz[], $5::double precision[]) as t
             on conflict (node_id, component_key, part, at) do update set value = excluded.value",
            &[&node, &components, &names, &at, &values],
        )
        .await?;
    Ok(())
}

/// Specifications of a sender's components, by their key.
pub(crate) async fn specs(
    client: &impl GenericClient,
    node: Uuid,
) -> Result<Vec<(String, serde_json::Value)>, Error> {
    let rows = client
        .query(
            "select c.node_key, c.specs from fleet.units u join fleet.components c using (unit_id) where u.node_id = $1",
            &[&node],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Forgets values whose counterpart did not come in a day, and names that were not seen for thirty.
pub(crate) async fn forget_old(client: &impl GenericClient, now: Timestamp) -> Result<u64, Error> {
    client
        .execute(
            "with names as (delete from fleet.unmatched_metrics where seen_at < $1::timestamptz - interval '30 days')
             delete from fleet.watched_parts where part <> 'busy' and at < $1::timestamptz - interval '1 day'",
            &[&now],
        )
        .await
}
