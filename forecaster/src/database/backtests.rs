//! Past forecasts judged by what came.

use headroom_core::forecast::{BacktestCase, Outcome};
use headroom_core::unit::Resource;
use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient};

/// An earlier origin of a component's resource with its outcome.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    /// Which component.
    pub(crate) component: i64,
    /// Which resource.
    pub(crate) resource: Resource,
    /// What was said, and what came.
    pub(crate) case: BacktestCase,
}

/// Origins of these components whose outcome is settled: reached, or judged to the end.
pub(crate) async fn settled(
    client: &impl GenericClient,
    components: &[i64],
    model: &str,
    judged_days: i32,
) -> Result<Vec<(i64, String, Timestamp)>, Error> {
    let rows = client
        .query(
            "select component_id, resource, origin from fleet.backtests
              where component_id = any ($1) and model = $2
                and (true_days is not null or judged_until >= origin + make_interval(days => $3))",
            &[&components, &model, &judged_days],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Writes judged origins in place of what was known of them.
pub(crate) async fn write(client: &impl GenericClient, judged: &[Judged]) -> Result<(), Error> {
    if judged.is_empty() {
        return Ok(());
    }
    let component: Vec<i64> = judged.iter().map(|one| one.component).collect();
    let resource: Vec<&str> = judged.iter().map(|one| one.resource.as_str()).collect();
    let origin: Vec<Timestamp> = judged.iter().map(|one| one.case.origin).collect();
    let limit: Vec<f64> = judged.iter().map(|one| one.case.limit).collect();
    let until: Vec<Timestamp> = judged.iter().map(|one| one.case.judged_until).collect();
    let [p10, p50, p90] = [0, 1, 2]
        .map(|index| judged.iter().map(|one| one.case.quantiles[index]).collect::<Vec<Option<f64>>>());
    let truth: Vec<Option<f64>> = judged.iter().map(|one| one.case.true_days).collect();
    let drift: Vec<Option<f64>> = judged.iter().map(|one| one.case.drift_days).collect();
    let model: Vec<&str> = judged.iter().map(|one| one.case.model.as_str()).collect();
    client
        .execute(
            "delete from fleet.backtests b using unnest($1::bigint[], $2::text[], $3::timestamptz[]) as g (component_id, resource, origin)
              where b.component_id = g.component_id and b.resource = g.resource and b.origin = g.origin",
            &[&component, &resource, &origin],
        )
        .await?;
    client
        .execute(
            "insert into fleet.backtests (component_id, resource, origin, question_limit, judged_until, p10_days, p50_days,
                    p90_days, true_days, drift_days, model)
             select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::float8[], $5::timestamptz[], $6::float8[],
                    $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::text[])",
            &[&component, &resource, &origin, &limit, &until, &p10, &p50, &p90, &truth, &drift, &model],
        )
        .await?;
    Ok(())
}

/// Most outcomes that are looked at: the newest say how the model does now, and more do not move a tail of 10 %.
const OUTCOMES_MAX: i64 = 20_000;

/// Outcomes of origins whose whole year had passed at `known_by`: nothing that came later is used, and what came early is
/// not preferred to what came late.
pub(crate) async fn outcomes(
    client: &impl GenericClient,
    known_by: Timestamp,
    judged_days: i32,
) -> Result<Vec<Outcome>, Error> {
    let rows = client
        .query(
            "select model, p10_days, p50_days, p90_days, true_days from fleet.backtests
              where origin + make_interval(days => $2) <= $1
                and (true_days is not null or judged_until >= origin + make_interval(days => $2))
              order by origin desc, component_id, resource limit $3",
            &[&known_by, &judged_days, &OUTCOMES_MAX],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Outcome {
            model: row.get(0),
            quantiles: [row.get(1), row.get(2), row.get(3)],
            true_days: row.get(4),
        })
        .collect())
}
