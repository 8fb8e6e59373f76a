//! Rows of `fleet.status`: one a component and moment, idempotent by that key.

use std::sync::LazyLock;

use headroom_core::unit::{CapacitySource, Sample, Status};
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// A column with the figure of a status that goes there.
type Figure<T> = (&'static str, fn(&Status) -> Option<T>);

/// Whole numbers of a status, by their column. Intake has refused what does not fit.
const WHOLE: &[Figure<i64>] = &[
    ("capacity_bytes", |s| signed(s.capacity_bytes.map(|bytes| bytes.0))),
    ("used_bytes", |s| signed(s.used_bytes.map(|bytes| bytes.0))),
    ("inodes_total", |s| signed(s.inodes_total)),
    ("inodes_used", |s| signed(s.inodes_used)),
    ("metadata_capacity_bytes", |s| signed(s.metadata_capacity_bytes.map(|bytes| bytes.0))),
    ("metadata_used_bytes", |s| signed(s.metadata_used_bytes.map(|bytes| bytes.0))),
    ("read_ops", |s| signed(s.read_ops)),
    ("write_ops", |s| signed(s.write_ops)),
    ("read_bytes", |s| signed(s.read_bytes.map(|bytes| bytes.0))),
    ("write_bytes", |s| signed(s.write_bytes.map(|bytes| bytes.0))),
    ("busy_milliseconds", |s| signed(s.busy_milliseconds)),
    ("queue_milliseconds", |s| signed(s.queue_milliseconds)),
    ("temperature_celsius", |s| s.temperature_celsius.map(i64::from)),
    ("endurance_used_percent", |s| s.endurance_used_percent.map(i64::from)),
    ("spare_percent", |s| s.spare_percent.map(i64::from)),
    ("data_read_bytes", |s| signed(s.data_read_bytes)),
    ("data_written_bytes", |s| signed(s.data_written_bytes)),
    ("power_on_hours", |s| signed(s.power_on_hours)),
    ("media_errors", |s| signed(s.media_errors)),
    ("critical_warning", |s| s.critical_warning.map(i64::from)),
];

/// Ratios and means of a status, by their column.
const REAL: &[Figure<f64>] = &[("utilisation", |s| s.utilisation), ("queue_depth", |s| s.queue_depth)];

fn signed(value: Option<u64>) -> Option<i64> {
    value.and_then(|value| i64::try_from(value).ok())
}

/// The name of a source in SQL and JSON.
fn source_name(source: CapacitySource) -> &'static str {
    match source {
        CapacitySource::FileSystem => "file_system",
        CapacitySource::Lvm => "lvm",
        CapacitySource::Zfs => "zfs",
        CapacitySource::ArrayPool => "array_pool",
        CapacitySource::ScsiLogPage0c => "scsi_log_page0c",
        CapacitySource::NvmeNuse => "nvme_nuse",
    }
}

/// One statement for any number of rows: an array for each column.
static INSERT: LazyLock<String> = LazyLock::new(|| format!("{} do nothing", *INTO));

/// The same, where figures of one moment come one after the other: what is told is added to what is there.
static MERGE: LazyLock<String> = LazyLock::new(|| {
    let figures = WHOLE.iter().map(|(name, _)| *name).chain(REAL.iter().map(|(name, _)| *name));
    let added: Vec<String> = std::iter::once("used_source")
        .chain(figures)
        .map(|name| format!("{name} = coalesce(excluded.{name}, s.{name})"))
        .collect();
    format!("{} do update set {}", *INTO, added.join(", "))
});

static INTO: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<&str> = ["component_id", "at", "boot", "used_source"]
        .into_iter()
        .chain(WHOLE.iter().map(|(name, _)| *name))
        .chain(REAL.iter().map(|(name, _)| *name))
        .collect();
    let kinds = ["bigint", "timestamptz", "uuid", "text"]
        .into_iter()
        .chain(WHOLE.iter().map(|_| "bigint"))
        .chain(REAL.iter().map(|_| "double precision"));
    let arrays: Vec<String> =
        kinds.enumerate().map(|(index, kind)| format!("${}::{kind}[]", index + 1)).collect();
    format!(
        "insert into fleet.status as s ({names}) select * from unnest({arrays}) on conflict (component_id, at)",
        names = names.join(", "),
        arrays = arrays.join(", ")
    )
});

/// Writes samples; `ids` has each one's component. Gives the number of rows that were not there before.
pub(crate) async fn insert(
    client: &impl GenericClient,
    ids: &[i64],
    samples: &[Sample],
) -> Result<u64, Error> {
    write(client, &INSERT, ids, samples).await
}

/// The same for senders that tell the figures of one moment in several requests. Gives the number of rows written.
pub(crate) async fn merge(
    client: &impl GenericClient,
    ids: &[i64],
    samples: &[Sample],
) -> Result<u64, Error> {
    write(client, &MERGE, ids, samples).await
}

