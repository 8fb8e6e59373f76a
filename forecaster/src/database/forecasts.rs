//! Forecasts of a run: written in the binary form of COPY, read back for whoever asks.

use headroom_core::forecast::{Factor, FanPoint, Forecast, Passage, Reason, State};
use headroom_core::unit::Resource;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, Type};
use tokio_postgres::{Error, GenericClient, Row, Transaction};

use super::runs::Range;

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

const WRITTEN: &str = "component_id, resource, run_id, state, reason_code, reason, p10, p50, p90, as_of, model, data_from,
    data_until, last_used, resource_limit, samples, set_aside, passage, fan, why";

const TYPES: [Type; 20] = [
    Type::INT8,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::INT8,
    Type::INT8,
    Type::JSONB,
    Type::JSONB,
    Type::JSONB,
];

/// Writes forecasts; each component is named beside its own.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    run: i64,
    forecasts: &[(i64, Forecast)],
) -> Result<u64, Error> {
    // COPY does not go through row-level security: the rows arrive beside the table and are inserted from there.
    transaction
        .batch_execute(&format!(
            "create temporary table arriving on commit drop as select {WRITTEN} from fleet.forecasts with no data"
        ))
        .await?;
    let copy = format!("copy pg_temp.arriving ({WRITTEN}) from stdin (format binary)");
    let writer = BinaryCopyInWriter::new(transaction.copy_in(&copy).await?, &TYPES);
    futures_util::pin_mut!(writer);
    for (component, f) in forecasts {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        writer
            .as_mut()
            .write(&[
                component,
                &f.resource.as_str(),
                &run,
                &f.state.as_str(),
                &f.reason.code,
                &f.reason.sentence,
                &f.p10,
                &f.p50,
                &f.p90,
                &f.as_of,
                &f.model,
                &f.data_from,
                &f.data_until,
                &f.last_used,
                &f.limit,
                &signed(f.samples),
                &signed(f.set_aside),
                &Json(&f.passage),
                &Json(&f.fan),
                &Json(&f.why),
            ])
            .await?;
    }
    writer.finish().await?;
    let insert = format!("insert into fleet.forecasts ({WRITTEN}) select {WRITTEN} from pg_temp.arriving");
    transaction.execute(&insert, &[]).await
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
                 model, data_from, data_until, last_used, resource_limit, samples, set_aside, passage, fan, why)
             select f.component_id, f.resource, $1, f.state, f.reason_code, f.reason, f.p10, f.p50, f.p90, f.as_of, f.model,
                    f.data_from, f.data_until, f.last_used, f.resource_limit, f.samples, f.set_aside, f.passage, f.fan, f.why
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

/// What the current run says of a resource, as far as the next run must know it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Previous {
    /// Of which unit.
    pub(crate) unit: i64,
    /// Of which component.
    pub(crate) component: i64,
    /// Of what.
    pub(crate) resource: Resource,
    /// What it says.
    pub(crate) state: State,
    /// The three dates.
    pub(crate) dates: [Option<Timestamp>; 3],
    /// The limit.
    pub(crate) limit: Option<f64>,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// Last observation used.
    pub(crate) data_until: Option<Timestamp>,
    /// Model and version of its constants.
    pub(crate) model: String,
}

/// What the current run says of the units of a range.
pub(crate) async fn previous(client: &impl GenericClient, range: Range) -> Result<Vec<Previous>, Error> {
    let rows = client
        .query(
            "select k.unit_id, f.component_id, f.resource, f.state, f.p10, f.p50, f.p90, f.resource_limit, f.as_of,
                    f.data_until, f.model
               from fleet.components k
               join fleet.forecast_runs r on r.is_current
               join fleet.forecasts f on f.component_id = k.component_id and f.run_id = r.run_id
              where k.unit_id between $1 and $2",
            &[&range.first, &range.last],
        )
        .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let (Ok(resource), Ok(state)) =
            (row.try_get::<_, &str>(2)?.parse(), row.try_get::<_, &str>(3)?.parse())
        else {
            continue;
        };
        known.push(Previous {
            unit: row.try_get(0)?,
            component: row.try_get(1)?,
            resource,
            state,
            dates: [row.try_get(4)?, row.try_get(5)?, row.try_get(6)?],
            limit: row.try_get(7)?,
            as_of: row.try_get(8)?,
            data_until: row.try_get(9)?,
            model: row.try_get(10)?,
        });
    }
    Ok(known)
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

/// What was said earlier of a unit's resource: the moment of asking with the three dates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Earlier {
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// The state, as SQL names it.
    pub(crate) state: String,
    /// The three dates.
    pub(crate) dates: [Option<Timestamp>; 3],
}

/// Earlier published forecasts of a component's resource, the newest first.
pub(crate) async fn earlier(
    client: &impl GenericClient,
    component: i64,
    resource: &str,
    count: i64,
) -> Result<Vec<Earlier>, Error> {
    let rows = client
        .query(
            "select f.as_of, f.state, f.p10, f.p50, f.p90
               from fleet.forecasts f join fleet.forecast_runs r using (run_id)
              where f.component_id = $1 and f.resource = $2 and r.published_at is not null and not r.is_current
              order by f.as_of desc limit $3",
            &[&component, &resource, &count],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Earlier {
            as_of: row.get(0),
            state: row.get(1),
            dates: [row.get(2), row.get(3), row.get(4)],
        })
        .collect())
}
