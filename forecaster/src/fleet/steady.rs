//! Keeps a date from flapping: a forecast that hardly differs from the one before says the same.
//!
//! The one before is an argument, so what was said can be computed again from what was stored. A changed limit is news
//! and is told at once.

use headroom_core::forecast::{Forecast, State};

use crate::database::forecasts::Previous;

/// Dates stay while each has moved by less than this share of the band from P10 to P90.
const MOVE_MIN: f64 = 0.1;
/// A dated resource stays dated while the probability inside the horizon is at least this.
const DATED_STAYS: f64 = 0.07;
/// One without a date gets one only from this probability on; the model alone dates from 0.10.
const DATED_BEGINS: f64 = 0.13;

/// The forecast as it is told, given what was told before.
pub(crate) fn steady(mut new: Forecast, before: &Previous) -> Forecast {
    if new.limit != before.limit || before.as_of > new.as_of {
        return new;
    }
    let within = new.passage.0.last().map_or(0.0, |point| point.probability);
    let is_open = |state| matches!(state, State::BeyondHorizon | State::FlatOrShrinking | State::TooNoisy);
    let dates_are_ahead = before.dates[0].is_some_and(|p10| p10 > new.as_of);
    if before.state == State::Dated && new.state == State::Dated {
        if dates_are_ahead && hardly_moved(before, &new) {
            [new.p10, new.p50, new.p90] = before.dates;
        }
    } else if before.state == State::Dated && is_open(new.state) {
        if dates_are_ahead && within >= DATED_STAYS {
            new.state = State::Dated;
            [new.p10, new.p50, new.p90] = before.dates;
            hold(&mut new, "The evidence for the date has become weaker, not yet enough to take it back.");
        }
    } else if is_open(before.state) && new.state == State::Dated && within < DATED_BEGINS {
        new.state = before.state;
        (new.p10, new.p50, new.p90) = (None, None, None);
        hold(&mut new, "There is some evidence for a date, not yet enough to give one.");
    }
    new
}

fn hold(forecast: &mut Forecast, sentence: &str) {
    forecast.reason.code = "held".to_owned();
    forecast.reason.sentence = format!("{sentence} {}", forecast.reason.sentence);
}

fn hardly_moved(before: &Previous, new: &Forecast) -> bool {
    let now = [new.p10, new.p50, new.p90];
    let late = before.dates.iter().flatten().max();
    let (Some(p10), Some(late)) = (before.dates[0], late) else { return false };
    let band = late.duration_since(p10).as_secs_f64().max(86_400.0);
    before.dates.iter().zip(now).all(|(old, new)| match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => new.duration_since(*old).as_secs_f64().abs() < MOVE_MIN * band,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use headroom_core::forecast::{Forecast, Passage, PassagePoint, Prior, Question, State, forecast};
    use headroom_core::unit::Resource;
    use jiff::{SignedDuration, Timestamp};

    use super::steady;
    use crate::database::forecasts::Previous;

    fn at(days: i64) -> Timestamp {
        "2026-11-24T00:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_hours(24 * days)
    }

    fn told(state: State, dates: [i64; 3], within: f64) -> Forecast {
        let question = Question {
            resource: Resource::Capacity,
            observations: &[],
            limit: Some(1.0),
            as_of: at(0),
            horizon_days: 365,
        };
        let dated = state == State::Dated;
        let [p10, p50, p90] = dates.map(|days| dated.then(|| at(days)));
        Forecast {
            state,
            p10,
            p50,
            p90,
            passage: Passage(vec![PassagePoint { at: at(365), probability: within }]),
            ..forecast(&question, &Prior::builtin())
        }
    }

    fn before(forecast: &Forecast) -> Previous {
        Previous {
            unit: 1,
            component: 1,
            resource: forecast.resource,
            state: forecast.state,
            dates: [forecast.p10, forecast.p50, forecast.p90],
            limit: forecast.limit,
            as_of: forecast.as_of,
            data_until: None,
            model: forecast.model.clone(),
        }
    }

    #[test]
    fn a_date_that_hardly_moves_stays_and_one_that_moves_is_told() {
        let old = before(&told(State::Dated, [100, 150, 200], 0.9));
        let dates = |days| {
            let new = steady(told(State::Dated, days, 0.9), &old);
            [new.p10, new.p50, new.p90]
        };
        assert_eq!(dates([104, 145, 209]), old.dates);
        assert_eq!(dates([104, 139, 209]), [Some(at(104)), Some(at(139)), Some(at(209))]);
    }

    #[test]
    fn a_state_changes_only_on_clear_evidence() {
        let dated = before(&told(State::Dated, [300, 400, 500], 0.11));
        assert_eq!(steady(told(State::BeyondHorizon, [0; 3], 0.08), &dated).state, State::Dated);
        let gone = steady(told(State::BeyondHorizon, [0; 3], 0.06), &dated);
        assert_eq!((gone.state, gone.p10), (State::BeyondHorizon, None));
        let open = before(&told(State::BeyondHorizon, [0; 3], 0.08));
        let held = steady(told(State::Dated, [300, 400, 500], 0.12), &open);
        assert_eq!((held.state, held.p10, held.p90), (State::BeyondHorizon, None, None));
        assert_eq!(steady(told(State::Dated, [300, 400, 500], 0.13), &open).state, State::Dated);
    }

    #[test]
    fn a_new_limit_and_a_date_that_has_passed_are_told_at_once() {
        let mut old = before(&told(State::Dated, [100, 150, 200], 0.9));
        old.limit = Some(2.0);
        assert_eq!(steady(told(State::Dated, [104, 150, 200], 0.9), &old).p10, Some(at(104)));
        let past = before(&told(State::Dated, [-1, 150, 200], 0.9));
        assert_eq!(steady(told(State::Dated, [1, 150, 200], 0.9), &past).p10, Some(at(1)));
    }
}
