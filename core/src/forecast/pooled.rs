//! What units alike have shown, for a unit whose own history is short.

use serde::{Deserialize, Serialize};

use super::{
    Calibration, FirstPassage, Observation, Prior, Question,
    history::{DAY_SECONDS, clean},
    network::LEVELS,
};

/// Growth of units alike (model, customer, territory), fitted by the hub's fleet run. Figures are shares of a unit's
/// limit, so that units of different size compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pooled {
    /// What the units have in common, as a page names it: `model X-100`, `customer Y`.
    pub group: String,
    /// How many units it was fitted on.
    pub units: u32,
    /// Mean growth a day, share of the limit.
    pub growth_mean: f64,
    /// Standard deviation of the growth a day between units, share of the limit.
    pub growth_spread: f64,
    /// Standard deviation of a unit's change a day around its own growth, share of the limit: the gains of 30 days,
    /// whose standard deviation divided by √30 it is, since days that follow on each other are alike.
    pub day_spread: f64,
}

/// Days of history below which nothing is borrowed: a unit that was just switched on would get a date, and an offer, from
/// others alone. What borrowing is worth was measured from there on.
const LEAST_DAYS: usize = 2;
/// Days of history from which a unit stands on its own.
const OWN_DAYS: f64 = 90.0;
/// The growth of a unit that others borrow from is that of so many days, the last.
const GROWTH_DAYS: usize = 365;
/// The gains of so many days tell how much a unit changes around its own growth.
const GAIN_DAYS: usize = 30;
/// Standard normal quantiles at [`LEVELS`], early dates from fast growth.
pub(super) const NORMAL: [f64; 7] =
    [1.644_853_627, 1.281_551_566, 0.674_489_750, 0.0, -0.674_489_750, -1.281_551_566, -1.644_853_627];
/// A time that no horizon reaches, days.
const NEVER_DAYS: f64 = 1e5;

impl Pooled {
    /// Whether the figures can be used for a unit with so many days of its own.
    pub(super) fn is_usable(&self, history_days: usize) -> bool {
        history_days >= LEAST_DAYS
            && self.units > 0
            && [self.growth_mean, self.growth_spread, self.day_spread].iter().all(|v| v.is_finite())
            && self.growth_spread >= 0.0
            && self.day_spread >= 0.0
    }

    /// Whether a history is so short that its answer rests on units alike, in part or whole.
    pub fn helps(observations: &[Observation]) -> bool {
        let times = || observations.iter().map(|row| row.at.as_second());
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return false };
        let days = (last - first) as f64 / DAY_SECONDS as f64;
        (LEAST_DAYS as f64..OWN_DAYS).contains(&days)
    }

    /// Share of the answer that rests on units alike, for so many days of own history: all below the days that the
    /// model needs, then the less the more days there are, none from 90 days on.
    pub(super) fn share(history_days: usize, prior: &Prior) -> f64 {
        let least = f64::from(prior.days_min);
        if history_days < usize::from(prior.days_min) {
            return 1.0;
        }
        let days = history_days.max(1) as f64;
        (least / days * (OWN_DAYS - days) / (OWN_DAYS - least).max(1.0)).clamp(0.0, 1.0)
    }

    /// First passage over `gap` with the growth of units alike, corrected by the unit's own gain so far: a normal prior
    /// on the growth, and a random walk around it (conjugate update). The quantiles are those at which the marginal
    /// crosses the gap: a quadratic equation in the square root of the days.
    pub(super) fn first_passage(
        &self,
        gain: f64,
        history_days: f64,
        gap: f64,
        limit: f64,
        horizon_days: u16,
        prior: &Prior,
    ) -> FirstPassage {
        let (gain, gap) = (gain / limit, gap / limit);
        let known = 1.0 / self.growth_spread.max(1e-9).powi(2);
        let seen = history_days / self.day_spread.max(1e-9).powi(2);
        let mean = if history_days > 0.0 {
            (known * self.growth_mean + seen * gain / history_days) / (known + seen)
        } else {
            self.growth_mean
        };
        let spread = libm::sqrt(1.0 / (known + seen));
        let ln_days = core::array::from_fn(|i| {
            let z = NORMAL[i];
            libm::log(crossing(mean + z * spread, z * self.day_spread, gap))
        });
        debug_assert_eq!(LEVELS.len(), NORMAL.len());
        FirstPassage::calibrated(&rising(ln_days), horizon_days, &Calibration::of(prior))
    }
}

/// Days t at which `growth` · t + `spread` · √t first equals `gap`.
pub(super) fn crossing(growth: f64, spread: f64, gap: f64) -> f64 {
    if spread == 0.0 && growth > 0.0 {
        let days = gap / growth;
        return if days.is_finite() { days.clamp(1.0, NEVER_DAYS) } else { NEVER_DAYS };
    }
    let discriminant = spread * spread + 4.0 * growth * gap;
    let root = if growth > 0.0 || (growth == 0.0 && spread > 0.0) || (discriminant >= 0.0 && spread > 0.0) {
        // The form that does not cancel: 2c / (b + √(b² + 4ac)).
        let divisor = spread + libm::sqrt(discriminant.max(0.0));
        if divisor > 0.0 { 2.0 * gap / divisor } else { f64::INFINITY }
    } else {
        f64::INFINITY
    };
    let days = root * root;
    if days.is_finite() { days.clamp(1.0, NEVER_DAYS) } else { NEVER_DAYS }
}

