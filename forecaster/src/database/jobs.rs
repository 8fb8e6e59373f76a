//! Jobs: schedule, state and history.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{Error, GenericClient};

/// When a job starts next, and how it did so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// Next start.
    pub(crate) next_start: Timestamp,
    /// Failures in a row.
    pub(crate) failures: i32,
    /// Whether it waits for a person.
    pub(crate) parked: bool,
}

/// A job as `headroom job list` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct JobRow {
    /// Name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) about: String,
    /// Five cron fields, UTC.
    pub(crate) schedule: String,
    /// Next start.
    pub(crate) next_start: Timestamp,
    /// Failures in a row.
    pub(crate) failures: i32,
    /// Since when it waits for a person.
    pub(crate) parked_at: Option<Timestamp>,
    /// Last start.
    pub(crate) last_started_at: Option<Timestamp>,
    /// What the last run came to.
    pub(crate) last_outcome: Option<String>,
    /// What it says.
    pub(crate) last_detail: Option<String>,
}

/// Makes the job known, and takes over its schedule where that has changed.
pub(crate) async fn register(
    client: &impl GenericClient,
    name: &str,
    about: &str,
    schedule: &str,
    next_start: Timestamp,
) -> Result<(), Error> {
    client
        .execute(
            "insert into fleet.jobs (name, about, schedule, next_start) values ($1, $2, $3, $4)
             on conflict (name) do update set about = excluded.about, schedule = excluded.schedule,
                 next_start = case when jobs.schedule = excluded.schedule then jobs.next_start else excluded.next_start end
             where (jobs.about, jobs.schedule) is distinct from (excluded.about, excluded.schedule)",
            &[&name, &about, &schedule, &next_start],
        )
        .await?;
    Ok(())
}

/// Names of the jobs that are due.
pub(crate) async fn due(client: &impl GenericClient, now: Timestamp) -> Result<Vec<String>, Error> {
    let rows = client
        .query(
            "select name from fleet.jobs where next_start <= $1 and parked_at is null order by next_start",
            &[&now],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Takes the lock of a job for this connection; false where another has it.
pub(crate) async fn lock(client: &impl GenericClient, name: &str) -> Result<bool, Error> {
    let key = format!("headroom job {name}");
    Ok(client.query_one("select pg_try_advisory_lock(hashtextextended($1, 0))", &[&key]).await?.get(0))
}

/// Lets go of it.
pub(crate) async fn unlock(client: &impl GenericClient, name: &str) -> Result<(), Error> {
    let key = format!("headroom job {name}");
    client.query_one("select pg_advisory_unlock(hashtextextended($1, 0))", &[&key]).await?;
    Ok(())
}

/// How a job stands.
pub(crate) async fn state(client: &impl GenericClient, name: &str) -> Result<Due, Error> {
    let row = client
        .query_one(
            "select next_start, failures, parked_at is not null from fleet.jobs where name = $1",
            &[&name],
        )
        .await?;
    Ok(Due { next_start: row.get(0), failures: row.get(1), parked: row.get(2) })
}

/// Writes down that it starts, and when it starts next. Gives the id of the run.
pub(crate) async fn started(
    client: &impl GenericClient,
    name: &str,
    at: Timestamp,
    next_start: Timestamp,
) -> Result<i64, Error> {
    let row = client
        .query_one(
            "with next as (update fleet.jobs set next_start = $3 where name = $1)
             insert into fleet.job_runs (job, started_at) values ($1, $2) returning run_id",
            &[&name, &at, &next_start],
        )
        .await?;
    Ok(row.get(0))
}

/// Writes down that it worked.
pub(crate) async fn worked(
    client: &impl GenericClient,
    name: &str,
    run: i64,
    at: Timestamp,
    detail: &str,
) -> Result<(), Error> {
    client
        .execute(
            "with job as (update fleet.jobs set failures = 0, parked_at = null where name = $1)
             update fleet.job_runs set ended_at = $3, outcome = 'done', detail = $4 where run_id = $2",
            &[&name, &run, &at, &detail],
        )
        .await?;
    Ok(())
}

/// Writes down that it failed, when it is tried again, or that it is parked.
pub(crate) async fn failed(
    client: &impl GenericClient,
    name: &str,
    run: i64,
    at: Timestamp,
    detail: &str,
    again: Timestamp,
    parked: bool,
) -> Result<(), Error> {
    client
        .execute(
            "with job as (update fleet.jobs set failures = failures + 1, next_start = $5,
                              parked_at = case when $6 then $3::timestamptz end where name = $1)
             update fleet.job_runs set ended_at = $3, outcome = 'failed', detail = $4 where run_id = $2",
            &[&name, &run, &at, &detail, &again, &parked],
        )
        .await?;
    Ok(())
}

/// Every job with its last run.
pub(crate) async fn list(client: &impl GenericClient) -> Result<Vec<JobRow>, Error> {
    let rows = client
        .query(
            "select j.name, j.about, j.schedule, j.next_start, j.failures, j.parked_at,
                    r.started_at, r.outcome, r.detail
               from fleet.jobs j
               left join lateral (select * from fleet.job_runs r where r.job = j.name
                                   order by r.started_at desc limit 1) r on true
              order by j.name",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| JobRow {
            name: row.get(0),
            about: row.get(1),
            schedule: row.get(2),
            next_start: row.get(3),
            failures: row.get(4),
            parked_at: row.get(5),
            last_started_at: row.get(6),
            last_outcome: row.get(7),
            last_detail: row.get(8),
        })
        .collect())
}

/// Takes a parked job up again. False where there is no such job.
pub(crate) async fn resume(client: &impl GenericClient, name: &str, now: Timestamp) -> Result<bool, Error> {
    let changed = client
        .execute(
            "update fleet.jobs set parked_at = null, failures = 0, next_start = $2 where name = $1",
            &[&name, &now],
        )
        .await?;
    Ok(changed > 0)
}

/// Forgets history older than this, and marks runs whose service died.
pub(crate) async fn tidy(client: &impl GenericClient, before: Timestamp) -> Result<u64, Error> {
    client.execute("delete from fleet.job_runs where started_at < $1", &[&before]).await
}
