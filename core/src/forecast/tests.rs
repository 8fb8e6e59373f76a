//! Properties that hold for any input, and scenes whose truth a person would tell.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Forecast, Observation, Prior, Question, State, forecast};
use crate::unit::Resource;

const DAY: i64 = 86_400;

fn day(n: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + n * DAY).unwrap()
}

fn series(values: impl IntoIterator<Item = f64>) -> Vec<Observation> {
    values.into_iter().zip(0..).map(|(used, n)| Observation { at: day(n), used, limit: None }).collect()
}

fn ask(observations: &[Observation], limit: f64) -> Forecast {
    let as_of = observations.last().map_or(day(0), |o| o.at);
    let question = Question {
        resource: Resource::Capacity,
        observations,
        limit: Some(limit),
        as_of,
        horizon_days: 1_096,
    };
    forecast(&question, &Prior::builtin())
}

fn days_until(forecast: &Forecast, at: Option<Timestamp>) -> f64 {
    at.unwrap().duration_since(forecast.as_of).as_secs_f64() / DAY as f64
}

#[test]
fn a_steady_growth_is_dated_on_the_day() {
    let answer = ask(&series((0..400).map(|n| 1e12 + 1e9 * f64::from(n))), 1.399e12 + 100.0 * 1e9);
    assert_eq!(answer.state, State::Dated);
    assert!((days_until(&answer, answer.p50) - 100.0).abs() <= 1.0, "{answer:?}");
}

#[test]
fn growth_that_stopped_has_no_date() {
    let answer = ask(&series((0..800).map(|n| 1e12 + 1e9 * f64::from(n.min(20)))), 2e12);
    assert_eq!(answer.state, State::FlatOrShrinking, "{:?}", answer.reason);
    assert_eq!((answer.p10, answer.p50, answer.p90), (None, None, None));
}

#[test]
fn a_weekly_saw_tooth_that_does_not_grow_has_no_near_date() {
    let answer = ask(&series((0..400).map(|n| 5e11 + 1e10 * f64::from(n % 7))), 1e12);
    assert_ne!(answer.state, State::Dated, "{:?}", answer.reason);
}

#[test]
fn one_burst_of_package_updates_does_not_bring_the_date_forward_by_much() {
    let calm = ask(&series((0..400).map(|n| 1e12 + 1e9 * f64::from(n))), 1.6e12);
    let burst = ask(
        &series(
            (0..400).map(|n| 1e12 + 1e9 * f64::from(n) + if (395..397).contains(&n) { 4e10 } else { 0.0 }),
        ),
        1.6e12,
    );
    let (a, b) = (days_until(&calm, calm.p50), days_until(&burst, burst.p50));
    assert!((a - b).abs() / a < 0.15, "{a} {b}");
}

#[test]
fn each_state_is_reached_by_what_it_names() {
    let grown = series((0..100).map(|n| 1e12 + 1e9 * f64::from(n)));
    assert_eq!(ask(&[], 1e12).state, State::TooShort);
    assert_eq!(ask(&series([1.0, 2.0]), 1e12).state, State::TooShort);
    assert_eq!(ask(&grown, 1e12).state, State::AlreadyExhausted);
    assert_eq!(ask(&grown, 1e18).state, State::BeyondHorizon);
    let unlimited = Question {
        resource: Resource::Capacity,
        observations: &grown,
        limit: None,
        as_of: day(99),
        horizon_days: 365,
    };
    assert_eq!(forecast(&unlimited, &Prior::builtin()).state, State::UnknownLimit);
    let late = Question { limit: Some(2e12), as_of: day(200), ..unlimited };
    assert_eq!(forecast(&late, &Prior::builtin()).state, State::Stale);
}

