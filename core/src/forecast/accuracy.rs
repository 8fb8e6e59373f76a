//! How good past forecasts were, of a unit or of a fleet, and the calibration that follows from it.

use serde::{Deserialize, Serialize};

use super::{BacktestCase, Prior, shape::median};

/// Horizons by which errors are told apart, days.
const HORIZONS_DAYS: [u16; 4] = [30, 90, 180, 365];
/// Cases that count as much as the constants that are there already.
const CASES_OF_DOUBT: f64 = 200.0;
/// A band is not made wider or narrower than this at once.
const WIDEN: (f64, f64) = (0.5, 2.0);

/// Error at one horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HorizonError {
    /// True days up to which cases belong here; the next lower entry's belong there.
    pub days_max: u16,
    /// Cases that were reached in that time.
    pub cases: u64,
    /// Median of |median date − truth| / truth.
    pub median_error: f64,
}

/// How good a set of past forecasts was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Cases.
    pub cases: u64,
    /// Share whose truth lies inside P10–P90; a truth that is not known yet is inside where P90 is not judged either.
    pub coverage: f64,
    /// Share that was reached before P10.
    pub early: f64,
    /// Share that was reached, or still is not, after P90.
    pub late: f64,
    /// Mean pinball loss of ln(days) at 10, 50 and 90 %, days held to what can be judged; as the scorer computes it.
    pub log_pinball: f64,
    /// The same of the straight line of the last year.
    pub drift_log_pinball: f64,
    /// 1 − `log_pinball` / `drift_log_pinball`; `None` where the line made no error.
    pub skill: Option<f64>,
    /// Error by horizon.
    pub by_horizon: Vec<HorizonError>,
}

impl Accuracy {
    /// Judges cases, of one unit or of many; `None` of none.
    pub fn of(cases: &[BacktestCase]) -> Option<Self> {
        if cases.is_empty() {
            return None;
        }
        let n = cases.len() as f64;
        let (mut early, mut late, mut loss, mut drift_loss) = (0.0, 0.0, 0.0, 0.0);
        for case in cases {
            let beyond = case.judged_days() + 1.0;
            let held = |days: Option<f64>| days.unwrap_or(beyond).clamp(1.0, beyond);
            let truth = held(case.true_days);
            let [p10, p50, p90] = [case.p10_days, case.p50_days, case.p90_days].map(held);
            early += f64::from(u8::from(truth < p10));
            late += f64::from(u8::from(truth > p90));
            let line = held(case.drift_days);
            loss += pinball(truth, [p10, p50, p90]);
            drift_loss += pinball(truth, [line; 3]);
        }
        Some(Self {
            cases: cases.len() as u64,
            coverage: (n - early - late) / n,
            early: early / n,
            late: late / n,
            log_pinball: loss / n,
            drift_log_pinball: drift_loss / n,
            skill: (drift_loss > 0.0).then(|| 1.0 - loss / drift_loss),
            by_horizon: by_horizon(cases),
        })
    }
}

fn pinball(truth: f64, quantiles: [f64; 3]) -> f64 {
    let loss = |level: f64, quantile: f64| {
        let error = libm::log(truth / quantile);
        2.0 * (level * error).max((level - 1.0) * error)
    };
    [0.1, 0.5, 0.9].into_iter().zip(quantiles).map(|(level, quantile)| loss(level, quantile)).sum::<f64>()
        / 3.0
}

fn by_horizon(cases: &[BacktestCase]) -> Vec<HorizonError> {
    let mut from = 0.0;
    HORIZONS_DAYS
        .iter()
        .filter_map(|days_max| {
            let to = f64::from(*days_max);
            let mut errors: Vec<f64> = cases
                .iter()
                .filter_map(|case| {
                    let truth = case.true_days.filter(|truth| *truth > from && *truth <= to)?;
                    let median = case.p50_days.unwrap_or(case.judged_days() + 1.0);
                    Some((median - truth).abs() / truth)
                })
                .collect();
            from = to;
            Some(HorizonError {
                days_max: *days_max,
                cases: errors.len() as u64,
                median_error: median(&mut errors)?,
            })
        })
        .collect()
}

impl Prior {
    /// The constants whose band would have covered these cases as it should, moved from these constants as far as there
    /// are cases enough. The cases must have been answered with `self`, and all of them were known at the moment that
    /// the new constants are for: [`super::backtest`] sees to that.
    pub fn recalibrated(&self, cases: &[BacktestCase], version: String) -> Self {
        // Distances from the median in units of the band's half: 80 of 100 on each side should lie below 1.
        let (mut early, mut late) = (Vec::new(), Vec::new());
        for case in cases {
            let (Some(p10), Some(p50), Some(truth)) = (case.p10_days, case.p50_days, case.true_days) else {
                continue;
            };
            if truth < p50 && p10 < p50 {
                early.push(libm::log(truth.max(1.0) / p50) / libm::log(p10 / p50));
            } else if let Some(p90) = case.p90_days.filter(|p90| *p90 > p50) {
                late.push(libm::log(truth / p50) / libm::log(p90 / p50));
            }
        }
        Self {
            version,
            spread_early: self.spread_early * widening(early),
            spread_late: self.spread_late * widening(late),
            ..self.clone()
        }
    }
}

/// The factor that brings 80 % of these distances below 1, drawn towards 1 while they are few.
fn widening(mut distances: Vec<f64>) -> f64 {
    distances.retain(|d| d.is_finite() && *d >= 0.0);
    if distances.is_empty() {
        return 1.0;
    }
    let index = (distances.len() * 4 / 5).min(distances.len() - 1);
    let wanted = (*distances.select_nth_unstable_by(index, f64::total_cmp).1).clamp(WIDEN.0, WIDEN.1);
    let n = distances.len() as f64;
    libm::exp(libm::log(wanted) * n / (n + CASES_OF_DOUBT))
}
