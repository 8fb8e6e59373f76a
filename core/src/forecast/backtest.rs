//! Backtests: what would have been said at earlier origins, judged by what came.
//!
//! Origins are the first of each month. Each asks, with nothing later known, about a limit that is set from the past alone:
//! what the growth of the half year before would reach in 90 days. The straight line of the year before is asked too.

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Observation, Prior, Question, State, forecast, history::DAY_SECONDS};
use crate::unit::Resource;

/// How far is judged, days: the scorer's year.
pub const JUDGED_DAYS: u16 = 365;
/// Least history before an origin, days.
const HISTORY_DAYS_MIN: f64 = 60.0;
/// Least time after an origin before it is judged, days.
const AFTER_DAYS_MIN: f64 = 30.0;
/// Most origins of one resource: the newest.
const ORIGINS_MAX: usize = 24;
/// Growth of so many days before an origin sets the limit, days.
const PACE_DAYS: f64 = 180.0;
/// In so many days that growth would reach it.
const AHEAD_DAYS: f64 = 90.0;
/// Where nothing grew, the limit lies this share above the last value.
const ABOVE: f64 = 0.05;
/// The straight line looks back so far, days.
const DRIFT_DAYS: f64 = 365.0;

/// A forecast of an earlier origin with its outcome. Days are counted from the origin; `None` is beyond the year that is
/// judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestCase {
    /// The moment of asking.
    pub origin: Timestamp,
    /// The limit that was asked about, in the resource's unit.
    pub limit: f64,
    /// Until when the truth is known: at most [`JUDGED_DAYS`] after the origin.
    pub judged_until: Timestamp,
    /// P10, P50, P90.
    pub quantiles: [Option<f64>; 3],
    /// When it was truly reached; `None` where it was not by `judged_until`.
    pub true_days: Option<f64>,
    /// What the straight line said.
    pub drift_days: Option<f64>,
    /// Model and version of its constants.
    pub model: String,
}

/// Judges the origins of one history that are not settled yet. The question's own limit and horizon are not asked about.
/// Load has a date of another kind (a high quantile that stays above), and is not judged here.
pub fn backtest(
    question: &Question<'_>,
    prior: &Prior,
    is_settled: impl Fn(Timestamp) -> bool,
) -> Vec<BacktestCase> {
    if question.resource == Resource::Load {
        return Vec::new();
    }
    let mut rows: Vec<Observation> = question
        .observations
        .iter()
        .filter(|row| row.at <= question.as_of && row.used.is_finite())
        .copied()
        .collect();
    rows.sort_unstable_by_key(|row| row.at);
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Vec::new() };
    origins(first.at, last.at)
        .into_iter()
        .filter(|origin| !is_settled(*origin))
        .filter_map(|origin| judge(question.resource, &rows, prior, origin))
        .collect()
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / DAY_SECONDS as f64
}

/// Firsts of months with enough history before and enough outcome after, the oldest first.
fn origins(first: Timestamp, last: Timestamp) -> Vec<Timestamp> {
    let month = last.to_zoned(TimeZone::UTC).date().first_of_month();
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).ok();
    let mut origins: Vec<Timestamp> = (0..60_i64)
        .filter_map(|back| midnight(month.checked_sub(back.months()).ok()?))
        .filter(|origin| days(*origin, last) >= AFTER_DAYS_MIN && days(first, *origin) >= HISTORY_DAYS_MIN)
        .take(ORIGINS_MAX)
        .collect();
    origins.reverse();
    origins
}

/// Value at a time: the last one known then.
fn at(rows: &[Observation], when: Timestamp) -> Option<&Observation> {
    rows[..rows.partition_point(|row| row.at <= when)].last()
}

