//! Simulated futures: blocks of the unit's own daily increments, drawn from windows of several lengths and added to
//! the last value (moving-block bootstrap, Künsch 1989). One set of paths answers for every limit.

use super::{Prior, random::Random};

/// What the simulation found.
pub(super) struct Futures {
    /// For each limit, in the order given: the day of first passage of each path, rising; paths that never reach it are left out.
    pub passage_days: Vec<Vec<u16>>,
    /// For each day asked for: the value of each path, rising.
    pub values: Vec<Vec<f64>>,
    /// Number of paths.
    pub paths: usize,
}

/// Simulates `horizon_days` days from the last of `daily`. `floor_zero`: values do not fall below zero.
/// `limits` must rise; `fan_days` must rise and lie in `1..=horizon_days`.
pub(super) fn simulate(
    daily: &[f64],
    limits: &[f64],
    fan_days: &[u16],
    horizon_days: u16,
    prior: &Prior,
) -> Futures {
    let increments: Vec<f64> = daily.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let start = daily.last().copied().unwrap_or(0.0);
    let strata = prior.windows_days.len().max(1);
    let paths = usize::from(prior.paths).max(strata);
    let mut futures = Futures {
        passage_days: vec![Vec::new(); limits.len()],
        values: vec![Vec::with_capacity(paths); fan_days.len()],
        paths,
    };
    if increments.is_empty() {
        return futures;
    }
    // The seed depends on nothing but the length: rescaling the bytes must not change the draw.
    let mut random = Random::new(0x4865_6164_726f_6f6d ^ increments.len() as u64);
    for path in 0..paths {
        let stratum = path % strata;
        let window =
            usize::from(prior.windows_days.get(stratum).copied().unwrap_or(365)).clamp(1, increments.len());
        let block = usize::from(prior.blocks_days.get(stratum).copied().unwrap_or(30)).clamp(1, window);
        let pool = &increments[increments.len() - window..];
        let (mut value, mut next_limit, mut next_fan) = (start, 0, 0);
        let mut day: u16 = 0;
        // The first block is a systematic draw over the window: half the variance of a random one for nothing.
        let mut from = (path / strata) * (window - block + 1) * strata / paths;
        'path: loop {
            for increment in &pool[from..from + block] {
                day += 1;
                value = (value + increment).max(0.0);
                while next_limit < limits.len() && value >= limits[next_limit] {
                    futures.passage_days[next_limit].push(day);
                    next_limit += 1;
                }
                if fan_days.get(next_fan) == Some(&day) {
                    futures.values[next_fan].push(value);
                    next_fan += 1;
                }
                if day >= horizon_days || (next_limit == limits.len() && next_fan == fan_days.len()) {
                    break 'path;
                }
            }
            from = random.below(window - block + 1);
        }
    }
    for days in &mut futures.passage_days {
        days.sort_unstable();
    }
    for values in &mut futures.values {
        values.sort_unstable_by(f64::total_cmp);
    }
    futures
}
