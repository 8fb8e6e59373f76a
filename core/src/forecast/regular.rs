//! Where the past is so regular that every simulated future agrees, the answer leans on the simulation: the network
//! has seen few such histories, and a straight line needs no network.
//!
//! How far it leans depends on the history alone, so that a higher limit is never reached earlier. And no history is a
//! ground for a median before the very first of its simulated futures.

use super::{
    bootstrap::{NEVER, PATH_DAYS},
    day_classes::LN_NEVER,
    network::{LEVELS, QUANTILES},
};

/// Spread ln(P90 / P10) of the gains of 30 days below which the simulation counts in full, and above which it does not.
const AGREED: (f64, f64) = (0.1, 0.6);
/// How far each quantile leans, where the simulation counts in full: what the past never did may still come, and a part
/// of the network's spread stays.
const LEANING: [f64; QUANTILES] = [0.7, 0.75, 0.85, 1.0, 0.85, 0.75, 0.7];
/// Days of a gain.
const MONTH_DAYS: usize = 30;
/// Days of history that are looked at.
const LOOK_BACK_DAYS: usize = 1_460;

/// How far to lean on the simulation, 0 to 1: as far as the gains of all months agree.
pub(super) fn share(daily: &[f64]) -> f64 {
    let last = daily.len() - 1;
    let step = MONTH_DAYS.min(last.div_ceil(2));
    let recent = &daily[last - last.min(LOOK_BACK_DAYS)..];
    let mut gains: Vec<f64> =
        (0..recent.len() - step).map(|from| recent[from + step] - recent[from]).collect();
    let places = gains.len() - 1;
    let mut at = |level: f64| {
        let place = (level * places as f64) as usize;
        *gains.select_nth_unstable_by(place, f64::total_cmp).1
    };
    let (low, high) = (at(0.1), at(0.9));
    if low <= 0.0 {
        return 0.0;
    }
    ((AGREED.1 - libm::log(high / low)) / (AGREED.1 - AGREED.0)).clamp(0.0, 1.0)
}

/// Moves the network's quantiles of ln(days) towards those of the simulated `days`, in any order.
pub(super) fn lean(mut network: [f64; QUANTILES], days: &[u16], share: f64) -> [f64; QUANTILES] {
    if let Some(first) = days.iter().min() {
        let first = libm::log(f64::from(*first).min(PATH_DAYS as f64));
        network[QUANTILES / 2..].iter_mut().for_each(|quantile| *quantile = quantile.max(first));
    }
    if share == 0.0 {
        return network;
    }
    let mut days = days.to_vec();
    days.sort_unstable();
    let mut leaning: [f64; QUANTILES] = core::array::from_fn(|i| {
        let day = days[(LEVELS[i] * (days.len() - 1) as f64) as usize];
        let simulated = if day == NEVER { LN_NEVER } else { libm::log(f64::from(day)) };
        network[i] + share * LEANING[i] * (simulated - network[i])
    });
    leaning.sort_unstable_by(f64::total_cmp);
    leaning
}
