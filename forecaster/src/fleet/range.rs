//! One claimed range of a run, from histories to stored forecasts and plans, in the transaction that holds the claim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use headroom_core::forecast::{JUDGED_DAYS, Pooled, Prior, Question, backtest, follow};
use headroom_core::plan::Item;
use headroom_core::unit::Resource;
use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::compute::{Asked, plan};
use super::select::{counts, unchanged};
use super::settle::settle;
use super::validate::flaw;
use crate::database::backtests::{self, Judged};
use crate::database::forecasts::{self, Made, Stored};
use crate::database::histories::{self, Component, History, Site};
use crate::database::plans::{self, UnitPlan};
use crate::database::runs::{self, Done, Range, Run, Scope};

/// What the range's computation is given; it runs on a thread of its own.
struct Given {
    asked: Arc<Asked>,
    catalogue: Arc<Vec<Item>>,
    components: Vec<Component>,
    sites: Vec<Site>,
    histories: Vec<History>,
    previous: Vec<Stored>,
}

/// What came of it.
#[derive(Default)]
struct Computed {
    forecasts: Vec<Made>,
    /// Components and resources whose new forecast cannot be.
    held_back: Vec<(i64, &'static str)>,
    plans: Vec<UnitPlan>,
}

/// Does one range and writes down that it is done; nothing of it is seen before the transaction commits.
pub(crate) async fn forecast_range(
    transaction: &Transaction<'_>,
    run: &Run,
    range: Range,
    asked: &Arc<Asked>,
    catalogue: &Arc<Vec<Item>>,
) -> anyhow::Result<Done> {
    let mut components = histories::components(transaction, range).await?;
    let previous = forecasts::previous(transaction, range).await?;
    let stands = match run.scope {
        Scope::All => BTreeSet::new(),
        Scope::Changed => unchanged(&components, &previous, &run.prior.version, run.as_of),
    };
    let (carried_parts, carried_resources): (Vec<i64>, Vec<&str>) = previous
        .iter()
        .filter(|one| stands.contains(&one.unit_id))
        .map(|one| (one.component_id, one.forecast.resource.as_str()))
        .unzip();
    let carried = forecasts::carry_over(transaction, run.id, &carried_parts, &carried_resources).await?;
    let carried_units: Vec<i64> = stands.iter().copied().collect();
    plans::carry_over(transaction, run.id, &carried_units).await?;

    components.retain(|part| !stands.contains(&part.unit));
    let computed = computed(transaction, range, components, previous, asked, catalogue).await?;
    let written = forecasts::write(transaction, run.id, &computed.forecasts).await?;
    let (parts, resources): (Vec<i64>, Vec<&str>) = computed.held_back.iter().copied().unzip();
    let kept = forecasts::carry_over(transaction, run.id, &parts, &resources).await?;
    plans::write(transaction, run.id, &computed.plans).await?;
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let done = Done {
        forecasts: count(carried + written + kept),
        carried: count(carried),
        held_back: count(computed.held_back.len() as u64),
        plans: count((computed.plans.len() + carried_units.len()) as u64),
    };
    runs::done(transaction, run.id, range, done).await?;
    Ok(done)
}

/// Plans the units of a range anew on what the run says, after prices, terms or the catalogue have changed.
pub(crate) async fn plan_range(
    transaction: &Transaction<'_>,
    run: &Run,
    range: Range,
    asked: &Arc<Asked>,
    catalogue: &Arc<Vec<Item>>,
) -> anyhow::Result<usize> {
    let components = histories::components(transaction, range).await?;
    let previous = forecasts::previous(transaction, range).await?;
    let computed = computed(transaction, range, components, previous, asked, catalogue).await?;
    plans::remove(transaction, run.id, range.first, range.last).await?;
    plans::write(transaction, run.id, &computed.plans).await?;
    Ok(computed.plans.len())
}

/// Judges the earlier origins of a range that are not settled yet; gives their number.
pub(crate) async fn backtest_range(
    transaction: &Transaction<'_>,
    range: Range,
    prior: &Arc<Prior>,
    as_of: Timestamp,
) -> anyhow::Result<usize> {
    let mut ids = Vec::new();
    let mut no_capacity = BTreeSet::new();
    for part in histories::components(transaction, range).await? {
        ids.push(part.id);
        if !counts(&part, Resource::Capacity) {
            no_capacity.insert(part.id);
        }
    }
    if ids.is_empty() {
        return Ok(0);
    }
    let settled: BTreeSet<(i64, String, Timestamp)> =
        backtests::settled(transaction, &ids, &prior.version, i32::from(JUDGED_DAYS))
            .await?
            .into_iter()
            .collect();
    let histories = histories::daily(transaction, as_of, &ids).await?;
    let prior = Arc::clone(prior);
    let judged = tokio::task::spawn_blocking(move || {
        histories
            .iter()
            .filter(|one| one.resource != Resource::Capacity || !no_capacity.contains(&one.component))
            .flat_map(|one| {
                let question = Question {
                    resource: one.resource,
                    observations: &one.observations,
                    limit: None,
                    as_of,
                    horizon_days: JUDGED_DAYS,
                };
                let name = one.resource.to_string();
                let known = |origin| settled.contains(&(one.component, name.clone(), origin));
                let cases = backtest(&question, &prior, known);
                cases.into_iter().map(|case| Judged {
                    component: one.component,
                    resource: one.resource,
                    case,
                })
            })
            .collect::<Vec<_>>()
    })
    .await
    .context("the backtests of a range ended")?;
    backtests::write(transaction, &judged).await?;
    Ok(judged.len())
}

async fn computed(
    transaction: &Transaction<'_>,
    range: Range,
    components: Vec<Component>,
    previous: Vec<Stored>,
    asked: &Arc<Asked>,
    catalogue: &Arc<Vec<Item>>,
) -> anyhow::Result<Computed> {
    if components.is_empty() {
        return Ok(Computed::default());
    }
    let ids: Vec<i64> = components.iter().map(|part| part.id).collect();
    let mut histories = histories::daily(transaction, asked.as_of, &ids).await?;
    lend(&mut histories, &components, asked);
    let sites = histories::sites(transaction, range).await?;
    let (asked, catalogue) = (Arc::clone(asked), Arc::clone(catalogue));
    let given = Given { asked, catalogue, components, sites, histories, previous };
    // Off the threads that talk to PostgreSQL: another range is read meanwhile.
    tokio::task::spawn_blocking(move || compute(&given)).await.context("the computation of a range ended")
}

/// Gives short histories what units alike have shown.
fn lend(histories: &mut [History], components: &[Component], asked: &Asked) {
    for history in histories.iter_mut().filter(|one| Pooled::helps(&one.observations)) {
        let likeness = components.iter().find(|part| part.id == history.component).map(|part| &part.likeness);
        history.pooled = likeness.and_then(|likeness| asked.alike.pooled(history.resource, likeness));
    }
}

fn compute(given: &Given) -> Computed {
    let parts: BTreeMap<i64, &Component> = given.components.iter().map(|part| (part.id, part)).collect();
    let before: BTreeMap<_, _> =
        given.previous.iter().map(|one| ((one.component_id, one.forecast.resource), &one.forecast)).collect();
    let mut computed = Computed::default();
    let mut of_unit: BTreeMap<i64, Vec<Made>> = BTreeMap::new();
    for history in &given.histories {
        let Some(part) = parts.get(&history.component).filter(|part| counts(part, history.resource)) else {
            continue;
        };
        let mut forecast = given.asked.forecast(history);
        if let Some(before) = before.get(&(history.component, history.resource)) {
            forecast = follow(before, forecast);
        }
        let forecast = settle(forecast);
        if let Some(flaw) = flaw(&forecast) {
            tracing::error!(component = history.component, resource = %history.resource, flaw, "a forecast is held back");
            computed.held_back.push((history.component, history.resource.as_str()));
            continue;
        }
        of_unit.entry(part.unit).or_default().push(Made {
            component: history.component,
            forecast,
            pooled: history.pooled.clone(),
        });
    }
    for site in &given.sites {
        let Some(forecasts) = of_unit.get(&site.unit) else { continue };
        computed.plans.extend(plan(
            &given.asked,
            site,
            &given.components,
            forecasts,
            &given.histories,
            &given.catalogue,
        ));
    }
    computed.forecasts = of_unit.into_values().flatten().collect();
    computed
}
