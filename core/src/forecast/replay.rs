//! The unit's own past played again: from many past days, how long did it take to gain what is still free?
//!
//! A past day from which it was not gained before today says only "longer than that": Kaplan and Meier's estimator
//! (1958) takes such censored answers as what they are.

/// Days between two past starts.
const STRIDE_DAYS: usize = 7;
/// How far back the first start lies, days.
const LOOK_BACK_DAYS: usize = 1_460;
/// After so many days a start counts half as much.
const HALF_LIFE_DAYS: f64 = 365.0;
/// A length later than any horizon: "not reached".
const NEVER: f64 = 3_660.0;
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

/// One gap's outcome: lengths in days and whether the gap was reached then.
struct Outcome {
    days: u16,
    reached: bool,
    weight: f64,
}

/// Quantiles of the length in days that each gap (positive, rising) took in the past, in the order of `levels`.
pub(super) fn replay(daily: &[f64], gaps: &[f64], scale: Scale, levels: &[f64]) -> Vec<Vec<f64>> {
    let last = daily.len() - 1;
    let chunk_highs: Vec<f64> =
        daily.chunks(CHUNK_DAYS).map(|c| c.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect();
    let today = daily[last].max(f64::MIN_POSITIVE);
    let mut outcomes: Vec<Vec<Outcome>> =
        gaps.iter().map(|_| Vec::with_capacity(LOOK_BACK_DAYS / STRIDE_DAYS)).collect();
    let mut back = STRIDE_DAYS;
    while back <= last.min(LOOK_BACK_DAYS) {
        let start = last - back;
        let factor = match scale {
            Scale::Absolute => 1.0,
            Scale::Relative => daily[start] / today,
        };
        let weight = libm::exp2(-(back as f64) / HALF_LIFE_DAYS);
        let mut day = start + 1;
        for (gap, outcomes) in gaps.iter().zip(&mut outcomes) {
            let wanted = daily[start] + gap * factor;
            while day <= last && daily[day] < wanted {
                day += 1;
                while day.is_multiple_of(CHUNK_DAYS) && day <= last && chunk_highs[day / CHUNK_DAYS] < wanted
                {
                    day += CHUNK_DAYS;
                }
            }
            day = day.min(last + 1);
            outcomes.push(Outcome { days: (day.min(last) - start) as u16, reached: day <= last, weight });
        }
        back += STRIDE_DAYS;
    }
    outcomes.into_iter().map(|o| kaplan_meier(o, levels)).collect()
}

fn kaplan_meier(mut outcomes: Vec<Outcome>, levels: &[f64]) -> Vec<f64> {
    outcomes.sort_unstable_by_key(|o| (o.days, !o.reached));
    let mut at_risk: f64 = outcomes.iter().map(|o| o.weight).sum();
    let mut surviving = 1.0;
    let mut quantiles = vec![NEVER; levels.len()];
    let mut next = 0;
    for outcome in &outcomes {
        if outcome.reached {
            surviving *= (1.0 - outcome.weight / at_risk).max(0.0);
            while next < levels.len() && 1.0 - surviving >= levels[next] {
                quantiles[next] = f64::from(outcome.days);
                next += 1;
            }
        }
        at_risk -= outcome.weight;
    }
    quantiles
}
