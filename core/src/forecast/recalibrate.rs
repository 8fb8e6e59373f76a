//! The width of the band, from how past forecasts came out. Only outcomes that were known at the moment of asking count.
//!
//! The levels are told anew (Kuleshov, Fenner and Ermon 2018) so that one in ten outcomes lies beyond each end of the band,
//! as they do of those forecasts that were made. Which level is told does not depend on the limit: a higher limit stays
//! later.

use super::{JUDGED_DAYS, Prior};

/// Outcomes below which the constants stay as they are: fewer say little about a tail of 10 %.
const OUTCOMES_MIN: usize = 200;
/// The powers of the levels are never changed by more than these factors.
const FACTOR: [f64; 2] = [0.5, 2.0];
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
    let share = |beyond: &dyn Fn(&Outcome) -> bool| {
        usable.iter().filter(|one| beyond(one)).count() as f64 / usable.len() as f64
    };
    // What was not reached within the judged year is later than an end of the band inside it, and not known to be later
    // than one beyond.
    let truth = |one: &Outcome| one.true_days.unwrap_or(f64::from(JUDGED_DAYS) + 1.0);
    let end = |days: Option<f64>| days.unwrap_or(f64::INFINITY);
    let early = factor(share(&|one| truth(one) < end(one.quantiles[0])));
    let late = factor(share(&|one| truth(one) > end(one.quantiles[2])));
    if early == 1.0 && late == 1.0 {
        return given;
    }
    Prior {
        version: format!("{}+{early:.2}/{late:.2}", given.version),
        power_early: given.power_early * early,
        power_late: given.power_late * late,
        ..given
    }
}

/// By what the power of the levels is multiplied where this share of the outcomes lies beyond the end of the band: the
/// outcomes are taken to follow a power of the levels too, so that two points, this share and one half, tell which.
fn factor(beyond: f64) -> f64 {
    let factor = libm::log(2.0 * TAIL) / libm::log((2.0 * beyond).clamp(1e-6, 1.0 - 1e-6));
    ((factor / STEP).round() * STEP).clamp(FACTOR[0], FACTOR[1])
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
            (after.power_early / before.power_early, after.power_late / before.power_late)
        };
        let near = |told: (f64, f64), factor: f64| {
            assert!(
                (told.0 - factor).abs() < 1e-9 && (told.1 - factor).abs() < 1e-9,
                "{told:?}, not {factor}"
            );
        };
        // Evenly spread outcomes: a tenth beyond each end where the band is 0.8 of their range, a sixth where it is two
        // thirds of it: ln 0.2 / ln (2 / 6) = 1.46.
        assert_eq!(told(1.25), (1.0, 1.0));
        near(told(1.5), 1.45);
        near(told(1.05), 0.55);
        near(told(2.5), 2.0);
        near(told(0.75), 0.5);
        // Not reached in the judged year: later than a P90 of 200 days, not known to be later than one of 500.
        let unreached = |p90: f64| {
            let one = Outcome {
                model: Prior::builtin().version,
                quantiles: [Some(50.0), Some(100.0), Some(p90)],
                true_days: None,
            };
            recalibrated(Prior::builtin(), &vec![one; 200]).power_late / Prior::builtin().power_late
        };
        assert_eq!((unreached(200.0), unreached(500.0)), (2.0, 0.5));
        assert_eq!(recalibrated(Prior::builtin(), &outcomes(199, 2.5)), Prior::builtin(), "too few to say");
    }
}
