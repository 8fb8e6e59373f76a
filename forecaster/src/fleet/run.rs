//! A fleet run: begun or gone on with, worked on by several threads and services, published whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use headroom_core::forecast::{JUDGED_DAYS, Prior, recalibrated};
use headroom_core::plan::Item;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::alike::Alike;
use super::compute::Asked;
use super::range::{backtest_range, forecast_range, plan_range};
use crate::config::Settings;
use crate::database::histories::{self, Likeness};
use crate::database::runs::{self, Done, Published, Run, Scope};
use crate::database::{backtests, plans};
use crate::failure::Failure;
use crate::hub::Hub;

/// A run that was begun longer ago is not gone on with: its moment of asking has passed.
const UNFINISHED_MAX: SignedDuration = SignedDuration::from_mins(30);
/// How long to wait for ranges that another service works on, between two looks.
const WAIT: Duration = Duration::from_millis(200);
/// Looks after which a run that other services do not finish is left to them.
const LOOKS_MAX: u32 = 9_000;
/// At most one of so many forecasts may be held back; else the run is given up.
const HELD_BACK_SHARE: i64 = 100;

/// Most components whose growth is looked at for units alike: of a fleet of 100,000, one in 25.
const LENDERS_MAX: i64 = 4_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// The moment of asking; `None` for now.
    pub(crate) as_of: Option<Timestamp>,
    /// Which units.
    pub(crate) scope: Scope,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// Key of the run.
    pub(crate) run: i64,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// Model and version of its constants.
    pub(crate) model: String,
    /// Whether readers see it.
    pub(crate) current: bool,
    /// How much.
    #[serde(flatten)]
    pub(crate) done: Done,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { forecasts, carried, held_back, plans } = self.done;
        write!(f, "{forecasts} forecasts as of {}, {plans} plans", self.as_of)?;
        if carried > 0 {
            write!(f, ", {carried} unchanged")?;
        }
        if held_back > 0 {
            write!(f, ", {held_back} held back since they cannot be (see the log)")?;
        }
        if !self.current {
            f.write_str("; readers go on seeing the later run")?;
        }
        Ok(())
    }
}

/// Runs, or helps another service with the run that it began. `watch` is told how many of how many units are done.
pub(crate) async fn run(
    hub: &Hub,
    request: Request,
    watch: &(dyn Fn(i64, i64) + Sync),
) -> anyhow::Result<Summary> {
    let (run, alike) = begin_or_join(hub, request).await?;
    let catalogue = Arc::new(plans::catalogue(&**hub.pool().get().await?).await?);
    let asked = Arc::new(asked(hub.settings(), &run, alike));
    let (waiting, total) = runs::progress(&**hub.pool().get().await?, run.id).await?;
    let done = AtomicI64::new(total - waiting);
    watch(done.load(Ordering::Relaxed), total);
    let tell = |units: i64| watch(done.fetch_add(units, Ordering::Relaxed) + units, total);
    for _ in 0..LOOKS_MAX {
        work(hub, &run, &asked, &catalogue, &tell).await?;
        let (current, done) = match publish(hub, &run).await? {
            Published::NotYet => {
                tokio::time::sleep(WAIT).await;
                continue;
            }
            Published::Current(done) => (true, done),
            Published::Past(done) => (false, done),
            Published::Already(done) => {
                (runs::current_id(&**hub.pool().get().await?).await? == Some(run.id), done)
            }
            Published::GivenUp(done) => bail!(
                "run {} was given up after {} forecasts, {} of them held back: fleet.forecast_runs.given_up says why; \
                 readers see the run before",
                run.id,
                done.forecasts,
                done.held_back
            ),
        };
        watch(total, total);
        let client = hub.pool().get().await?;
        runs::forget_old(&**client, Timestamp::now()).await?;
        return Ok(Summary { run: run.id, as_of: run.as_of, model: run.prior.version, current, done });
    }
    bail!("run {} waits for ranges that another service does not finish", run.id)
}

/// The run, and what it knows of units alike.
async fn begin_or_join(hub: &Hub, request: Request) -> anyhow::Result<(Run, Alike)> {
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let mut client = hub.pool().get().await?;
    runs::give_up_old(&**client, now - UNFINISHED_MAX).await?;
    if let Some(as_of) = request.as_of.filter(|as_of| *as_of > now) {
        return Err(
            Failure::Usage(format!("--as-of {as_of} lies in the future: nothing is known there")).into()
        );
    }
    // Looked for under the lock: of several that start together one begins, the others join.
    let transaction = client.transaction().await?;
    runs::lock(&transaction).await?;
    if request.as_of.is_none()
        && let Some(kept) = runs::unfinished(&*transaction, request.scope, now - UNFINISHED_MAX).await?
    {
        match kept {
            Ok(run) => match runs::alike(&*transaction, run.id).await? {
                Ok(alike) => return Ok((run, alike)),
                Err(error) => {
                    tracing::warn!(run = run.id, %error, "another run is begun: of this one fleet.priors cannot be read");
                }
            },
            Err(error) => tracing::warn!(%error, "another run is begun"),
        }
    }
    let as_of = match request.as_of {
        Some(as_of) => Timestamp::from_second(as_of.as_second())?,
        None => now,
    };
    let outcomes = backtests::outcomes(&*transaction, as_of, i32::from(JUDGED_DAYS)).await?;
    let prior = recalibrated(Prior::builtin(), &outcomes);
    let alike = fitted(&transaction, as_of, &prior).await?;
    let units_a_range = i64::from(hub.settings().forecast_claim);
    let horizon_days = hub.settings().forecast_horizon_days;
    let run = runs::begin(&transaction, as_of, request.scope, &prior, horizon_days, units_a_range).await?;
    runs::keep_alike(&*transaction, run.id, alike.units(), &alike).await?;
    // As whoever joins will read it.
    let alike = runs::alike(&*transaction, run.id).await??;
    transaction.commit().await?;
    Ok((run, alike))
}

