//! Past forecasts of one history, judged by what came: rolling origins, nothing later known at each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Prior, Question, first_passages,
    history::{DAY_SECONDS, clean},
    shape,
};
use crate::unit::Resource;

/// How far a past forecast looks, days.
pub(super) const LOOK_DAYS: usize = 365;
/// Days between two origins.
const STRIDE_DAYS: usize = 30;
/// Origins of one history, the newest.
const ORIGINS_MAX: usize = 24;
/// Days of history that an origin needs behind it.
const BEHIND_DAYS: usize = 60;
/// Days after an origin without which there is nothing to judge.
const AHEAD_DAYS: usize = 30;
/// Limits asked about at each origin: what the last year's growth would fill in so many days. They are set from what
/// was known at the origin alone; a limit picked by what came would make any model look badly calibrated.
const FILLED_IN_DAYS: [f64; 4] = [30.0, 60.0, 120.0, 240.0];

/// One past forecast and what came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestCase {
    /// The moment from which it was forecast.
    pub origin: Timestamp,
    /// The limit that was asked about, in the resource's unit.
    pub limit: f64,
    /// Until when the truth is known: at most a year after the origin.
    pub judged_until: Timestamp,
    /// Forecast, days after the origin; `None` beyond what can be judged.
    pub p10_days: Option<f64>,
    /// Median.
    pub p50_days: Option<f64>,
    /// Late.
    pub p90_days: Option<f64>,
    /// When it was truly reached; `None` where it was not by `judged_until`.
    pub true_days: Option<f64>,
    /// What the straight line of the last year would have said; `None` beyond what can be judged.
    pub drift_days: Option<f64>,
}

impl BacktestCase {
    /// Days after the origin until which the truth is known.
    pub fn judged_days(&self) -> f64 {
        (self.judged_until.as_second() - self.origin.as_second()) as f64 / DAY_SECONDS as f64
    }
}

/// Forecasts a history from up to 24 of its own past days, 30 days apart, and compares with what came until the moment
/// of asking. Empty for load, whose limit is a rate, and for histories of less than three months.
pub fn backtest(question: &Question<'_>, prior: &Prior) -> Vec<BacktestCase> {
    let Some(mut history) = clean(question).history.filter(|_| question.resource != Resource::Load) else {
        return Vec::new();
    };
    if question.resource == Resource::Endurance {
        shape::make_monotone(&mut history.daily);
    }
    let end = history.daily.len() - 1;
    let at = |day: usize| history.until - jiff::SignedDuration::from_secs((end - day) as i64 * DAY_SECONDS);
    (0..ORIGINS_MAX)
        .map_while(|i| end.checked_sub(AHEAD_DAYS + i * STRIDE_DAYS))
        .take_while(|origin| *origin >= BEHIND_DAYS)
        .flat_map(|origin| {
            // The slice ends at the origin: the model cannot see further.
            let (known, future) = (&history.daily[..=origin], &history.daily[origin + 1..]);
            let future = &future[..future.len().min(LOOK_DAYS)];
            cases(known, future, at(origin), at(origin + future.len()), prior)
        })
        .collect()
}

fn cases(
    known: &[f64],
    future: &[f64],
    origin: Timestamp,
    judged_until: Timestamp,
    prior: &Prior,
) -> Vec<BacktestCase> {
    let last = known[known.len() - 1];
    let days = (known.len() - 1).min(365);
    let growth = (last - known[known.len() - 1 - days]) / days as f64;
    if growth.is_nan() || growth <= 0.0 || !(last + growth * 1e3).is_finite() {
        return Vec::new();
    }
    let limits = FILLED_IN_DAYS.map(|days| last + growth * days);
    let judged = |days: f64| (days <= future.len() as f64).then_some(days);
    first_passages(known, &limits, LOOK_DAYS as u16, prior)
        .iter()
        .zip(limits)
        .zip(FILLED_IN_DAYS)
        .filter(|((_, limit), _)| *limit > last)
        .map(|((passage, limit), drift)| {
            let quantile = |p| passage.quantile(p).and_then(judged);
            BacktestCase {
                origin,
                limit,
                judged_until,
                p10_days: quantile(0.1),
                p50_days: quantile(0.5),
                p90_days: quantile(0.9),
                true_days: future.iter().position(|value| *value >= limit).map(|day| (day + 1) as f64),
                drift_days: judged(drift),
            }
        })
        .collect()
}
