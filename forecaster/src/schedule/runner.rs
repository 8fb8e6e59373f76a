//! Runs what is due.

use std::time::Duration;

use anyhow::Context as _;
use deadpool_postgres::Object;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::job::{JOBS, Job};
use crate::database::jobs::{self, Due};
use crate::hub::Hub;

/// How often the table is looked at.
const TICK: Duration = Duration::from_secs(2);
/// Failures in a row after which a job is parked.
const FAILURES_MAX: i32 = 5;
/// Seconds before a failed job is tried again, doubled with each failure.
const RETRY_SECONDS: i64 = 30;

/// What a run came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It ran; what it says it did.
    Done(String),
    /// Another service or session runs it at this moment.
    Busy,
}

/// Looks for due jobs until told to stop. A job that runs then is left to finish, for as long as the service waits.
pub(crate) async fn serve(hub: Hub, mut stop: watch::Receiver<bool>) {
    let mut running: JoinSet<()> = JoinSet::new();
    let mut known = false;
    loop {
        if !known {
            match register(&hub).await {
                Ok(()) => known = true,
                Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot register the jobs yet"),
            }
        }
        if known {
            match due(&hub).await {
                Ok(due) => {
                    for job in due {
                        let hub = hub.clone();
                        running.spawn(async move {
                            if let Err(error) = attempt(&hub, job, true).await {
                                tracing::warn!(job = job.name, error = format!("{error:#}"), "a job failed");
                            }
                        });
                    }
                }
                Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot look for due jobs"),
            }
        }
        while running.try_join_next().is_some() {}
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = crate::listener::stopped(&mut stop) => break,
        }
    }
    while running.join_next().await.is_some() {}
}

/// Runs a job now, whatever its schedule says; a parked one is resumed if it works.
pub(crate) async fn run_now(hub: &Hub, name: &str) -> anyhow::Result<Outcome> {
    let job = JOBS.iter().find(|job| job.name == name).ok_or_else(|| {
        let names: Vec<_> = JOBS.iter().map(|job| job.name).collect();
        crate::failure::Failure::NotFound(format!("there is no job {name:?}: {}", names.join(", ")))
    })?;
    register(hub).await?;
    attempt(hub, job, false).await
}

async fn register(hub: &Hub) -> anyhow::Result<()> {
    let client = hub.pool().get().await?;
    let now = Timestamp::now();
    for job in JOBS {
        let schedule = (job.schedule)(hub.settings()).as_str().to_owned();
        // A job that never ran is due at once: a fresh installation shows its first forecasts without waiting an hour.
        jobs::register(&**client, job.name, job.about, &schedule, now).await?;
    }
    Ok(())
}

async fn due(hub: &Hub) -> anyhow::Result<Vec<&'static Job>> {
    let client = hub.pool().get().await?;
    let names = jobs::due(&**client, Timestamp::now()).await?;
    Ok(JOBS.iter().filter(|job| names.iter().any(|name| name == job.name)).collect())
}

/// Takes the job's lock, runs it and writes down what came of it. The lock is bound to the connection: a service that
/// dies lets go of it.
async fn attempt(hub: &Hub, job: &'static Job, only_if_due: bool) -> anyhow::Result<Outcome> {
    let client = hub.pool().get().await?;
    if !jobs::lock(&**client, job.name).await? {
        return Ok(Outcome::Busy);
    }
    let outcome = locked(hub, &client, job, only_if_due).await;
    if let Err(error) = jobs::unlock(&**client, job.name).await {
        tracing::debug!(%error, job = job.name, "the connection that held a job's lock is gone, and the lock with it");
        // Never back into the pool: it might still hold the lock.
        drop(Object::take(client));
    }
    outcome
}

async fn locked(
    hub: &Hub,
    client: &tokio_postgres::Client,
    job: &'static Job,
    only_if_due: bool,
) -> anyhow::Result<Outcome> {
    let started = Timestamp::now();
    let state = jobs::state(client, job.name).await?;
    if only_if_due && !matches!(state, Due { next_start, parked: false, .. } if next_start <= started) {
        return Ok(Outcome::Busy); // another service ran it between our looking and our locking
    }
    // Written before the run: a service that dies in the middle does not run it again at once, for ever.
    let next = job.next_start(hub.settings(), started).context("the schedule has no next start")?;
    let run = jobs::started(client, job.name, started, next).await?;
    let result = match tokio::spawn((job.run)(hub.clone())).await {
        Ok(result) => result,
        Err(panic) => Err(anyhow::anyhow!("it panicked: {panic}")),
    };
    let ended = Timestamp::now();
    match result {
        Ok(detail) => {
            jobs::worked(client, job.name, run, ended, &detail).await?;
            tracing::info!(job = job.name, seconds = ended.as_second() - started.as_second(), "{detail}");
            Ok(Outcome::Done(detail))
        }
        Err(error) => {
            let failures = state.failures + 1;
            let parked = failures >= FAILURES_MAX;
            let wait = RETRY_SECONDS << failures.clamp(0, 10);
            let again = ended + jiff::SignedDuration::from_secs(wait);
            let detail = format!("{error:#}");
            jobs::failed(client, job.name, run, ended, &detail, again.min(next), parked).await?;
            if parked {
                tracing::error!(
                    job = job.name,
                    error = detail,
                    "a job is parked after {failures} failures in a row"
                );
            }
            Err(error)
        }
    }
}