/// What units alike have shown up to a moment, from a sample of the fleet.
async fn fitted(
    transaction: &tokio_postgres::Transaction<'_>,
    as_of: Timestamp,
    prior: &Prior,
) -> anyhow::Result<Alike> {
    let sample = histories::sample(transaction, LENDERS_MAX).await?;
    let components: Vec<i64> = sample.iter().map(|(component, _)| *component).collect();
    let histories = histories::daily(transaction, as_of, &components).await?;
    let likeness: BTreeMap<i64, Likeness> = sample.into_iter().collect();
    let prior = prior.clone();
    tokio::task::spawn_blocking(move || Alike::of_histories(&histories, &likeness, as_of, &prior))
        .await
        .context("the fit of units alike ended")?
}

fn asked(settings: &Settings, run: &Run, alike: Alike) -> Asked {
    let days = SignedDuration::from_hours(24 * i64::from(settings.plan_horizon_days));
    Asked {
        prior: run.prior.clone(),
        alike,
        as_of: run.as_of,
        horizon_days: run.horizon_days,
        lasts_to: run.as_of.checked_add(days).unwrap_or(Timestamp::MAX),
        confidence: settings.plan_confidence,
    }
}

/// How many ranges are worked on at the same time: while one is read, another is computed.
fn workers(settings: &Settings) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if settings.forecast_threads > 0 { settings.forecast_threads } else { cores + 1 };
    // The scheduler holds a connection for the job's lock, and intake must not starve.
    threads.min(settings.database_connections.saturating_sub(2)).max(1)
}

/// Claims ranges and does them until none is left to claim.
async fn work(
    hub: &Hub,
    run: &Run,
    asked: &Arc<Asked>,
    catalogue: &Arc<Vec<Item>>,
    tell: &(dyn Fn(i64) + Sync),
) -> anyhow::Result<()> {
    let worker = || async move {
        let mut client = hub.pool().get().await?;
        loop {
            let transaction = client.transaction().await?;
            let Some(range) = runs::claim(&transaction, run.id).await? else { return anyhow::Ok(()) };
            forecast_range(&transaction, run, range, asked, catalogue)
                .await
                .with_context(|| format!("units {} to {}", range.first, range.last))?;
            let units = runs::units_in(&*transaction, range).await?;
            transaction.commit().await?;
            tell(units);
        }
    };
    futures_util::future::try_join_all((0..workers(hub.settings())).map(|_| worker())).await?;
    Ok(())
}

async fn publish(hub: &Hub, run: &Run) -> anyhow::Result<Published> {
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let published = runs::publish(&transaction, run.id, run_flaw).await?;
    transaction.commit().await?;
    Ok(published)
}

/// Why a run as a whole is not published.
fn run_flaw(done: Done, replaced: Option<i64>) -> Option<String> {
    if done.held_back * HELD_BACK_SHARE > done.forecasts {
        return Some(format!("{} of {} forecasts did not pass the checks", done.held_back, done.forecasts));
    }
    let replaced = replaced?;
    (done.forecasts * 2 < replaced).then(|| {
        format!(
            "it has {} forecasts where the run before has {replaced}: histories are missing",
            done.forecasts
        )
    })
}

/// Plans all units anew on what the current run says; gives the number of units with a plan, `None` without a run.
pub(crate) async fn plan_again(
    hub: &Hub,
    watch: &(dyn Fn(i64, i64) + Sync),
) -> anyhow::Result<Option<usize>> {
    let mut client = hub.pool().get().await?;
    let Some(run) = runs::current(&**client).await?.transpose()? else { return Ok(None) };
    let catalogue = Arc::new(plans::catalogue(&**client).await?);
    let alike = runs::alike(&**client, run.id)
        .await?
        .with_context(|| format!("of run {} fleet.priors cannot be read: a new run mends it", run.id))?;
    let asked = Arc::new(asked(hub.settings(), &run, alike));
    let ranges = runs::ranges(&**client, run.id).await?;
    let total = i64::try_from(ranges.len()).unwrap_or(i64::MAX);
    let mut planned = 0;
    for (range, done) in ranges.into_iter().zip(1..) {
        let transaction = client.transaction().await?;
        planned += plan_range(&transaction, &run, range, &asked, &catalogue).await?;
        transaction.commit().await?;
        watch(done, total);
    }
    Ok(Some(planned))
}

/// Judges the earlier origins of all units that are not settled yet; gives their number.
pub(super) async fn backtest_again(hub: &Hub) -> anyhow::Result<usize> {
    let mut client = hub.pool().get().await?;
    let Some(run) = runs::current_id(&**client).await? else { return Ok(0) };
    let prior = Arc::new(Prior::builtin());
    let as_of = Timestamp::now();
    let mut judged = 0;
    for range in runs::ranges(&**client, run).await? {
        let transaction = client.transaction().await?;
        judged += backtest_range(&transaction, range, &prior, as_of).await?;
        transaction.commit().await?;
    }
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::run_flaw;
    use crate::database::runs::Done;

    #[test]
    fn a_run_that_lost_its_histories_replaces_nothing() {
        let done = |forecasts, held_back| Done { forecasts, held_back, ..Done::default() };
        assert_eq!(run_flaw(done(100, 1), Some(100)), None);
        assert_eq!(run_flaw(done(100, 0), None), None);
        assert!(run_flaw(done(100, 2), Some(100)).is_some());
        assert!(run_flaw(done(49, 0), Some(100)).is_some());
        assert_eq!(run_flaw(done(0, 0), Some(0)), None);
    }
}
