//! The unit's own past played again: from many past days, how long did it take to gain what is still free?
//!
//! A past day from which it was not gained before today is taken to go on at the pace of its best gain so far, so that a
//! wider gap never takes less time, and counts the less the shorter its past is.

use super::day_classes::{DAYS_MAX, DayClasses};

/// Days between two past starts.
const STRIDE_DAYS: usize = 14;
/// How far back the first start lies, days.
const LOOK_BACK_DAYS: usize = 1_460;
/// After so many days a start counts half as much.
const HALF_LIFE_DAYS: f64 = 365.0;
/// A start so many days ago counts half as much as its age says: its pace is that of few days.
const SHORT_DAYS: f64 = 60.0;
/// Values that are skipped at once while nothing is reached.
const CHUNK_DAYS: usize = 16;

/// How the target of a past start is made from the gap of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// The same number of bytes.
    Absolute,
    /// The same share of the value: for what grows in proportion to itself.
    Relative,
}

/// The lengths that each gap (positive, rising) took in the past.
pub(super) fn replay(daily: &[f64], gaps: &[f64], scale: Scale) -> Vec<DayClasses> {
    let last = daily.len() - 1;
    let chunk_highs: Vec<f64> =
        daily.chunks(CHUNK_DAYS).map(|c| c.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect();
    let today = daily[last].max(f64::MIN_POSITIVE);
    let mut lengths = vec![DayClasses::none(); gaps.len()];
    let mut highest = f64::NEG_INFINITY;
    let mut seen = last + 1;
    let mut back = STRIDE_DAYS;
    while back <= last.min(LOOK_BACK_DAYS) {
        let start = last - back;
        for value in &daily[start + 1..seen] {
            highest = highest.max(*value);
        }
        seen = start + 1;
        let factor = match scale {
            Scale::Absolute => 1.0,
            Scale::Relative => daily[start] / today,
        };
        let age = back as f64;
        let weight = (libm::exp2(-age / HALF_LIFE_DAYS) * age / (age + SHORT_DAYS)) as f32;
        let best = highest - daily[start];
        let mut day = start + 1;
        for (gap, lengths) in gaps.iter().zip(&mut lengths) {
            let rise = gap * factor;
            let wanted = daily[start] + rise;
            while day <= last && daily[day] < wanted {
                day += 1;
                while day.is_multiple_of(CHUNK_DAYS) && day <= last && chunk_highs[day / CHUNK_DAYS] < wanted
                {
                    day += CHUNK_DAYS;
                }
            }
            let length = if day <= last {
                day - start
            } else if best > 0.0 {
                // The conversion saturates.
                (age * (rise / best)).max(age) as usize
            } else {
                DAYS_MAX + 1
            };
            lengths.add(length, weight);
        }
        back += STRIDE_DAYS;
    }
    lengths
}
