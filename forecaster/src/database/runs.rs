//! Fleet runs: begun, shared out in ranges of units, published whole.

use headroom_core::forecast::Prior;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::Json;
use tokio_postgres::{Error, GenericClient, Transaction};

/// Key of the advisory lock under which a run is begun or published.
const LOCK: i64 = 0x6865_6164_0001;

/// Which units a run forecasts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Every unit.
    All,
    /// Units with new status; the forecasts of the others are carried over.
    Changed,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Changed => "changed",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    /// Key.
    pub(crate) id: i64,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// Which units are forecast anew.
    pub(crate) scope: Scope,
    /// The model's constants.
    pub(crate) prior: Prior,
    /// How far it looks ahead, days.
    pub(crate) horizon_days: u16,
}

/// A claimed range of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// First unit.
    pub(crate) first: i64,
    /// Last unit.
    pub(crate) last: i64,
}

/// What was done of a run, or of a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    /// Forecasts written, those carried over included.
    pub(crate) forecasts: i64,
    /// Carried over, since nothing had changed.
    pub(crate) carried: i64,
    /// Held back, since they did not pass the checks.
    pub(crate) held_back: i64,
    /// Units with a plan.
    pub(crate) plans: i64,
}

const COLUMNS: &str = "run_id, as_of, scope, constants, horizon_days";

/// A run as it stands in the table; an inner error is that of constants which another version of this program kept.
pub(crate) type Kept = Result<Run, Unreadable>;

/// A run whose constants do not read as this version's.
#[derive(Debug, thiserror::Error)]
#[error(
    "fleet.forecast_runs.constants of run {run} are not those of this version's model: {source}; a new run (headroom forecast --all) replaces it"
)]
pub(crate) struct Unreadable {
    /// Key of the run.
    run: i64,
    /// What is wrong with them.
    source: serde_json::Error,
}

fn run(row: &tokio_postgres::Row) -> Result<Kept, Error> {
    let id = row.try_get(0)?;
    let prior = match serde_json::from_value(row.try_get(3)?) {
        Ok(prior) => prior,
        Err(source) => return Ok(Err(Unreadable { run: id, source })),
    };
    Ok(Ok(Run {
        id,
        as_of: row.try_get(1)?,
        scope: if row.try_get::<_, &str>(2)? == "changed" { Scope::Changed } else { Scope::All },
        prior,
        horizon_days: u16::try_from(row.try_get::<_, i32>(4)?).unwrap_or(u16::MAX),
    }))
}

/// The newest run that was begun with this scope and neither published nor given up: another service works on it, or
/// one died over it. `since`: older ones are not gone on with.
pub(crate) async fn unfinished(
    client: &impl GenericClient,
    scope: Scope,
    since: Timestamp,
) -> Result<Option<Kept>, Error> {
    let found = client
        .query_opt(
            &format!(
                "select {COLUMNS} from fleet.forecast_runs
                  where published_at is null and given_up is null and scope = $1 and as_of >= $2
                  order by run_id desc limit 1"
            ),
            &[&scope.as_str(), &since],
        )
        .await?;
    found.as_ref().map(run).transpose()
}

/// Waits until nobody else begins or publishes a run; let go of when the transaction ends.
pub(crate) async fn lock(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    Ok(())
}

/// Begins a run over ranges of `units_a_range` units that are in use.
pub(crate) async fn begin(
    transaction: &Transaction<'_>,
    as_of: Timestamp,
    scope: Scope,
    prior: &Prior,
    horizon_days: u16,
    units_a_range: i64,
) -> Result<Run, Error> {
    let row = transaction
        .query_one(
            "insert into fleet.forecast_runs (as_of, model, scope, constants, horizon_days)
                values ($1, $2, $3, $4, $5) returning run_id",
            &[&as_of, &prior.version, &scope.as_str(), &Json(prior), &i32::from(horizon_days)],
        )
        .await?;
    let id: i64 = row.get(0);
    transaction
        .execute(
            "insert into fleet.run_ranges (run_id, first_unit, last_unit)
             select $1, min(unit_id), max(unit_id)
               from (select unit_id, (row_number() over (order by unit_id) - 1) / $2::bigint as place
                       from fleet.units where life not in ('replaced', 'retired')) u
              group by place",
            &[&id, &units_a_range],
        )
        .await?;
    Ok(Run { id, as_of, scope, prior: prior.clone(), horizon_days })
}

