//! What was measured of a resource.

use headroom_core::unit::Resource;
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};

/// One value with the limit at that time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// When.
    pub(crate) at: Timestamp,
    /// The value.
    pub(crate) used: f64,
    /// The limit.
    pub(crate) limit: Option<f64>,
}

/// Days of history up to which single samples are drawn instead of days.
const SAMPLES_UP_TO_DAYS: f64 = 14.0;

/// What was measured of a resource: the daily values that the forecast is asked with, and of a young component the
/// samples themselves, at most about 800.
pub(crate) async fn history(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
    as_of: Timestamp,
) -> Result<Vec<Point>, Error> {
    let age: Option<f64> = client
        .query_one(
            "select (extract(epoch from max(at) - min(at)) / 86400)::double precision from fleet.status where component_id = $1",
            &[&component],
        )
        .await?
        .get(0);
    let Some(age) = age else { return Ok(Vec::new()) };
    if age <= SAMPLES_UP_TO_DAYS {
        return samples(client, component, resource, age).await;
    }
    let row = client
        .query_opt(
            "select at, used, limits from fleet.daily_history($1, array[$2::bigint]) where resource = $3",
            &[&as_of, &component, &resource.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let (at, used, limits): (Vec<Timestamp>, Vec<f64>, Vec<Option<f64>>) =
        (row.get(0), row.get(1), row.get(2));
    Ok(at.into_iter().zip(used).zip(limits).map(|((at, used), limit)| Point { at, used, limit }).collect())
}

async fn samples(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
    age_days: f64,
) -> Result<Vec<Point>, Error> {
    let (value, limit) = match resource {
        Resource::Capacity => ("used_bytes", "capacity_bytes"),
        Resource::Load => ("utilisation", "0.8"),
        Resource::Endurance => ("endurance_used_percent / 100.0", "1"),
        Resource::Inodes => ("inodes_used", "nullif(inodes_total, 0)"),
        Resource::ThinMetadata => ("metadata_used_bytes", "metadata_capacity_bytes"),
    };
    // The last of each stretch of time, so that the newest sample is always among them.
    let statement = format!(
        "select distinct on (stretch) at, used, resource_limit
           from (select at, ({value})::double precision as used, ({limit})::double precision as resource_limit,
                        floor(extract(epoch from at) / $2::double precision) as stretch
                   from fleet.status where component_id = $1 and ({value}) is not null) s
          order by stretch, at desc"
    );
    let seconds = (age_days * 86_400.0 / 800.0).max(1.0);
    let rows = client.query(&statement, &[&component, &seconds]).await?;
    Ok(rows.iter().map(|row| Point { at: row.get(0), used: row.get(1), limit: row.get(2) }).collect())
}
