//! What is forecast for the unit now, and what earlier runs said.

use headroom_core::forecast::{Factor, FanPoint, State};
use headroom_core::unit::Resource;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::{Error, GenericClient, Row};

/// The current forecast of one resource of one component.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ForecastRow {
    /// Which component.
    pub(crate) component_id: i64,
    /// The name its owner knows it by.
    pub(crate) component: Option<String>,
    /// Its kind.
    pub(crate) component_kind: String,
    /// What runs out.
    pub(crate) resource: Resource,
    /// What the forecast says.
    pub(crate) state: State,
    /// Why, for machines.
    pub(crate) reason_code: String,
    /// Why, for people.
    pub(crate) reason: String,
    /// Exhausted before this date with a probability of 10 %.
    pub(crate) p10: Option<Timestamp>,
    /// Median.
    pub(crate) p50: Option<Timestamp>,
    /// Exhausted before this date with a probability of 90 %.
    pub(crate) p90: Option<Timestamp>,
    /// Last value: bytes, ratio or count.
    pub(crate) last_used: Option<f64>,
    /// The limit, in the same unit.
    pub(crate) resource_limit: Option<f64>,
    /// First observation used.
    pub(crate) data_from: Option<Timestamp>,
    /// Last observation used.
    pub(crate) data_until: Option<Timestamp>,
    /// Observations used.
    pub(crate) samples: i64,
    /// Observations that were not believed.
    pub(crate) set_aside: i64,
    /// Model and version of its constants.
    pub(crate) model: String,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
}

/// A unit's current forecasts, what binds first at the head.
pub(crate) async fn forecasts(client: &impl GenericClient, unit: i64) -> Result<Vec<ForecastRow>, Error> {
    let rows = client
        .query(
            "select f.component_id, k.label, k.kind, f.resource, f.state, f.reason_code, f.reason, f.p10, f.p50, f.p90,
                    f.last_used, f.resource_limit, f.data_from, f.data_until, f.samples, f.set_aside, f.model, f.as_of
               from fleet.components k
               join fleet.forecasts f using (component_id)
               join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
              where k.unit_id = $1 and k.gone_at is null
              order by f.state = 'already_exhausted' desc, f.p10 nulls last, f.p50 nulls last,
                       f.resource = 'capacity' desc, f.resource_limit desc nulls last, f.component_id, f.resource",
            &[&unit],
        )
        .await?;
    Ok(rows.iter().filter_map(forecast).collect())
}

/// `None` where a name is none of this version's: a later version has written it.
fn forecast(row: &Row) -> Option<ForecastRow> {
    Some(ForecastRow {
        component_id: row.get(0),
        component: row.get(1),
        component_kind: row.get(2),
        resource: row.get::<_, &str>(3).parse().ok()?,
        state: row.get::<_, &str>(4).parse().ok()?,
        reason_code: row.get(5),
        reason: row.get(6),
        p10: row.get(7),
        p50: row.get(8),
        p90: row.get(9),
        last_used: row.get(10),
        resource_limit: row.get(11),
        data_from: row.get(12),
        data_until: row.get(13),
        samples: row.get(14),
        set_aside: row.get(15),
        model: row.get(16),
        as_of: row.get(17),
    })
}

/// The parts of a forecast that only its own page and REST show.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Detail {
    /// Quantiles of the value over time.
    pub(crate) fan: Vec<FanPoint>,
    /// What moves the date.
    pub(crate) why: Vec<Factor>,
    /// Probability of exhaustion by time.
    pub(crate) passage: serde_json::Value,
}

/// Fan, why and distribution of a current forecast.
pub(crate) async fn detail(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
) -> Result<Detail, Error> {
    let row = client
        .query_opt(
            "select f.fan, f.why, f.passage from fleet.forecasts f
               join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
              where f.component_id = $1 and f.resource = $2",
            &[&component, &resource.as_str()],
        )
        .await?;
    Ok(row.map_or_else(Detail::default, |row| Detail {
        fan: list(row.get(0)),
        why: list(row.get(1)),
        passage: row.get(2),
    }))
}

/// The entries that this version understands.
fn list<T: DeserializeOwned>(json: serde_json::Value) -> Vec<T> {
    match json {
        serde_json::Value::Array(entries) => {
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// What an earlier run said of a resource.
#[derive(Debug, Clone)]
pub(crate) struct EarlierForecast {
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// What it said.
    pub(crate) state: Option<State>,
    /// The three dates.
    pub(crate) dates: [Option<Timestamp>; 3],
}

/// What earlier runs said, the newest first: of each day the last one, at most ten.
pub(crate) async fn earlier(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
) -> Result<Vec<EarlierForecast>, Error> {
    let rows = client
        .query(
            "select as_of, state, p10, p50, p90 from (
                select distinct on (date_trunc('day', f.as_of)) f.as_of, f.state, f.p10, f.p50, f.p90
                  from fleet.forecasts f join fleet.forecast_runs r using (run_id)
                 where f.component_id = $1 and f.resource = $2 and r.published_at is not null and not r.is_current
                 order by date_trunc('day', f.as_of) desc, f.as_of desc limit 10) newest
              order by as_of desc",
            &[&component, &resource.as_str()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| EarlierForecast {
            as_of: row.get(0),
            state: row.get::<_, &str>(1).parse().ok(),
            dates: [row.get(2), row.get(3), row.get(4)],
        })
        .collect())
}
