//! Rows of `fleet.status`: one a component and moment, idempotent by that key.

use std::sync::LazyLock;

use deadpool_postgres::GenericClient as Cached;
use headroom_core::unit::{CapacitySource, FIGURES, Figure, Number, Sample};
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// Figures that count, then those that are ratios or means: the order of the columns.
fn whole() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| figure.is_whole)
}

fn real() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| !figure.is_whole)
}

/// One statement for any number of rows: an array for each column.
static INSERT: LazyLock<String> = LazyLock::new(|| format!("{} do nothing", *INTO));

/// The same, where figures of one moment come one after the other: what is told is added to what is there.
static MERGE: LazyLock<String> = LazyLock::new(|| {
    let added: Vec<String> = std::iter::once("used_source")
        .chain(FIGURES.iter().map(|figure| figure.name))
        .map(|name| format!("{name} = coalesce(excluded.{name}, s.{name})"))
        .collect();
    format!("{} do update set {}", *INTO, added.join(", "))
});

static INTO: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<&str> = ["component_id", "at", "boot", "used_source"]
        .into_iter()
        .chain(whole().chain(real()).map(|figure| figure.name))
        .collect();
    let kinds = ["bigint", "timestamptz", "uuid", "text"]
        .into_iter()
        .chain(whole().map(|_| "bigint"))
        .chain(real().map(|_| "double precision"));
    let arrays: Vec<String> =
        kinds.enumerate().map(|(index, kind)| format!("${}::{kind}[]", index + 1)).collect();
    format!(
        "insert into fleet.status as s ({names}) select * from unnest({arrays}) on conflict (component_id, at)",
        names = names.join(", "),
        arrays = arrays.join(", ")
    )
});

/// Writes samples; `ids` has each one's component. Gives the number of rows that were not there before.
pub(crate) async fn insert(client: &impl Cached, ids: &[i64], samples: &[Sample]) -> Result<u64, Error> {
    write(client, &INSERT, ids, samples).await
}

/// The same for senders that tell the figures of one moment in several requests. Gives the number of rows written.
pub(crate) async fn merge(client: &impl Cached, ids: &[i64], samples: &[Sample]) -> Result<u64, Error> {
    write(client, &MERGE, ids, samples).await
}

async fn write(client: &impl Cached, statement: &str, ids: &[i64], samples: &[Sample]) -> Result<u64, Error> {
    debug_assert_eq!(ids.len(), samples.len());
    if samples.is_empty() {
        return Ok(0);
    }
    let at: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    let boot: Vec<Uuid> = samples.iter().map(|sample| sample.boot).collect();
    let source: Vec<Option<&str>> =
        samples.iter().map(|sample| sample.status.used_source.map(CapacitySource::as_str)).collect();
    // Intake has refused what does not fit.
    let whole: Vec<Vec<Option<i64>>> = whole().map(|figure| column(samples, figure, signed)).collect();
    let real: Vec<Vec<Option<f64>>> =
        real().map(|figure| column(samples, figure, |value| Some(value.to_f64()))).collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&ids, &at, &boot, &source];
    parameters.extend(whole.iter().map(|column| column as &(dyn ToSql + Sync)));
    parameters.extend(real.iter().map(|column| column as &(dyn ToSql + Sync)));
    let statement = client.prepare_cached(statement).await?;
    client.execute(&statement, &parameters).await
}

fn column<T>(samples: &[Sample], figure: &Figure, get: fn(Number) -> Option<T>) -> Vec<Option<T>> {
    samples.iter().map(|sample| figure.of(&sample.status).and_then(get)).collect()
}

fn signed(value: Number) -> Option<i64> {
    match value {
        Number::Whole(whole) => i64::try_from(whole).ok(),
        Number::Real(_) => None,
    }
}

/// Notes the newest status of each component, so that its loss can be seen.
pub(crate) async fn note_newest(client: &impl Cached, ids: &[i64], samples: &[Sample]) -> Result<(), Error> {
    if samples.is_empty() {
        return Ok(());
    }
    let at: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    let statement = client
        .prepare_cached(
            "update fleet.components c set status_until = t.at
               from (select id, max(at) as at from unnest($1::bigint[], $2::timestamptz[]) as t (id, at) group by id) t
              where c.component_id = t.id and (c.status_until is null or c.status_until < t.at)",
        )
        .await?;
    client.execute(&statement, &[&ids, &at]).await?;
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
