//! The distribution of the day on which a limit is first reached.

use super::{Prior, simulate::simulate};

/// Longest horizon, days: three years.
pub(super) const HORIZON_DAYS_MAX: u16 = 1_096;

/// The first passage over each limit of a daily history whose last value is today's: what is asked by whoever weighs
/// several capacities, at little more than the price of one.
///
/// Days are counted from the last value. A limit that is reached already has day 0; one that is no number is never
/// reached. `horizon_days` is held to 1…1,096.
pub fn first_passages(daily: &[f64], limits: &[f64], horizon_days: u16, prior: &Prior) -> Vec<FirstPassage> {
    let horizon_days = horizon_days.clamp(1, HORIZON_DAYS_MAX);
    let last = daily.last().copied().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..limits.len()).filter(|i| limits[*i] > last).collect();
    order.sort_unstable_by(|a, b| limits[*a].total_cmp(&limits[*b]));
    let rising: Vec<f64> = order.iter().map(|i| limits[*i]).collect();
    let futures = simulate(daily, &rising, &[], horizon_days, prior);
    let mut passages: Vec<FirstPassage> = limits
        .iter()
        .map(|limit| FirstPassage { days: if *limit <= last { vec![0.0] } else { Vec::new() }, paths: 1 })
        .collect();
    for (days, i) in futures.passage_days.iter().zip(order) {
        passages[i] = FirstPassage::calibrated(days, futures.paths, horizon_days, prior);
    }
    passages
}

/// The distribution of the day of first passage over a horizon, calibrated.
#[derive(Debug, Clone)]
pub struct FirstPassage {
    /// Days from the last value, rising, of the paths that reach the limit.
    days: Vec<f64>,
    /// Number of paths, those that never reach it included.
    paths: usize,
}

impl FirstPassage {
    /// Calibrates the days of first passage: spreads their logarithms about the median and shifts them.
    /// Where fewer than half of the paths arrive there is no median to spread about, and the horizon takes its place.
    pub(super) fn calibrated(days: &[u16], paths: usize, horizon_days: u16, prior: &Prior) -> Self {
        let centre = match quantile_index(0.5, paths) {
            index if index < days.len() => f64::from(days[index]),
            _ => f64::from(horizon_days),
        };
        let centre = libm::log(centre);
        let days = days
            .iter()
            .map(|day| {
                let distance = libm::log(f64::from(*day)) - centre;
                let spread = if distance < 0.0 { prior.spread_early } else { prior.spread_late };
                libm::exp(centre + prior.shift + spread * distance).clamp(1.0, f64::from(horizon_days))
            })
            .collect();
        Self { days, paths }
    }

    /// The day by which the limit is reached with this probability; `None` beyond the horizon.
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        self.days.get(quantile_index(probability, self.paths)).copied()
    }

    /// Probability that the limit is reached within so many days.
    pub fn probability_within(&self, days: f64) -> f64 {
        self.days.partition_point(|d| *d <= days) as f64 / self.paths as f64
    }
}

fn quantile_index(probability: f64, paths: usize) -> usize {
    // Hyndman and Fan's type 1: the smallest order statistic at which the empirical distribution reaches it.
    (libm::ceil(probability * paths as f64) as usize).saturating_sub(1)
}