#[test]
fn nothing_after_the_moment_of_asking_is_used() {
    let known = series((0..200).map(|n| 1e12 + 1e9 * f64::from(n)));
    let question = |observations| Question {
        resource: Resource::Capacity,
        observations,
        limit: Some(2e12),
        as_of: day(150),
        horizon_days: 700,
    };
    let with_future = serde_json::to_string(&forecast(&question(&known), &Prior::builtin())).unwrap();
    assert_eq!(
        with_future,
        serde_json::to_string(&forecast(&question(&known[..151]), &Prior::builtin())).unwrap()
    );
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 0.0..1e15_f64,
        1 => any::<f64>(),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-1.0), Just(0.0)],
    ]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0..900_i64).prop_map(day),
        1 => prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX)],
        1 => any::<u32>().prop_map(|s| Timestamp::from_second(i64::from(s)).unwrap()),
    ]
}

fn any_observation() -> impl Strategy<Value = Observation> {
    (any_time(), any_value(), proptest::option::of(any_value())).prop_map(|(at, used, limit)| Observation {
        at,
        used,
        limit,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_input_gives_a_state_and_only_dated_has_ordered_dates(
        observations in proptest::collection::vec(any_observation(), 0..60),
        limit in proptest::option::of(any_value()),
        as_of in any_time(),
        horizon_days in any::<u16>(),
        which in 0..5_usize,
    ) {
        let question =
            Question { resource: Resource::ALL[which], observations: &observations, limit, as_of, horizon_days };
        let answer = forecast(&question, &Prior::builtin());
        if answer.state == State::Dated {
            let p10 = answer.p10.expect("a dated forecast has its early date");
            prop_assert!(p10 >= as_of);
            prop_assert!(answer.p50.is_none_or(|p50| p50 >= p10));
            prop_assert!(answer.p90.is_none_or(|p90| answer.p50.is_some_and(|p50| p90 >= p50)));
        } else {
            prop_assert_eq!((answer.p10, answer.p50, answer.p90), (None, None, None));
        }
        prop_assert!(answer.passage.0.windows(2).all(|p| p[0].probability <= p[1].probability && p[0].at <= p[1].at));
        prop_assert!(answer.fan.iter().all(|f| f.p10 <= f.p50 && f.p50 <= f.p90));
        prop_assert!(!answer.reason.sentence.is_empty());
        prop_assert!(serde_json::to_string(&answer).is_ok());
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        observations in proptest::collection::vec(any_observation(), 0..40).prop_shuffle(),
        limit in 1.0..1e15_f64,
    ) {
        let mut sorted = observations.clone();
        sorted.reverse();
        let mut question = Question {
            resource: Resource::Capacity,
            observations: &observations,
            limit: Some(limit),
            as_of: day(900),
            horizon_days: 365,
        };
        let one = serde_json::to_string(&forecast(&question, &Prior::builtin())).unwrap();
        question.observations = &sorted;
        prop_assert_eq!(one, serde_json::to_string(&forecast(&question, &Prior::builtin())).unwrap());
    }

    #[test]
    fn the_unit_of_bytes_and_the_time_of_day_do_not_matter(
        growth in proptest::collection::vec(-1_000..5_000_i32, 20..200),
        shift_seconds in 0..DAY,
    ) {
        let mut level = 1e6;
        let values: Vec<f64> = growth.iter().map(|g| { level = f64::max(level + f64::from(*g), 0.0); level }).collect();
        let small = ask(&series(values.iter().copied()), 3e6);
        let large = ask(&series(values.iter().map(|v| v * 1024.0)), 3e6 * 1024.0);
        prop_assert_eq!((small.state, small.p10, small.p50, small.p90), (large.state, large.p10, large.p50, large.p90));
        let shift = SignedDuration::from_secs(shift_seconds);
        let moved: Vec<Observation> =
            series(values.iter().copied()).into_iter().map(|o| Observation { at: o.at + shift, ..o }).collect();
        let moved = ask(&moved, 3e6);
        prop_assert_eq!(small.p50.map(|at| at + shift), moved.p50);
    }
}
