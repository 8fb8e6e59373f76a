//! The models that are compared, each behind the same call.

use anofox_forecast::core::TimeSeries;
use anofox_forecast::models::Forecaster;
use anofox_forecast::models::baseline::RandomWalkWithDrift;
use anofox_forecast::models::exponential::AutoETS as AnofoxAutoEts;
use anyhow::Context as _;
use augurs::ets::AutoETS as AugursAutoEts;
use augurs::prelude::*;
use headroom_core::forecast::{Prior, first_passages};

/// Days of history that each is given.
pub(crate) const HISTORY_DAYS: usize = 365;
/// Days ahead.
pub(crate) const HORIZON_DAYS: usize = 365;
/// Of the interval between P10 and P90.
const LEVEL: f64 = 0.8;

/// Day of P10, P50 and P90 for each capacity; infinite where it lies beyond the horizon.
pub(crate) type Days = [f64; 3];

/// A model by the name that its predictions' file has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    /// Name.
    pub(crate) name: &'static str,
    /// Answers all capacities of one unit.
    pub(crate) answer: fn(&[f64], &[f64]) -> anyhow::Result<Vec<Days>>,
}

/// All of them, ours first.
pub(crate) const MODELS: [Model; 4] = [
    Model { name: "headroom_year", answer: headroom },
    Model { name: "augurs_auto_ets", answer: augurs_auto_ets },
    Model { name: "anofox_auto_ets", answer: anofox_auto_ets },
    Model { name: "anofox_rwd", answer: anofox_rwd },
];

/// Ours on the same year of history: the whole answer, from values to all quantiles of every capacity.
fn headroom(daily: &[f64], capacities: &[f64]) -> anyhow::Result<Vec<Days>> {
    let passages = first_passages(daily, capacities, HORIZON_DAYS as u16, &Prior::builtin());
    let day = |passage: &headroom_core::forecast::FirstPassage, p| passage.quantile(p).unwrap_or(f64::INFINITY);
    Ok(passages.iter().map(|passage| [0.1, 0.5, 0.9].map(|p| day(passage, p))).collect())
}

fn augurs_auto_ets(daily: &[f64], capacities: &[f64]) -> anyhow::Result<Vec<Days>> {
    // Not seasonal: the crate has no seasonal models.
    let fitted = AugursAutoEts::new(1, "ZZN")?.fit(daily)?;
    let forecast = fitted.predict(HORIZON_DAYS, LEVEL)?;
    let intervals = forecast.intervals.context("no intervals")?;
    Ok(crossings(&intervals.upper, &forecast.point, &intervals.lower, capacities))
}

fn anofox_auto_ets(daily: &[f64], capacities: &[f64]) -> anyhow::Result<Vec<Days>> {
    anofox(&mut AnofoxAutoEts::non_seasonal(), daily, capacities)
}

fn anofox_rwd(daily: &[f64], capacities: &[f64]) -> anyhow::Result<Vec<Days>> {
    anofox(&mut RandomWalkWithDrift::new(), daily, capacities)
}

fn anofox(model: &mut impl Forecaster, daily: &[f64], capacities: &[f64]) -> anyhow::Result<Vec<Days>> {
    let day = |n: usize| chrono::DateTime::from_timestamp(n as i64 * 86_400, 0).context("a time");
    let days = (0..daily.len()).map(day).collect::<anyhow::Result<Vec<_>>>()?;
    let series = TimeSeries::univariate(days, daily.to_vec())?;
    let forecast = model.fit_predict_with_intervals(&series, HORIZON_DAYS, LEVEL)?;
    Ok(crossings(forecast.upper_series(0)?, forecast.primary(), forecast.lower_series(0)?, capacities))
}

/// The first days on which the upper edge, the middle and the lower edge reach each capacity: the early date is that of
/// the upper edge.
fn crossings(upper: &[f64], point: &[f64], lower: &[f64], capacities: &[f64]) -> Vec<Days> {
    let first = |path: &[f64], capacity: f64| {
        path.iter().position(|value| *value >= capacity).map_or(f64::INFINITY, |day| (day + 1) as f64)
    };
    capacities.iter().map(|capacity| [upper, point, lower].map(|path| first(path, *capacity))).collect()
}