/// Claims a range that is neither done nor claimed; it is let go of when the transaction ends.
pub(crate) async fn claim(transaction: &Transaction<'_>, run: i64) -> Result<Option<Range>, Error> {
    let row = transaction
        .query_opt(
            "select first_unit, last_unit from fleet.run_ranges where run_id = $1 and done_at is null
              order by first_unit limit 1 for update skip locked",
            &[&run],
        )
        .await?;
    Ok(row.map(|row| Range { first: row.get(0), last: row.get(1) }))
}

/// Writes down that a claimed range is done.
pub(crate) async fn done(
    transaction: &Transaction<'_>,
    run: i64,
    range: Range,
    done: Done,
) -> Result<(), Error> {
    transaction
        .execute(
            "update fleet.run_ranges set done_at = clock_timestamp(), forecasts = $3, carried = $4, held_back = $5, plans = $6
              where run_id = $1 and first_unit = $2",
            &[&run, &range.first, &done.forecasts, &done.carried, &done.held_back, &done.plans],
        )
        .await?;
    Ok(())
}

/// How many units wait in ranges that are not done, and how many there are in all.
pub(crate) async fn progress(client: &impl GenericClient, run: i64) -> Result<(i64, i64), Error> {
    let row = client
        .query_one(
            "select count(*) filter (where r.done_at is null), count(*)
               from fleet.run_ranges r
               join fleet.units u on u.unit_id between r.first_unit and r.last_unit and u.life not in ('replaced', 'retired')
              where r.run_id = $1",
            &[&run],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

/// The ranges of a run.
pub(crate) async fn ranges(client: &impl GenericClient, run: i64) -> Result<Vec<Range>, Error> {
    let rows = client
        .query(
            "select first_unit, last_unit from fleet.run_ranges where run_id = $1 order by first_unit",
            &[&run],
        )
        .await?;
    Ok(rows.iter().map(|row| Range { first: row.get(0), last: row.get(1) }).collect())
}

/// Units in use in a range.
pub(crate) async fn units_in(client: &impl GenericClient, range: Range) -> Result<i64, Error> {
    let row = client
        .query_one(
            "select count(*) from fleet.units where unit_id between $1 and $2 and life not in ('replaced', 'retired')",
            &[&range.first, &range.last],
        )
        .await?;
    Ok(row.get(0))
}

/// What happened when a run was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is what readers see now.
    Current(Done),
    /// It is kept beside a run that asks of a later moment: readers go on seeing that one.
    Past(Done),
    /// Another service published it.
    Already(Done),
    /// Ranges are still worked on by other services.
    NotYet,
    /// It did not pass the checks and was given up; what readers see is the run before.
    GivenUp(Done),
}

/// Publishes a run whose ranges are all done: from one moment to the next, readers see it instead of the one before.
/// `flaw` judges what was done, beside the number of forecasts of the run that it replaces.
pub(crate) async fn publish(
    transaction: &Transaction<'_>,
    run: i64,
    flaw: impl Fn(Done, Option<i64>) -> Option<String>,
) -> Result<Published, Error> {
    lock(transaction).await?;
    let row = transaction
        .query_one(
            "select bool_and(done_at is not null), coalesce(sum(forecasts), 0)::bigint, coalesce(sum(carried), 0)::bigint,
                    coalesce(sum(held_back), 0)::bigint, coalesce(sum(plans), 0)::bigint
               from fleet.run_ranges where run_id = $1",
            &[&run],
        )
        .await?;
    let done = Done { forecasts: row.get(1), carried: row.get(2), held_back: row.get(3), plans: row.get(4) };
    if row.get::<_, Option<bool>>(0) == Some(false) {
        return Ok(Published::NotYet);
    }
    let state = transaction
        .query_one(
            "select published_at is not null or given_up is not null, as_of,
                    (select as_of from fleet.forecast_runs where is_current),
                    (select forecasts from fleet.forecast_runs where is_current)
               from fleet.forecast_runs where run_id = $1 for update",
            &[&run],
        )
        .await?;
    if state.get(0) {
        return Ok(Published::Already(done));
    }
    let (as_of, current): (Timestamp, Option<Timestamp>) = (state.get(1), state.get(2));
    let is_current = current.is_none_or(|current| as_of >= current);
    if let Some(why) = flaw(done, state.get::<_, Option<i64>>(3).filter(|_| is_current)) {
        transaction
            .execute(
                "update fleet.forecast_runs set given_up = $2, forecasts = $3 where run_id = $1",
                &[&run, &why, &done.forecasts],
            )
            .await?;
        return Ok(Published::GivenUp(done));
    }
    if is_current {
        transaction
            .execute("update fleet.forecast_runs set is_current = false where is_current", &[])
            .await?;
    }
    transaction
        .execute(
            "update fleet.forecast_runs set published_at = clock_timestamp(), is_current = $2, forecasts = $3 where run_id = $1",
            &[&run, &is_current, &done.forecasts],
        )
        .await?;
    transaction.execute("select pg_notify('headroom_run', $1)", &[&run.to_string()]).await?;
    Ok(if is_current { Published::Current(done) } else { Published::Past(done) })
}

/// Gives up runs that were begun before `before` and never published.
pub(crate) async fn give_up_old(client: &impl GenericClient, before: Timestamp) -> Result<u64, Error> {
    client
        .execute(
            "update fleet.forecast_runs set given_up = 'it was begun and never finished'
              where published_at is null and given_up is null and started_at < $1",
            &[&before],
        )
        .await
}

/// Forgets old runs with their forecasts and plans. Kept are the current one, for two weeks the last of each day, and
/// for ever the last of each week: what was said is compared with what came.
pub(crate) async fn forget_old(client: &impl GenericClient, now: Timestamp) -> Result<u64, Error> {
    client
        .execute(
            "with told as (
                 select run_id, is_current, published_at is null as is_unpublished, started_at, as_of,
                        row_number() over (partition by date_trunc('day', as_of, 'UTC'), published_at is null
                                           order by as_of desc, run_id desc) as in_day,
                        row_number() over (partition by date_trunc('week', as_of, 'UTC'), published_at is null
                                           order by as_of desc, run_id desc) as in_week
                   from fleet.forecast_runs)
             delete from fleet.forecast_runs r using told t
              where r.run_id = t.run_id and not t.is_current
                and case when t.is_unpublished then t.started_at < $1::timestamptz - interval '1 day'
                         else t.in_week > 1 and (t.in_day > 1 or t.as_of < $1::timestamptz - interval '14 days') end",
            &[&now],
        )
        .await
}

