//! One forecast after another: what changed since the last one, and dates that do not flap.

use jiff::{SignedDuration, Timestamp};

use super::{Factor, Forecast, State, history::DAY_SECONDS, quantities::Quantities};

/// A median that moves by less than this share of the time left does not move the date.
const STILL_SHARE: f64 = 0.10;
/// The same for the early date, on which orders depend.
const STILL_SHARE_EARLY: f64 = 0.15;
/// A date stays until the probability inside the horizon falls below this, though it takes 0.10 to get one.
const KEEP_PROBABILITY: f64 = 0.07;
/// A date that is lost for a change of more than this was not lost by a margin.
const MARGIN_PROBABILITY: f64 = 0.10;
/// A date appears after a forecast without one only at this probability.
const APPEAR_PROBABILITY: f64 = 0.13;

/// Puts a new answer after the previous one for the same resource: keeps the earlier dates where they moved by too little
/// to matter, keeps the state where its cause is marginal, and says first what changed. Without a comparable previous
/// answer (another resource, a later one) the new answer is returned as it is.
///
/// The dates of the previous forecast are kept with its distribution and fan, so that all of an answer belongs together.
pub fn follow(previous: &Forecast, mut answer: Forecast) -> Forecast {
    if previous.resource != answer.resource || previous.as_of >= answer.as_of {
        return answer;
    }
    let same_limit = previous.limit == answer.limit;
    let mut factors = changes(previous, &answer);
    if same_limit && keeps(previous, &answer) {
        let sentence = match (previous.p50, answer.p50) {
            (Some(old), Some(new)) => format!(
                "Today's median is {} days off the date given before, too little to move it.",
                days_between(old, new).abs()
            ),
            _ => format!("The state was {} by a small margin; the one before is kept.", answer.state),
        };
        factors.push(Factor { kind: "held".to_owned(), at: Some(previous.as_of), amount: None, sentence });
        let now = answer.as_of;
        answer.state = previous.state;
        answer.reason = previous.reason.clone();
        (answer.p10, answer.p50, answer.p90) = (previous.p10, previous.p50, previous.p90);
        answer.passage = previous.passage.clone();
        answer.passage.0.retain(|point| point.at > now);
        answer.fan = previous.fan.iter().filter(|point| point.at > now).copied().collect();
    }
    factors.append(&mut answer.why);
    answer.why = factors;
    answer
}

fn keeps(previous: &Forecast, answer: &Forecast) -> bool {
    let within_of = |f: &Forecast| f.passage.0.last().map_or(0.0, |point| point.probability);
    let within = within_of(answer);
    let future = |at: Option<Timestamp>| at.is_some_and(|at| at > answer.as_of);
    let without_date =
        |state| matches!(state, State::BeyondHorizon | State::FlatOrShrinking | State::TooNoisy);
    match (previous.state, answer.state) {
        (State::Dated, State::Dated) => {
            let still = |old: Option<Timestamp>, new: Option<Timestamp>, share: f64| match (old, new) {
                (Some(old), Some(new)) => {
                    let left = (old.as_second() - answer.as_of.as_second()) as f64;
                    let moved = (new.as_second() - old.as_second()) as f64;
                    moved != 0.0 && moved.abs() <= share * left || moved == 0.0
                }
                (None, None) => true,
                _ => false,
            };
            let moved = (previous.p10, previous.p50, previous.p90) != (answer.p10, answer.p50, answer.p90);
            moved
                && future(previous.p10)
                && still(previous.p10, answer.p10, STILL_SHARE_EARLY)
                && still(previous.p50, answer.p50, STILL_SHARE)
                && previous.p90.is_some() == answer.p90.is_some()
        }
        (State::Dated, new) if without_date(new) => {
            let lost = within_of(previous) - within;
            future(previous.p10) && within >= KEEP_PROBABILITY && lost <= MARGIN_PROBABILITY
        }
        (old, State::Dated) if without_date(old) => within < APPEAR_PROBABILITY,
        _ => false,
    }
}

