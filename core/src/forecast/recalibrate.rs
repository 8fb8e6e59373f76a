//! The width of the band, from how past forecasts came out. Only outcomes that were known at the moment of asking count.
//!
//! Conformal in the logarithm of days: the band is stretched on each side of the median until one in ten outcomes lies
//! beyond it, of those forecasts that were made.

use super::Prior;

/// Outcomes below which the constants stay as they are: fewer say little about a tail of 10 %.
const OUTCOMES_MIN: usize = 200;
/// The band is never made narrower or wider than by these factors.
const STRETCH: [f64; 2] = [0.5, 2.0];
/// Share of outcomes beyond each end.
const TAIL: f64 = 0.1;
/// Steps of the constants: with a finer one every run would have constants of its own.
const STEP: f64 = 0.05;

/// An outcome, as the band's width is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Model and version of the forecast's constants.
    pub model: String,
    /// P10, P50, P90 in days.
    pub quantiles: [Option<f64>; 3],
    /// When it was reached; `None` where it was not inside the year.
    pub true_days: Option<f64>,
}

/// The constants with the band's width as the outcomes ask for; `given` itself where they are too few. All outcomes must
/// have been known at the moment that the constants are for.
pub fn recalibrated(given: Prior, outcomes: &[Outcome]) -> Prior {
    let usable: Vec<&Outcome> = outcomes.iter().filter(|one| one.model == given.version).collect();
    if usable.len() < OUTCOMES_MIN {
        return given;
    }
    let ln = |days: f64| libm::log(days.max(1.0));
    let beyond = f64::INFINITY; // not reached, or not inside the horizon
    let early = stretch(usable.iter().map(|one| {
        let (Some(p10), Some(p50)) = (one.quantiles[0], one.quantiles[1]) else { return 0.0 };
        one.true_days.map_or(0.0, |truth| (ln(p50) - ln(truth)) / (ln(p50) - ln(p10)).max(1e-3))
    }));
    let late = stretch(usable.iter().map(|one| {
        let (Some(p50), Some(p90)) = (one.quantiles[1], one.quantiles[2]) else { return 0.0 };
        one.true_days.map_or(beyond, |truth| (ln(truth) - ln(p50)) / (ln(p90) - ln(p50)).max(1e-3))
    }));
    if early == 1.0 && late == 1.0 {
        return given;
    }
    Prior {
        version: format!("{}+{early:.2}/{late:.2}", given.version),
        spread_early: given.spread_early * early,
        spread_late: given.spread_late * late,
        ..given
    }
}

/// The factor beyond which a tenth of the distances lies.
fn stretch(distances: impl Iterator<Item = f64>) -> f64 {
    let mut distances: Vec<f64> = distances.collect();
    distances.sort_unstable_by(f64::total_cmp);
    // The rank that leaves at least the tail's share beyond it even for one more outcome.
    let rank = ((distances.len() + 1) as f64 * (1.0 - TAIL)).ceil() as usize;
    let factor = distances.get(rank.saturating_sub(1)).copied().unwrap_or(1.0);
    ((factor / STEP).round() * STEP).clamp(STRETCH[0], STRETCH[1])
}

#[cfg(test)]
mod tests {
    use super::{Outcome, recalibrated};
    use crate::forecast::Prior;

    /// Forecasts of 50, 100, 200 days whose outcomes lie evenly in the logarithm, `width` bands wide.
    fn outcomes(count: usize, width: f64) -> Vec<Outcome> {
        (0..count)
            .map(|index| {
                let place = (index as f64 + 0.5) / count as f64 * 2.0 - 1.0;
                Outcome {
                    model: Prior::builtin().version,
                    quantiles: [Some(50.0), Some(100.0), Some(200.0)],
                    true_days: Some(100.0 * 2.0_f64.powf(place * width)),
                }
            })
            .collect()
    }

    #[test]
    fn a_band_that_holds_four_of_five_stays_and_others_are_stretched() {
        let told = |width| {
            let (before, after) = (Prior::builtin(), recalibrated(Prior::builtin(), &outcomes(1_000, width)));
            (after.spread_early / before.spread_early, after.spread_late / before.spread_late)
        };
        // Evenly spread outcomes: a tenth beyond each end where the band is 0.8 of their range.
        assert_eq!(told(1.25), (1.0, 1.0));
        assert!((told(2.5).0 - 2.0).abs() < 1e-9 && (told(2.5).1 - 2.0).abs() < 1e-9);
        assert!((told(0.75).0 - 0.6).abs() < 1e-9);
        assert_eq!(recalibrated(Prior::builtin(), &outcomes(199, 2.5)), Prior::builtin(), "too few to say");
    }
}