async fn write(
    client: &impl GenericClient,
    statement: &str,
    ids: &[i64],
    samples: &[Sample],
) -> Result<u64, Error> {
    debug_assert_eq!(ids.len(), samples.len());
    if samples.is_empty() {
        return Ok(0);
    }
    let at: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    let boot: Vec<Uuid> = samples.iter().map(|sample| sample.boot).collect();
    let source: Vec<Option<&str>> =
        samples.iter().map(|sample| sample.status.used_source.map(source_name)).collect();
    let whole: Vec<Vec<Option<i64>>> =
        WHOLE.iter().map(|(_, get)| samples.iter().map(|sample| get(&sample.status)).collect()).collect();
    let real: Vec<Vec<Option<f64>>> =
        REAL.iter().map(|(_, get)| samples.iter().map(|sample| get(&sample.status)).collect()).collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&ids, &at, &boot, &source];
    parameters.extend(whole.iter().map(|column| column as &(dyn ToSql + Sync)));
    parameters.extend(real.iter().map(|column| column as &(dyn ToSql + Sync)));
    client.execute(statement, &parameters).await
}

/// Notes the newest status of each component, so that its loss can be seen.
pub(crate) async fn note_newest(
    client: &impl GenericClient,
    ids: &[i64],
    samples: &[Sample],
) -> Result<(), Error> {
    if samples.is_empty() {
        return Ok(());
    }
    let at: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    client
        .execute(
            "update fleet.components c set status_until = t.at
               from (select id, max(at) as at from unnest($1::bigint[], $2::timestamptz[]) as t (id, at) group by id) t
              where c.component_id = t.id and (c.status_until is null or c.status_until < t.at)",
            &[&ids, &at],
        )
        .await?;
    Ok(())
}

/// Whether a component of this node had status and has none any more. Then what was acknowledged is forgotten, so that
/// everything is read again.
pub(crate) async fn forget_what_is_gone(client: &impl GenericClient, node: Uuid) -> Result<bool, Error> {
    // One probe of the index a component: the scalar subquery keeps the planner from reading the whole series.
    let row = client
        .query_one(
            "with bereft as (
                update fleet.components c set status_until = null
                  from fleet.units u
                 where u.unit_id = c.unit_id and u.node_id = $1 and c.status_until is not null and c.gone_at is null
                   and (select s.at from fleet.status s where s.component_id = c.component_id order by s.at desc limit 1) is null
                returning 1),
             forgotten as (
                delete from fleet.acknowledged_ranges where node_id = $1 and exists (select from bereft))
             select exists (select from bereft)",
            &[&node],
        )
        .await?;
    Ok(row.get(0))
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;
    use headroom_core::unit::{CapacitySource, Status};

    use super::{REAL, WHOLE, source_name};

    /// A figure that core adds and the hub forgets would be lost in silence.
    #[test]
    fn every_field_of_status_has_a_column() {
        let full = Status {
            capacity_bytes: Some(Bytes(1)),
            used_bytes: Some(Bytes(1)),
            used_source: Some(CapacitySource::Lvm),
            inodes_total: Some(1),
            inodes_used: Some(1),
            metadata_capacity_bytes: Some(Bytes(1)),
            metadata_used_bytes: Some(Bytes(1)),
            read_ops: Some(1),
            write_ops: Some(1),
            read_bytes: Some(Bytes(1)),
            write_bytes: Some(Bytes(1)),
            busy_milliseconds: Some(1),
            queue_milliseconds: Some(1),
            utilisation: Some(1.0),
            queue_depth: Some(1.0),
            temperature_celsius: Some(1),
            endurance_used_percent: Some(1),
            spare_percent: Some(1),
            data_read_bytes: Some(1),
            data_written_bytes: Some(1),
            power_on_hours: Some(1),
            media_errors: Some(1),
            critical_warning: Some(1),
        };
        let json = serde_json::to_value(&full).expect("json");
        let fields: Vec<&String> = json.as_object().expect("an object").keys().collect();
        for field in &fields {
            let known = WHOLE.iter().any(|(name, get)| name == field && get(&full) == Some(1))
                || REAL.iter().any(|(name, get)| name == field && get(&full) == Some(1.0))
                || *field == "used_source";
            assert!(known, "{field} has no column");
        }
        assert_eq!(fields.len(), WHOLE.len() + REAL.len() + 1);
    }

    #[test]
    fn sources_are_called_in_sql_as_in_json() {
        for source in [
            CapacitySource::FileSystem,
            CapacitySource::Lvm,
            CapacitySource::Zfs,
            CapacitySource::ArrayPool,
            CapacitySource::ScsiLogPage0c,
            CapacitySource::NvmeNuse,
        ] {
            assert_eq!(serde_json::to_value(source).expect("json"), source_name(source));
        }
    }
}