/// What is new since the previous answer: limit, state, date, and events after it.
fn changes(previous: &Forecast, answer: &Forecast) -> Vec<Factor> {
    let quantities = Quantities::of(answer.resource, answer.limit);
    let change =
        |amount, sentence| Factor { kind: "change".to_owned(), at: Some(answer.as_of), amount, sentence };
    let mut factors = Vec::new();
    if let (Some(old), Some(new)) = (previous.limit, answer.limit)
        && old != new
    {
        let sentence = format!(
            "Since the last forecast the limit went from {} to {}.",
            quantities.print(old),
            quantities.print(new)
        );
        factors.push(change(Some(new - old), sentence));
    }
    if previous.state != answer.state {
        let sentence = format!("The last forecast said {}, this one says {}.", previous.state, answer.state);
        factors.push(change(None, sentence));
    } else if let (Some(old), Some(new)) = (previous.p50, answer.p50) {
        let days = days_between(old, new);
        if days != 0 {
            let sentence = format!(
                "The median moved {} days {} since the last forecast.",
                days.abs(),
                if days > 0 { "later" } else { "earlier" }
            );
            factors.push(change(Some(days as f64), sentence));
        }
    }
    for event in answer.why.iter().filter(|event| event.at.is_some_and(|at| at > previous.as_of)) {
        let sentence = format!("New since the last forecast: {}", event.sentence);
        factors.push(Factor { sentence, kind: "change".to_owned(), ..event.clone() });
    }
    factors
}

fn days_between(old: Timestamp, new: Timestamp) -> i64 {
    let half_day = SignedDuration::from_hours(12).as_secs();
    (new.as_second() - old.as_second() + half_day).div_euclid(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::follow;
    use crate::forecast::{Forecast, Passage, PassagePoint, Prior, Question, State, forecast};
    use crate::unit::Resource;

    fn at(days: i64) -> Timestamp {
        "2026-11-24T00:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_hours(24 * days)
    }

    fn told(asked: i64, state: State, dates: [i64; 3], within: f64) -> Forecast {
        let question = Question {
            resource: Resource::Capacity,
            observations: &[],
            limit: Some(1.0),
            as_of: at(asked),
            horizon_days: 365,
        };
        let [p10, p50, p90] = dates.map(|days| (state == State::Dated).then(|| at(days)));
        Forecast {
            state,
            p10,
            p50,
            p90,
            passage: Passage(vec![PassagePoint { at: at(365), probability: within }]),
            ..forecast(&question, &Prior::builtin())
        }
    }

    #[test]
    fn a_date_that_hardly_moves_stays_and_one_that_moves_is_told() {
        let old = told(0, State::Dated, [100, 150, 200], 0.9);
        let dates = |days| {
            let new = follow(&old, told(1, State::Dated, days, 0.9));
            [new.p10, new.p50, new.p90]
        };
        assert_eq!(dates([110, 140, 230]), [old.p10, old.p50, old.p90]);
        assert_eq!(dates([110, 130, 230]), [Some(at(110)), Some(at(130)), Some(at(230))]);
    }

    #[test]
    fn a_state_changes_only_on_clear_evidence() {
        let dated = told(0, State::Dated, [300, 400, 500], 0.11);
        assert_eq!(follow(&dated, told(1, State::BeyondHorizon, [0; 3], 0.08)).state, State::Dated);
        let gone = follow(&dated, told(1, State::BeyondHorizon, [0; 3], 0.06));
        assert_eq!((gone.state, gone.p10), (State::BeyondHorizon, None));
        let sure = told(0, State::Dated, [50, 60, 70], 0.99);
        let cleaned = follow(&sure, told(1, State::TooNoisy, [0; 3], 0.4));
        assert_eq!((cleaned.state, cleaned.p10), (State::TooNoisy, None), "half was freed: no margin");
        let open = told(0, State::BeyondHorizon, [0; 3], 0.08);
        let held = follow(&open, told(1, State::Dated, [300, 400, 500], 0.12));
        assert_eq!((held.state, held.p10, held.p90), (State::BeyondHorizon, None, None));
        assert_eq!(follow(&open, told(1, State::Dated, [300, 400, 500], 0.13)).state, State::Dated);
    }

    #[test]
    fn a_new_limit_and_a_date_that_has_passed_are_told_at_once() {
        let mut old = told(0, State::Dated, [100, 150, 200], 0.9);
        old.limit = Some(2.0);
        assert_eq!(follow(&old, told(1, State::Dated, [104, 150, 200], 0.9)).p10, Some(at(104)));
        let past = told(0, State::Dated, [1, 150, 200], 0.9);
        assert_eq!(follow(&past, told(2, State::Dated, [3, 150, 200], 0.9)).p10, Some(at(3)));
    }
}
