//! The fan: quantiles of the value over time.
//!
//! They are the simulated gains, stretched so that each edge of the fan meets the limit on its date: the upper edge on
//! the early date, the middle on the median, the lower edge on the late one.

use jiff::Timestamp;

use super::{
    FanPoint,
    bootstrap::{BLOCK_DAYS, Futures, GAIN_POINTS},
    first_passage::FirstPassage,
};

/// Stretching further than this would say more than the simulation does.
const STRETCH: (f64, f64) = (0.2, 5.0);

/// Days ahead with the value's quantiles at 10, 50 and 90 %, every 30 days up to the horizon.
pub(super) fn of(
    futures: &Futures,
    passage: &FirstPassage,
    last: f64,
    gap: f64,
    horizon_days: u16,
) -> Vec<(f64, [f64; 3])> {
    let months = (usize::from(horizon_days) / BLOCK_DAYS).min(GAIN_POINTS);
    let mut curves: Vec<[f64; 3]> = (1..=months).map(|month| futures.gains(month, [0.1, 0.5, 0.9])).collect();
    for (edge, probability) in [0.9, 0.5, 0.1].into_iter().enumerate() {
        let Some(date) = passage.quantile(probability) else { continue };
        let simulated = at_day(&curves, edge, date);
        if simulated > 0.0 {
            let stretch = (gap / simulated).clamp(STRETCH.0, STRETCH.1);
            for values in &mut curves {
                values[edge] *= stretch;
            }
        }
    }
    let day = |i: usize| ((i + 1) * BLOCK_DAYS) as f64;
    curves
        .into_iter()
        .enumerate()
        .map(|(i, gains)| (day(i), gains.map(|gain| (last + gain).max(0.0))))
        .collect()
}

/// One edge's gain at a day, on the line between its points.
fn at_day(curves: &[[f64; 3]], edge: usize, day: f64) -> f64 {
    let place = day / BLOCK_DAYS as f64;
    let right = (place as usize).min(curves.len().saturating_sub(1));
    let Some(high) = curves.get(right) else { return 0.0 };
    let low = right.checked_sub(1).map_or(0.0, |left| curves[left][edge]);
    low + (place - right as f64).clamp(0.0, 1.0) * (high[edge] - low)
}

/// A point whose edges are in order.
pub(super) fn point(at: Timestamp, mut values: [f64; 3]) -> FanPoint {
    values.sort_unstable_by(f64::total_cmp);
    let [p10, p50, p90] = values.map(|value| value.clamp(0.0, f64::MAX));
    FanPoint { at, p10, p50, p90 }
}