/// The run that readers see; `None` where there is none.
pub(crate) async fn current(client: &impl GenericClient) -> Result<Option<Kept>, Error> {
    let found =
        client.query_opt(&format!("select {COLUMNS} from fleet.forecast_runs where is_current"), &[]).await?;
    found.as_ref().map(run).transpose()
}

/// Key, moment of asking and model of the run that readers see.
pub(crate) async fn current_head(
    client: &impl GenericClient,
) -> Result<Option<(i64, Timestamp, String)>, Error> {
    let row = client
        .query_opt("select run_id, as_of, model from fleet.forecast_runs where is_current", &[])
        .await?;
    Ok(row.map(|row| (row.get(0), row.get(1), row.get(2))))
}

/// Key of the run that readers see.
pub(crate) async fn current_id(client: &impl GenericClient) -> Result<Option<i64>, Error> {
    let row = client.query_opt("select run_id from fleet.forecast_runs where is_current", &[]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Keeps what was fitted of units alike beside its run.
pub(crate) async fn keep_alike(
    client: &impl GenericClient,
    run: i64,
    units: i64,
    fitted: &(impl Serialize + std::fmt::Debug + Sync),
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.priors (run_id, units, constants) values ($1, $2, $3)",
            &[&run, &units, &Json(fitted)],
        )
        .await?;
    Ok(())
}

/// What a run knows of units alike: nothing where it keeps nothing. An inner error is that of constants which another version
/// of this program kept.
pub(crate) async fn alike<T: Default + serde::de::DeserializeOwned>(
    client: &impl GenericClient,
    run: i64,
) -> Result<serde_json::Result<T>, Error> {
    let row = client.query_opt("select constants from fleet.priors where run_id = $1", &[&run]).await?;
    let constants: Option<serde_json::Value> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(constants.map_or_else(|| Ok(T::default()), serde_json::from_value))
}
