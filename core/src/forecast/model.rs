//! The forecast of one resource: from the question to the answer.

use jiff::{SignedDuration, Timestamp};

use super::{
    FanPoint, Forecast, Passage, PassagePoint, Prior, Question, Reason, State,
    first_passage::{FirstPassage, HORIZON_DAYS_MAX},
    history::{DAY_SECONDS, History, clean},
    quantities::Quantities,
    shape,
    simulate::simulate,
    why,
};
use crate::unit::Resource;

/// Points of the fan and of the distribution.
const GRID_POINTS: u16 = 36;
/// A date is given where at least this share of the futures reaches the limit inside the horizon.
const DATED_PROBABILITY: f64 = 0.10;

/// Forecasts one resource. Any input gives a state; only [`State::Dated`] has dates.
pub fn forecast(question: &Question<'_>, prior: &Prior) -> Forecast {
    let horizon_days = question.horizon_days.clamp(1, HORIZON_DAYS_MAX);
    let cleaned = clean(question);
    let quantities = Quantities::of(question.resource);
    let mut answer = Forecast {
        resource: question.resource,
        state: State::TooShort,
        reason: Reason { code: String::new(), sentence: String::new() },
        p10: None,
        p50: None,
        p90: None,
        passage: Passage::default(),
        fan: Vec::new(),
        why: Vec::new(),
        model: prior.version.clone(),
        as_of: question.as_of,
        data_from: None,
        data_until: None,
        last_used: None,
        limit: question.limit.filter(|l| l.is_finite() && *l > 0.0),
        samples: 0,
        set_aside: cleaned.set_aside,
    };
    let Some(mut history) = cleaned.history else {
        let sentence = match cleaned.set_aside {
            0 => "There is no history yet.".to_owned(),
            n => format!("None of the {n} values seen is believable."),
        };
        return with_state(answer, State::TooShort, "no_history", sentence);
    };
    let last = history.daily.last().copied().unwrap_or(0.0);
    answer.data_from = Some(history.from);
    answer.data_until = Some(history.until);
    answer.last_used = Some(last);
    answer.samples = history.samples;
    answer.limit = answer.limit.or(history.limit);
    answer.why = why::factors(&history, &quantities);
    let Some(limit) = answer.limit else {
        let sentence = "The limit is not known, so there is nothing to run into.".to_owned();
        return with_state(answer, State::UnknownLimit, "no_limit", sentence);
    };
    if last >= limit {
        let sentence = format!(
            "{} in use reaches the limit of {} already.",
            quantities.print(last),
            quantities.print(limit)
        );
        return with_state(answer, State::AlreadyExhausted, "limit_reached", sentence);
    }
    let age_days = (question.as_of.as_second() - history.until.as_second()) / DAY_SECONDS;
    if age_days > i64::from(prior.stale_days) {
        let sentence = format!("The last value is {age_days} days old.");
        return with_state(answer, State::Stale, "last_value_old", sentence);
    }
    if history.daily.len() <= usize::from(prior.days_min) || history.observed_days < 3 {
        let sentence =
            format!("There are {} of {} days of history.", history.daily.len() - 1, prior.days_min);
        return with_state(answer, State::TooShort, "days_missing", sentence);
    }
    if question.resource == Resource::Endurance {
        shape::make_monotone(&mut history.daily);
    }
    answer_with_futures(answer, &history, limit, horizon_days, prior, &quantities)
}

fn answer_with_futures(
    mut answer: Forecast,
    history: &History,
    limit: f64,
    horizon_days: u16,
    prior: &Prior,
    quantities: &Quantities,
) -> Forecast {
    let grid: Vec<u16> = grid_days(horizon_days);
    let futures = simulate(&history.daily, &[limit], &grid, horizon_days, prior);
    let passage = FirstPassage::calibrated(&futures.passage_days[0], futures.paths, horizon_days, prior);
    // A date before the moment of asking would be a date that did not come true: it is moved to that moment.
    let date = |days: f64| after(history.until, days).max(answer.as_of);
    answer.fan = grid
        .iter()
        .zip(&futures.values)
        .map(|(day, values)| {
            let at =
                |q: f64| values.get((q * (values.len() - 1) as f64) as usize).copied().unwrap_or(f64::NAN);
            FanPoint { at: after(history.until, f64::from(*day)), p10: at(0.1), p50: at(0.5), p90: at(0.9) }
        })
        .filter(|point| point.p10.is_finite() && point.p50.is_finite() && point.p90.is_finite())
        .collect();
    answer.passage = Passage(
        grid.iter()
            .map(|day| PassagePoint {
                at: after(history.until, f64::from(*day)),
                probability: passage.probability_within(f64::from(*day)),
            })
            .collect(),
    );
    let within = passage.probability_within(f64::from(horizon_days));
    let trend = shape::daily_trend(&history.daily);
    if within >= DATED_PROBABILITY {
        if within < 0.5 && trend <= 0.0 {
            let sentence = format!(
                "It moves up and down more than it grows: {:.0} of 100 futures reach the limit inside {horizon_days} days.",
                within * 100.0
            );
            return with_state(answer, State::TooNoisy, "moves_more_than_it_grows", sentence);
        }
        let (p10, p50, p90) = (
            passage.quantile(0.1).map(date),
            passage.quantile(0.5).map(date),
            passage.quantile(0.9).map(date),
        );
        (answer.p10, answer.p50, answer.p90) = (p10, p50, p90);
        let sentence = match answer.p50 {
            Some(_) => format!("It grows by {} a day.", quantities.print_change(trend)),
            None => format!(
                "It may reach the limit inside {horizon_days} days with a probability of {:.0} %.",
                within * 100.0
            ),
        };
        return with_state(answer, State::Dated, "grows_to_limit", sentence);
    }
    if trend <= 0.0 {
        let sentence = "It does not grow.".to_owned();
        return with_state(answer, State::FlatOrShrinking, "no_growth", sentence);
    }
    let sentence = format!(
        "It grows by {} a day, too slowly to reach the limit inside {horizon_days} days.",
        quantities.print_change(trend)
    );
    with_state(answer, State::BeyondHorizon, "slow_growth", sentence)
}

fn with_state(mut answer: Forecast, state: State, code: &str, sentence: String) -> Forecast {
    answer.state = state;
    answer.reason = Reason { code: code.to_owned(), sentence };
    answer
}

/// Days of the grid: dense at first, since the next weeks matter most; the last is the horizon.
fn grid_days(horizon_days: u16) -> Vec<u16> {
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
fn after(at: Timestamp, days: f64) -> Timestamp {
    let seconds = libm::round(days * DAY_SECONDS as f64) as i64;
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
