//! How long it lasts under another limit: the same question asked of the same history.

use jiff::Timestamp;

use super::Need;
use crate::{
    forecast::{Forecast, Question, State, forecast},
    unit::Resource,
};

/// Tries limits on the need's own history, and remembers which were too low.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    need: &'a Need<'a>,
    /// The highest limit known not to last: a lower one does not last either.
    pub(super) too_low: f64,
}

impl<'a> Trial<'a> {
    /// Starts with what the need's own forecast says. Where its fan shows how high the value climbs, a limit a little
    /// below is tried first, so that most purchases that are too small need no trial of their own.
    pub(super) fn new(need: &'a Need<'a>) -> Self {
        let mut trial = Self { need, too_low: need.forecast.limit.unwrap_or(0.0) };
        let climbs_to = need
            .forecast
            .fan
            .iter()
            .find(|point| point.at >= need.lasts_to)
            .or(need.forecast.fan.last())
            .map_or(0.0, |point| point.p90);
        for share in [0.97, 0.85, 0.6] {
            let limit = climbs_to * share;
            if limit > trial.too_low && !trial.is_enough(trial.lasts_until(limit)) {
                trial.too_low = limit;
                break;
            }
        }
        trial
    }

    /// When it runs out under this limit, with the probability that is left to the wanted confidence; `None` beyond
    /// the forecast's horizon.
    pub(super) fn lasts_until(&self, limit: f64) -> Option<Timestamp> {
        let question = Question { limit: Some(limit), ..*self.need.question };
        runs_out(&forecast(&question, self.need.prior), self.need.confidence)
    }

    /// Whether that is the end of the planning horizon or later.
    pub(super) fn is_enough(&self, lasts_until: Option<Timestamp>) -> bool {
        lasts_until.is_none_or(|until| until >= self.need.lasts_to)
    }

    /// Tries a limit and remembers it where it does not last.
    pub(super) fn try_limit(&mut self, limit: f64) -> (Option<Timestamp>, bool) {
        let until = self.lasts_until(limit);
        let enough = self.is_enough(until);
        if !enough {
            self.too_low = self.too_low.max(limit);
        }
        (until, enough)
    }
}

/// When a forecast says that it runs out, with a probability of 1 − `confidence`; `None` where it does not inside the
/// horizon or there is no ground for a date.
pub(super) fn runs_out(forecast: &Forecast, confidence: f64) -> Option<Timestamp> {
    const SHOWN: f64 = 0.9;
    match forecast.state {
        State::AlreadyExhausted => Some(forecast.as_of),
        // At the confidence that is shown everywhere the date is the one that is shown.
        State::Dated if (confidence - SHOWN).abs() < 1e-9 => forecast.p10,
        State::Dated => {
            let wanted = 1.0 - confidence;
            let points = &forecast.passage.0;
            let next = points.iter().position(|point| point.probability >= wanted)?;
            let right = points[next];
            let (left_at, left) = match next.checked_sub(1).map(|index| points[index]) {
                Some(point) => (point.at, point.probability),
                None => (forecast.as_of.min(right.at), 0.0),
            };
            let share =
                if right.probability > left { (wanted - left) / (right.probability - left) } else { 1.0 };
            let span = right.at.as_millisecond() - left_at.as_millisecond();
            Timestamp::from_millisecond(left_at.as_millisecond() + (span as f64 * share) as i64).ok()
        }
        _ => None,
    }
}

/// When the unit is worn out, where that is before the end of the planning horizon: what is worn is not extended.
pub(super) fn worn_out(need: &Need<'_>) -> Option<Timestamp> {
    need.others
        .iter()
        .chain([need.forecast])
        .filter(|other| other.resource == Resource::Endurance)
        .filter_map(|other| runs_out(other, need.confidence))
        .filter(|at| *at < need.lasts_to)
        .min()
}