/// How one unit has grown: what is pooled. Shares of its limit, as in [`Pooled`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitGrowth {
    /// Mean growth a day.
    pub mean: f64,
    /// Standard deviation of its change a day around that.
    pub day_spread: f64,
}

impl UnitGrowth {
    /// Of a history that stands on its own: of at least 90 days, not stale, with a limit. Nothing after the moment of
    /// asking is used.
    pub fn of(question: &Question<'_>, prior: &Prior) -> Option<Self> {
        let history = clean(question).history?;
        let limit = question.limit.or(history.limit).filter(|limit| limit.is_finite() && *limit > 0.0)?;
        let age_days = (question.as_of.as_second() - history.until.as_second()) / DAY_SECONDS;
        let days = history.daily.len() - 1;
        if (days as f64) < OWN_DAYS || age_days > i64::from(prior.stale_days) {
            return None;
        }
        let year = &history.daily[days - days.min(GROWTH_DAYS)..];
        let last = year.len() - 1;
        let gain = |from: usize, to: usize| (year[to] - year[from]) / limit;
        let gains: Vec<f64> = (0..last / GAIN_DAYS)
            .map(|back| last - back * GAIN_DAYS)
            .map(|to| gain(to - GAIN_DAYS, to))
            .collect();
        let mean_gain = gains.iter().sum::<f64>() / gains.len() as f64;
        let square = gains.iter().map(|gain| (gain - mean_gain).powi(2)).sum::<f64>();
        let growth = Self {
            mean: gain(0, last) / last as f64,
            day_spread: libm::sqrt(square / (gains.len() - 1) as f64 / GAIN_DAYS as f64),
        };
        (growth.mean.is_finite() && growth.day_spread.is_finite()).then_some(growth)
    }
}

/// Sorted and told apart.
pub(super) fn rising(mut values: [f64; 7]) -> [f64; 7] {
    values.sort_unstable_by(f64::total_cmp);
    // Equal ends of a band are told apart, so that the distribution has a level for each day.
    for i in 1..values.len() {
        values[i] = values[i].max(values[i - 1] + 1e-6);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike() -> Pooled {
        Pooled {
            group: "model X".to_owned(),
            units: 20,
            growth_mean: 1e-3,
            growth_spread: 2e-4,
            day_spread: 1e-3,
        }
    }

    #[test]
    fn without_own_history_the_group_decides_and_with_it_the_unit_moves_the_date() {
        let prior = Prior::builtin();
        let median = |gain, days| alike().first_passage(gain, days, 0.3, 1.0, 1_096, &prior).quantile(0.5);
        let group = median(0.0, 0.0).unwrap();
        assert!((group - 300.0).abs() < 5.0, "{group}");
        let faster = median(0.04, 20.0).unwrap();
        assert!(
            faster < group && faster > 150.0,
            "{faster}: twice the growth over 20 days says something, not all"
        );
    }

    #[test]
    fn the_growth_of_a_unit_is_that_of_its_last_year_and_of_nothing_later() {
        let observations: Vec<Observation> = (0..600_i64)
            .map(|day| Observation {
                at: jiff::Timestamp::from_second(1_700_000_000 + day * DAY_SECONDS).unwrap(),
                used: 1e9 * (day + day.max(500) * 40) as f64,
                limit: Some(1e12),
            })
            .collect();
        let growth = |count: usize, days: usize| {
            let question = Question {
                resource: crate::unit::Resource::Capacity,
                observations: &observations[..count],
                limit: None,
                as_of: observations[days].at,
                horizon_days: 1,
            };
            UnitGrowth::of(&question, &Prior::builtin())
        };
        let known = growth(600, 450).unwrap();
        assert!((known.mean - 1e-3).abs() < 1e-9 && known.day_spread < 1e-12, "{known:?}");
        assert_eq!(growth(451, 450), Some(known));
        assert_eq!(growth(90, 89), None, "too short to lend");
        assert_eq!(growth(200, 300), None, "stale");
        assert!(
            Pooled::helps(&observations[..90]) && !Pooled::helps(&observations[..91]) && !Pooled::helps(&[])
        );
        assert!(Pooled::helps(&observations[..3]) && !Pooled::helps(&observations[..2]));
    }

    #[test]
    fn a_group_that_does_not_grow_gives_no_median() {
        let still = Pooled { growth_mean: 0.0, growth_spread: 1e-5, day_spread: 1e-5, ..alike() };
        assert_eq!(still.first_passage(0.0, 0.0, 0.3, 1.0, 1_096, &Prior::builtin()).quantile(0.5), None);
    }
}
