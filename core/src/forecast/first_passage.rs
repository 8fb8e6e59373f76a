//! The distribution of the day on which a limit is first reached.

use super::{
    Prior,
    bootstrap::{self, Futures},
    evidence::evidence,
    network::{self, LEVELS, QUANTILES},
    regular,
};

/// Longest horizon, days: three years.
pub(super) const HORIZON_DAYS_MAX: u16 = 1_096;

/// The first passage over each limit of a daily history whose last value is today's: what is asked by whoever weighs
/// several capacities, at little more than the price of one.
///
/// Days are counted from the last value. A limit that is reached already has day 0; one that is no number is never
/// reached, and nothing is where there are not two values. `horizon_days` is held to 1…1,096. The answer to one limit
/// does not depend on the others.
pub fn first_passages(daily: &[f64], limits: &[f64], horizon_days: u16, prior: &Prior) -> Vec<FirstPassage> {
    let horizon_days = horizon_days.clamp(1, HORIZON_DAYS_MAX);
    let last = daily.last().copied().unwrap_or(0.0);
    let mut passages: Vec<FirstPassage> =
        limits.iter().map(|limit| FirstPassage::certain(*limit <= last, horizon_days)).collect();
    if daily.len() < 2 || daily.iter().any(|value| !value.is_finite()) {
        return passages;
    }
    let mut order: Vec<usize> =
        (0..limits.len()).filter(|i| limits[*i] > last && (limits[*i] - last).is_finite()).collect();
    order.sort_unstable_by(|a, b| limits[*a].total_cmp(&limits[*b]));
    let gaps: Vec<f64> = order.iter().map(|i| limits[*i] - last).collect();
    if gaps.is_empty() {
        return passages;
    }
    let futures = bootstrap::simulate(daily, &gaps, false);
    for (passage, i) in of_gaps(daily, &gaps, &futures, horizon_days, prior).into_iter().zip(order) {
        passages[i] = passage;
    }
    passages
}

/// The same for gaps (positive, rising) whose futures are simulated already.
pub(super) fn of_gaps(
    daily: &[f64],
    gaps: &[f64],
    futures: &Futures,
    horizon_days: u16,
    prior: &Prior,
) -> Vec<FirstPassage> {
    let share = regular::share(daily);
    let calibration = Calibration::of(prior);
    network::ln_days(&evidence(daily, gaps, futures))
        .into_iter()
        .enumerate()
        .map(|(gap, quantiles)| {
            let quantiles = regular::lean(quantiles, futures.days(gap), share);
            FirstPassage::calibrated(&quantiles, horizon_days, &calibration)
        })
        .collect()
}

/// A prior's calibration: which levels of a model's quantiles are told, and how far the logarithms of days are shifted.
pub struct Calibration {
    levels: [f64; QUANTILES],
    shift: f64,
}

impl Calibration {
    /// Of these constants.
    pub fn of(prior: &Prior) -> Self {
        Self { levels: LEVELS.map(|level| prior.network_level(level)), shift: prior.shift }
    }

    /// What is told at 5, 10, 25, 50, 75, 90, 95 %, of a model's rising quantiles of ln(days) at these levels.
    pub fn ln_days(&self, model: &[f64; QUANTILES]) -> [f64; QUANTILES] {
        let points = with_tails(model);
        self.levels.map(|level| ln_day_at(&points, level) + self.shift)
    }
}

/// The distribution of the day of first passage over a horizon, calibrated.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstPassage {
    kind: Kind,
    horizon_days: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Reached,
    Never,
    /// Quantiles at [`LEVELS`] of ln(days), rising.
    LnDays([f64; QUANTILES]),
}

impl FirstPassage {
    /// Reached already, or never.
    pub(super) fn certain(reached: bool, horizon_days: u16) -> Self {
        let kind = if reached { Kind::Reached } else { Kind::Never };
        Self { kind, horizon_days: f64::from(horizon_days) }
    }

    /// From the quantiles at [`LEVELS`] of ln(days) that a model says.
    pub(super) fn calibrated(
        ln_days: &[f64; QUANTILES],
        horizon_days: u16,
        calibration: &Calibration,
    ) -> Self {
        Self { kind: Kind::LnDays(calibration.ln_days(ln_days)), horizon_days: f64::from(horizon_days) }
    }

    /// Lies between this one and another, by the other's share.
    pub(super) fn blended(&self, other: &Self, share: f64) -> Self {
        let kind = match (&self.kind, &other.kind) {
            (Kind::LnDays(a), Kind::LnDays(b)) => {
                Kind::LnDays(core::array::from_fn(|i| a[i] + share * (b[i] - a[i])))
            }
            (a, b) => {
                if share < 0.5 {
                    a.clone()
                } else {
                    b.clone()
                }
            }
        };
        Self { kind, horizon_days: self.horizon_days }
    }

    /// The day by which the limit is reached with this probability; `None` beyond the horizon.
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        match &self.kind {
            Kind::Reached => Some(0.0),
            Kind::Never => None,
            Kind::LnDays(ln_days) => {
                let days = libm::exp(ln_day_at(&with_tails(ln_days), probability.clamp(0.0, 1.0))).max(1.0);
                (days <= self.horizon_days).then_some(days)
            }
        }
    }

    /// Probability that the limit is reached within so many days.
    pub fn probability_within(&self, days: f64) -> f64 {
        match &self.kind {
            Kind::Reached => 1.0,
            Kind::Never => 0.0,
            Kind::LnDays(_) if days.is_nan() || days < 1.0 => 0.0,
            Kind::LnDays(ln_days) => level_of(ln_days, libm::log(days)),
        }
    }
}

/// How far the distribution of ln(days) reaches beyond its outermost quantiles.
const TAIL: f64 = 1.0;

/// Levels and quantiles with the ends of the tails.
fn with_tails(ln_days: &[f64; QUANTILES]) -> [(f64, f64); QUANTILES + 2] {
    const LAST: usize = QUANTILES - 1;
    let early = ln_days[0] - TAIL;
    let late = ln_days[LAST] + TAIL;
    core::array::from_fn(|i| match i {
        0 => (0.0, early),
        i if i > QUANTILES => (1.0, late),
        i => (LEVELS[i - 1], ln_days[i - 1]),
    })
}

fn ln_day_at(points: &[(f64, f64); QUANTILES + 2], level: f64) -> f64 {
    let right = points.iter().position(|p| p.0 >= level).unwrap_or(QUANTILES + 1).max(1);
    let ((l0, d0), (l1, d1)) = (points[right - 1], points[right]);
    d0 + (level - l0) / (l1 - l0) * (d1 - d0)
}

fn level_of(ln_days: &[f64; QUANTILES], ln_day: f64) -> f64 {
    let points = with_tails(ln_days);
    let right = points.partition_point(|p| p.1 <= ln_day);
    let Some(left) = right.checked_sub(1) else { return 0.0 };
    let Some((l1, d1)) = points.get(right).copied() else { return 1.0 };
    let (l0, d0) = points[left];
    l0 + (ln_day - d0) / (d1 - d0) * (l1 - l0)
}