fn judge(resource: Resource, rows: &[Observation], prior: &Prior, origin: Timestamp) -> Option<BacktestCase> {
    let split = rows.partition_point(|row| row.at <= origin);
    let (past, future) = rows.split_at(split);
    let (first, known) = (past.first()?, past.last()?);
    let limit = asked_limit(past, known)?;
    let question = Question {
        resource,
        observations: past,
        limit: Some(limit),
        as_of: origin,
        horizon_days: JUDGED_DAYS,
    };
    let answer = forecast(&question, prior);
    if matches!(answer.state, State::TooShort | State::Stale | State::UnknownLimit | State::AlreadyExhausted)
    {
        return None;
    }
    let last_day = origin + SignedDuration::from_hours(24 * i64::from(JUDGED_DAYS));
    let judged_until = future.last()?.at.min(last_day);
    let reached = future.iter().find(|row| row.at <= judged_until && row.used >= limit);
    let since = known.at - SignedDuration::from_hours(24 * DRIFT_DAYS as i64);
    let from = at(past, since).unwrap_or(first);
    let pace = (known.used - from.used) / days(from.at, known.at).max(1.0);
    let within = |days: f64| Some(days).filter(|days| days.is_finite() && *days <= f64::from(JUDGED_DAYS));
    let date = |at: Option<Timestamp>| at.and_then(|at| within(days(origin, at).max(0.0)));
    Some(BacktestCase {
        origin,
        limit,
        judged_until,
        quantiles: [date(answer.p10), date(answer.p50), date(answer.p90)],
        true_days: reached.map(|row| days(origin, row.at)),
        drift_days: (pace > 0.0).then_some((limit - known.used) / pace).and_then(within),
        model: answer.model,
    })
}

/// A limit above the last value, from the past alone.
fn asked_limit(past: &[Observation], known: &Observation) -> Option<f64> {
    let since = known.at - SignedDuration::from_hours(24 * PACE_DAYS as i64);
    let from = at(past, since).or(past.first())?;
    let growth = (known.used - from.used) / days(from.at, known.at).max(1.0) * AHEAD_DAYS;
    let limit = known.used + if growth > known.used * 1e-3 { growth } else { known.used * ABOVE };
    (limit.is_finite() && limit > 0.0 && limit > known.used).then_some(limit)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{BacktestCase, backtest};
    use crate::forecast::{Observation, Prior, Question};
    use crate::unit::Resource;

    fn start() -> Timestamp {
        "2025-01-01T12:00:00Z".parse().expect("a time")
    }

    fn history(days: i64, used: impl Fn(i64) -> f64) -> Vec<Observation> {
        (0..days)
            .map(|day| Observation {
                at: start() + SignedDuration::from_hours(24 * day),
                used: used(day),
                limit: Some(1e15),
            })
            .collect()
    }

    fn judged(
        observations: &[Observation],
        until: i64,
        is_settled: impl Fn(Timestamp) -> bool,
    ) -> Vec<BacktestCase> {
        let question = Question {
            resource: Resource::Capacity,
            observations,
            limit: None,
            as_of: start() + SignedDuration::from_hours(24 * until),
            horizon_days: 1,
        };
        backtest(&question, &Prior::builtin(), is_settled)
    }

    #[test]
    fn a_steady_growth_comes_true_in_the_days_that_the_line_says() {
        let history = history(500, |day| 1e12 + 1e9 * day as f64);
        let cases = judged(&history, 499, |_| false);
        assert!(cases.len() >= 12, "{}", cases.len());
        for one in
            cases.iter().filter(|one| one.judged_until > one.origin + SignedDuration::from_hours(24 * 95))
        {
            let (truth, drift) = (one.true_days.expect("reached"), one.drift_days.expect("a line"));
            assert!((truth - 90.0).abs() < 2.0 && (drift - 90.0).abs() < 2.0, "{one:?}");
        }
        assert!(judged(&history, 499, |_| true).is_empty(), "settled ones are left");
    }

    /// What came after an origin changes what it is judged by, and nothing of what was said.
    #[test]
    fn nothing_after_an_origin_moves_what_was_said() {
        let cut = 300;
        let calm = history(500, |day| 1e12 + 1e9 * day as f64);
        let wild = history(500, |day| 1e12 + 1e9 * day as f64 + if day > cut { 5e12 } else { 0.0 });
        let before = start() + SignedDuration::from_hours(24 * cut);
        let told = |cases: Vec<BacktestCase>| {
            cases
                .into_iter()
                .filter(|one| one.origin <= before)
                .map(|one| {
                    (one.origin, one.limit.to_bits(), one.quantiles.map(|days| days.map(f64::to_bits)))
                })
                .collect::<Vec<_>>()
        };
        assert!(!told(judged(&calm, 499, |_| false)).is_empty());
        assert_eq!(told(judged(&calm, 499, |_| false)), told(judged(&wild, 499, |_| false)));
    }
}
