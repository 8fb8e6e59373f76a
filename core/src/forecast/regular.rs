//! Where the past is so regular that every simulated future agrees, the answer leans on the simulation: the network
//! has seen few such histories, and a straight line needs no network.

use super::network::{LEVELS, QUANTILES};

/// Spread ln(P90 / P10) of the simulated days below which the simulation counts in full, and above which it does not.
const AGREED: (f64, f64) = (0.05, 0.30);

/// Moves the network's quantiles of ln(days) towards the simulated ones (`days`, rising, of paths that arrive or
/// [`super::bootstrap::NEVER`]) as far as those agree among themselves.
pub(super) fn lean(network: [f64; QUANTILES], days: &[u16]) -> [f64; QUANTILES] {
    let at = |level: f64| {
        let index = (level * (days.len().saturating_sub(1)) as f64) as usize;
        days.get(index).copied().filter(|day| *day != super::bootstrap::NEVER)
    };
    let (Some(early), Some(late)) = (at(0.1), at(0.9)) else { return network };
    let spread = libm::log(f64::from(late) / f64::from(early));
    let share = ((AGREED.1 - spread) / (AGREED.1 - AGREED.0)).clamp(0.0, 1.0);
    if share == 0.0 {
        return network;
    }
    let mut leaning = network;
    for (quantile, level) in leaning.iter_mut().zip(LEVELS) {
        if let Some(day) = at(level) {
            *quantile += share * (libm::log(f64::from(day)) - *quantile);
        }
    }
    // What the past never did may still come: a part of the network's spread stays.
    let median = leaning[QUANTILES / 2];
    let kept = 0.5;
    for (i, quantile) in leaning.iter_mut().enumerate() {
        let own = *quantile - median;
        let wide = network[i] - network[QUANTILES / 2];
        *quantile =
            median + if own.abs() < kept * wide.abs() { own + share * (kept * wide - own) } else { own };
    }
    leaning
}
