//! Past forecasts judged by what came.

use headroom_core::unit::Resource;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// How past forecasts came out.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Accuracy {
    /// Forecasts that can be judged.
    pub(crate) judged: i64,
    /// Share of true dates inside P10–P90.
    pub(crate) coverage80: Option<f64>,
    /// Share that came before P10.
    pub(crate) too_early: Option<f64>,
    /// Share that came after P90.
    pub(crate) too_late: Option<f64>,
    /// Median of the relative error of P50, where the limit was reached.
    pub(crate) median_error: Option<f64>,
    /// Skill against the straight line: 1 is perfect, 0 no better.
    pub(crate) skill: Option<f64>,
}

/// Of one unit, or of all that are visible.
pub(crate) async fn accuracy(client: &impl GenericClient, unit: Option<i64>) -> Result<Accuracy, Error> {
    let row = client
        .query_opt(
            "select judged, coverage80, too_early, too_late, median_error, skill from fleet.accuracy($1)",
            &[&unit],
        )
        .await?;
    Ok(row.map_or_else(Accuracy::default, |row| Accuracy {
        judged: row.get(0),
        coverage80: row.get(1),
        too_early: row.get(2),
        too_late: row.get(3),
        median_error: row.get(4),
        skill: row.get(5),
    }))
}

/// One forecast from the past, with what came.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The moment from which it was forecast.
    pub(crate) origin: Timestamp,
    /// The limit that was asked about.
    pub(crate) limit: f64,
    /// P10, P50, P90, days after the origin; `None` beyond the horizon.
    pub(crate) days: [Option<f64>; 3],
    /// When it was reached; `None` where it was not.
    pub(crate) true_days: Option<f64>,
    /// Until when that is known.
    pub(crate) judged_until: Timestamp,
}

/// The newest judged forecasts of a resource, at most twelve.
pub(crate) async fn cases(
    client: &impl GenericClient,
    component: i64,
    resource: Resource,
) -> Result<Vec<Case>, Error> {
    let rows = client
        .query(
            "select origin, question_limit, p10_days, p50_days, p90_days, true_days, judged_until
               from fleet.backtests where component_id = $1 and resource = $2
              order by origin desc, question_limit limit 12",
            &[&component, &resource.as_str()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Case {
            origin: row.get(0),
            limit: row.get(1),
            days: [row.get(2), row.get(3), row.get(4)],
            true_days: row.get(5),
            judged_until: row.get(6),
        })
        .collect())
}

/// How forecasts came out by how far ahead the true date lay.
#[derive(Debug, Clone)]
pub(crate) struct Horizon {
    /// From so many days on.
    pub(crate) from_days: i32,
    /// Below so many days; `None` for the last group.
    pub(crate) below_days: Option<i32>,
    /// Forecasts.
    pub(crate) judged: i64,
    /// Share inside P10–P90.
    pub(crate) coverage80: Option<f64>,
    /// Median relative error of P50.
    pub(crate) median_error: Option<f64>,
    /// The same of the straight line.
    pub(crate) drift_error: Option<f64>,
}

/// By the true distance, where the limit was reached.
pub(crate) async fn by_horizon(client: &impl GenericClient) -> Result<Vec<Horizon>, Error> {
    let rows = client
        .query(
            "with reached as (
                select true_days, extract(epoch from judged_until - origin)::double precision / 86400 as known,
                       p10_days, p50_days, p90_days, drift_days from fleet.backtests where true_days is not null)
             select g.low, g.high, count(true_days),
                    avg((true_days >= coalesce(p10_days, known) and true_days <= coalesce(p90_days, known))::int)::double precision,
                    percentile_cont(0.5) within group (
                        order by abs(least(coalesce(p50_days, known), known) - true_days) / greatest(true_days, 1)),
                    percentile_cont(0.5) within group (
                        order by abs(least(coalesce(drift_days, known), known) - true_days) / greatest(true_days, 1))
               from (values (0, 30), (30, 90), (90, 180), (180, 365), (365, null)) as g (low, high)
               left join reached on true_days >= g.low and (g.high is null or true_days < g.high)
              group by g.low, g.high order by g.low",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Horizon {
            from_days: row.get(0),
            below_days: row.get(1),
            judged: row.get(2),
            coverage80: row.get(3),
            median_error: row.get(4),
            drift_error: row.get(5),
        })
        .collect())
}

/// How the forecasts of one resource came out.
#[derive(Debug, Clone)]
pub(crate) struct OfResource {
    /// Which resource.
    pub(crate) resource: String,
    /// Model and version of its constants.
    pub(crate) model: String,
    /// Components with judged forecasts.
    pub(crate) components: i64,
    /// Forecasts.
    pub(crate) judged: i64,
    /// Whose limit was reached.
    pub(crate) reached: i64,
    /// First and last origin.
    pub(crate) origins: (Timestamp, Timestamp),
}

/// What was judged, by resource and model.
pub(crate) async fn by_resource(client: &impl GenericClient) -> Result<Vec<OfResource>, Error> {
    let rows = client
        .query(
            "select resource, model, count(distinct component_id), count(*), count(true_days), min(origin), max(origin)
               from fleet.backtests group by resource, model order by count(*) desc, resource, model",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| OfResource {
            resource: row.get(0),
            model: row.get(1),
            components: row.get(2),
            judged: row.get(3),
            reached: row.get(4),
            origins: (row.get(5), row.get(6)),
        })
        .collect())
}
