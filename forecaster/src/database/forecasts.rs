//! Forecasts of a run: written in arrays, read back for whoever asks.

use headroom_core::forecast::{Factor, FanPoint, Forecast, Passage, Pooled, Reason};
use serde::Serialize;
use tokio_postgres::types::Json;
use tokio_postgres::{Error, GenericClient, Row, Transaction};

use super::runs::Range;

/// A forecast that was made, with whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    /// Of which component.
    pub(crate) component: i64,
    /// What it says.
    pub(crate) forecast: Forecast,
    /// What it borrowed from units alike.
    pub(crate) pooled: Option<Pooled>,
}

/// A stored forecast with whose it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Stored {
    /// Of which unit.
    pub(crate) unit_id: i64,
    /// Of which component.
    pub(crate) component_id: i64,
    /// What it says.
    #[serde(flatten)]
    pub(crate) forecast: Forecast,
}

// Arrays and not COPY, which PostgreSQL refuses under row-level security.
const INSERT: &str = "
    insert into fleet.forecasts (run_id, component_id, resource, state, reason_code, reason, p10, p50, p90, as_of, model,
        data_from, data_until, last_used, resource_limit, samples, set_aside, passage, fan, why, pooled)
    select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::timestamptz[], $13::timestamptz[],
        $14::float8[], $15::float8[], $16::bigint[], $17::bigint[], $18::jsonb[], $19::jsonb[], $20::jsonb[], $21::jsonb[])";

/// Writes forecasts.
pub(crate) async fn write(transaction: &Transaction<'_>, run: i64, forecasts: &[Made]) -> Result<u64, Error> {
    if forecasts.is_empty() {
        return Ok(0);
    }
    fn column<'a, T>(forecasts: &'a [Made], get: impl Fn(&'a Forecast) -> T) -> Vec<T> {
        forecasts.iter().map(|made| get(&made.forecast)).collect()
    }
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let component: Vec<i64> = forecasts.iter().map(|made| made.component).collect();
    let pooled: Vec<_> = forecasts.iter().map(|made| made.pooled.as_ref().map(Json)).collect();
    transaction
        .execute(
            INSERT,
            &[
                &run,
                &component,
                &column(forecasts, |f| f.resource.as_str()),
                &column(forecasts, |f| f.state.as_str()),
                &column(forecasts, |f| f.reason.code.as_str()),
                &column(forecasts, |f| f.reason.sentence.as_str()),
                &column(forecasts, |f| f.p10),
                &column(forecasts, |f| f.p50),
                &column(forecasts, |f| f.p90),
                &column(forecasts, |f| f.as_of),
                &column(forecasts, |f| f.model.as_str()),
                &column(forecasts, |f| f.data_from),
                &column(forecasts, |f| f.data_until),
                &column(forecasts, |f| f.last_used),
                &column(forecasts, |f| f.limit),
                &column(forecasts, |f| signed(f.samples)),
                &column(forecasts, |f| signed(f.set_aside)),
                &column(forecasts, |f| Json(&f.passage)),
                &column(forecasts, |f| Json(&f.fan)),
                &column(forecasts, |f| Json(&f.why)),
                &pooled,
            ],
        )
        .await
}

/// Carries forecasts of these components and resources over from the current run, as they are.
pub(crate) async fn carry_over(
    transaction: &Transaction<'_>,
    run: i64,
    components: &[i64],
    resources: &[&str],
) -> Result<u64, Error> {
    transaction
        .execute(
            "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, p10, p50, p90, as_of,
                 model, data_from, data_until, last_used, resource_limit, samples, set_aside, passage, fan, why, pooled)
             select f.component_id, f.resource, $1, f.state, f.reason_code, f.reason, f.p10, f.p50, f.p90, f.as_of, f.model,
                    f.data_from, f.data_until, f.last_used, f.resource_limit, f.samples, f.set_aside, f.passage, f.fan, f.why,
                    f.pooled
               from unnest($2::bigint[], $3::text[]) as wanted (component_id, resource)
               join fleet.forecast_runs r on r.is_current
               join fleet.forecasts f on f.component_id = wanted.component_id and f.resource = wanted.resource
                                     and f.run_id = r.run_id",
            &[&run, &components, &resources],
        )
        .await
}

const COLUMNS: &str = "k.unit_id, f.component_id, f.resource, f.state, f.reason_code, f.reason, f.p10, f.p50, f.p90, f.as_of,
    f.model, f.data_from, f.data_until, f.last_used, f.resource_limit, f.samples, f.set_aside, f.passage, f.fan, f.why";

fn stored(row: &Row) -> Result<Option<Stored>, Error> {
    // A name that this program does not know was written by a later one: not ours to tell.
    let (Ok(resource), Ok(state)) = (row.try_get::<_, &str>(2)?.parse(), row.try_get::<_, &str>(3)?.parse())
    else {
        return Ok(None);
    };
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Some(Stored {
        unit_id: row.try_get(0)?,
        component_id: row.try_get(1)?,
        forecast: Forecast {
            resource,
            state,
            reason: Reason { code: row.try_get(4)?, sentence: row.try_get(5)? },
            p10: row.try_get(6)?,
            p50: row.try_get(7)?,
            p90: row.try_get(8)?,
            as_of: row.try_get(9)?,
            model: row.try_get(10)?,
            data_from: row.try_get(11)?,
            data_until: row.try_get(12)?,
            last_used: row.try_get(13)?,
            limit: row.try_get(14)?,
            samples: count(row.try_get(15)?),
            set_aside: count(row.try_get(16)?),
            passage: row.try_get::<_, Json<Passage>>(17)?.0,
            fan: row.try_get::<_, Json<Vec<FanPoint>>>(18)?.0,
            why: row.try_get::<_, Json<Vec<Factor>>>(19)?.0,
        },
    }))
}

/// What the current run says of the units of a range.
pub(crate) async fn previous(client: &impl GenericClient, range: Range) -> Result<Vec<Stored>, Error> {
    let rows = client
        .query(
            &format!(
                "select {COLUMNS} from fleet.forecasts f join fleet.components k using (component_id)
                   join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
                  where k.unit_id between $1 and $2"
            ),
            &[&range.first, &range.last],
        )
        .await?;
    rows.iter().filter_map(|row| stored(row).transpose()).collect()
}

/// Forecasts of one run, in the order of unit, component and resource.
pub(crate) async fn of_run(
    client: &impl GenericClient,
    run: i64,
    unit: Option<i64>,
) -> Result<Vec<Stored>, Error> {
    let rows = client
        .query(
            &format!(
                "select {COLUMNS} from fleet.forecasts f join fleet.components k using (component_id)
                  where f.run_id = $1 and ($2::bigint is null or k.unit_id = $2)
                  order by k.unit_id, f.component_id, f.resource"
            ),
            &[&run, &unit],
        )
        .await?;
    rows.iter().filter_map(|row| stored(row).transpose()).collect()
}
