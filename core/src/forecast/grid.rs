//! The future days at which an answer is given.

use jiff::{SignedDuration, Timestamp};

use super::history::DAY_SECONDS;

/// Points of the distribution, the three dates not counted.
const GRID_POINTS: u16 = 36;

/// Days of the grid: dense at first, since the next weeks matter most; the last is the horizon.
pub(super) fn grid_days(horizon_days: u16) -> Vec<u16> {
    let points = f64::from(GRID_POINTS);
    let mut days: Vec<u16> = (1..=GRID_POINTS)
        .map(|i| {
            let share = f64::from(i) / points;
            libm::ceil(share * share.max(0.15) * f64::from(horizon_days)) as u16
        })
        .map(|day| day.clamp(1, horizon_days))
        .collect();
    days.dedup();
    days
}

/// The time so many days later, whole seconds; the latest that a timestamp can hold where that is too far.
pub(super) fn after(at: Timestamp, days: f64) -> Timestamp {
    let seconds = libm::round(days * DAY_SECONDS as f64) as i64;
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
