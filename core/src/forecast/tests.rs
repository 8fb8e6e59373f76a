//! Properties that hold for any input, and scenes whose truth a person would tell.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Forecast, Observation, Pooled, Prior, Question, State, first_passages, follow, forecast};
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
    assert!((days_until(&answer, answer.p50) - 100.0).abs() <= 2.0, "{:?}", answer.p50);
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
    assert!(answer.why.iter().any(|factor| factor.kind == "season"), "{:?}", answer.why);
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

fn growing(n: i32) -> f64 {
    // A little up and down each week, so that the past is not one straight line.
    1e12 + 1e9 * f64::from(n) + 2e9 * f64::from(n * 7 % 5)
}

fn with_limits(values: impl Iterator<Item = f64>, limit: impl Fn(i64) -> f64) -> Vec<Observation> {
    values.zip(0..).map(|(used, n)| Observation { at: day(n), used, limit: Some(limit(n)) }).collect()
}

fn kinds(answer: &Forecast) -> Vec<&str> {
    answer.why.iter().map(|factor| factor.kind.as_str()).collect()
}

/// Expected: the same growth takes about twice as long to fill twice the room, and the expansion is named.
#[test]
fn capacity_doubled_moves_the_date_out_and_is_named() {
    let observations = with_limits((0..400).map(growing), |n| if n < 390 { 1.6e12 } else { 3.2e12 });
    let question = Question {
        resource: Resource::Capacity,
        observations: &observations,
        limit: None,
        as_of: day(399),
        horizon_days: 1_096,
    };
    let after = forecast(&question, &Prior::builtin());
    let before = ask(&observations, 1.6e12);
    assert!(kinds(&after).contains(&"expansion"), "{:?}", after.why);
    assert_eq!(after.limit, Some(3.2e12));
    let early = days_until(&before, before.p50);
    assert!((150.0..260.0).contains(&early), "200 days of room: {early}");
    assert!(after.p50.is_none_or(|at| at > before.p50.unwrap()));
}

/// Expected: half is gone, so at the old pace it takes far longer than before; the clean-up is named.
#[test]
fn a_clean_up_of_half_moves_the_date_out_and_is_named() {
    let observations = series((0..400).map(|n| growing(n) * if n < 395 { 1.0 } else { 0.5 }));
    let answer = ask(&observations, 1.5e12);
    let before = ask(&observations[..395], 1.5e12);
    assert!(kinds(&answer).contains(&"clean_up"), "{:?}", answer.why);
    assert!(answer.p50.is_none_or(|at| at > before.p50.unwrap()), "{answer:?}");
}

/// Expected: what stood still for a year and has grown for four months will fill its room, sooner than the year's mean
/// says, and not before the new pace does.
#[test]
fn growth_that_began_is_dated_between_the_new_pace_and_the_mean() {
    let answer = ask(&series((0..500).map(|n| growing((n - 380).max(0)))), growing(120) + 1e11);
    assert_eq!(answer.state, State::Dated);
    let days = days_until(&answer, answer.p50);
    assert!((80.0..310.0).contains(&days), "the new pace takes 100 days, the year's mean 300: {days}");
}

/// Expected: a log that is rotated every week at the same size never fills twice its room.
#[test]
fn log_rotation_has_no_near_date() {
    let answer = ask(&series((0..400).map(|n| 1e10 + 1e9 * f64::from(n % 7))), 4e10);
    assert_eq!((answer.p10, answer.p50), (None, None), "{:?}", answer.reason);
}

fn probability(answer: &Forecast) -> f64 {
    answer.passage.0.last().map_or(0.0, |point| point.probability)
}

fn sentence<'a>(answer: &'a Forecast, kind: &str) -> &'a str {
    answer.why.iter().find(|factor| factor.kind == kind).map_or("", |factor| &factor.sentence)
}

/// Expected: what stands still or shrinks is not said to run out, by its state or by its probability.
#[test]
fn what_does_not_grow_has_hardly_a_probability() {
    for (name, values) in [
        ("still", (0..400).map(|_| 9e11).collect::<Vec<_>>()),
        ("shrinking", (0..400).map(|n| 9e11 - 1e9 * f64::from(n)).collect()),
        // It stands at its top one day a week, a hair under the limit, and never above.
        ("saw-tooth", (0..365).map(|n| 8.8e11 + 2e10 * f64::from(n % 7)).collect()),
    ] {
        let answer = ask(&series(values), if name == "saw-tooth" { 1.001e12 } else { 1e12 });
        assert_eq!(answer.state, State::FlatOrShrinking, "{name}: {:?}", answer.reason);
        assert!(probability(&answer) <= 0.03 + 1e-9, "{name}: {}", probability(&answer));
    }
}

/// Expected: what only scatters about a level, far from its limit, is too noisy to be dated.
#[test]
fn what_scatters_about_a_level_is_too_noisy() {
    let scatter = |n: i32| f64::from((n * 7_919 + n * n * 31) % 101 - 50) * 1e9;
    let values: Vec<f64> = (0..365).map(|n| 5e11 + scatter(n)).collect();
    let answer = ask(&series(values.iter().copied()), 1e12);
    assert!(matches!(answer.state, State::TooNoisy | State::FlatOrShrinking), "{:?}", answer.reason);
    assert!(probability(&answer) <= 0.03 + 1e-9, "{}", probability(&answer));
    let growing = values.iter().zip(0..).map(|(value, n)| value + 1e9 * f64::from(n));
    assert_eq!(ask(&series(growing), 1e12).state, State::Dated);
}

/// Expected: steps, bursts and clean-ups are told beside the growth, and are no growth.
#[test]
fn jumps_are_no_growth() {
    let told = |values: Vec<f64>| {
        let answer = ask(&series(values), 1e13);
        let trend =
            answer.why.iter().find(|factor| factor.kind == "trend").and_then(|factor| factor.amount).unwrap();
        (trend / 1e9, kinds(&answer).iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>())
    };
    let line = |n: i32| 5e11 + 1e9 * f64::from(n);
    let near = |(trend, kinds): (f64, Vec<String>), wanted: [&str; 2]| {
        assert!((trend - 1.0).abs() < 0.05, "{trend} {kinds:?}");
        assert_eq!(kinds, wanted);
    };
    near(told((0..365).map(|n| line(n) + if n < 200 { 0.0 } else { 2e11 }).collect()), ["trend", "step"]);
    near(told((0..365).map(|n| line(n) - if n < 364 { 0.0 } else { 4e11 }).collect()), ["trend", "clean_up"]);
    near(
        told((0..365).map(|n| line(n) + if (340..343).contains(&n) { 8e10 } else { 0.0 }).collect()),
        ["trend", "burst"],
    );
    let (rotated, kinds) = told((0..365).map(|n| 5e11 + 1e10 * f64::from(n % 30)).collect());
    assert_eq!((rotated, kinds.len()), (0.0, 4), "rotated once a month: {kinds:?}");
}

/// Expected: of growth that stopped it is said that it stopped.
#[test]
fn growth_that_stopped_is_not_said_to_go_on() {
    let answer = ask(&series((0..365).map(|n| 5e11 + 1e9 * f64::from(n.min(275)))), 1e12);
    assert!(answer.reason.sentence.ends_with("but not in the last 28 days."), "{:?}", answer.reason);
    let slower =
        ask(&series((0..365).map(|n| 5e11 + 1e9 * f64::from(n.min(275)) + 1e6 * f64::from(n))), 1e12);
    assert!(slower.reason.sentence.contains("but by no more than"), "{:?}", slower.reason);
    assert!(sentence(&answer, "trend").starts_with("It changed by +0 B a day over the last 28 days, +"));
}

/// Expected: the growth of days without a value is no step on the day of the next one.
#[test]
fn a_gap_is_no_step() {
    let whole = series((0..365).map(|n| 5e11 + 1e9 * f64::from(n)));
    let gap: Vec<Observation> =
        whole.iter().enumerate().filter(|(n, _)| !(200..260).contains(n)).map(|(_, o)| *o).collect();
    let (whole, gap) = (ask(&whole, 1e12), ask(&gap, 1e12));
    assert_eq!(kinds(&gap), ["trend", "gap"]);
    assert_eq!((whole.p10, whole.p50, whole.p90), (gap.p10, gap.p50, gap.p90));
}

/// Expected: of a table that has a row only where the value changed, what is missing did not change.
#[test]
fn rows_that_are_written_on_change_are_filled_forward() {
    let rises = |n: i32| 5e11 + 3e10 * f64::from(n / 11) + 4e9 * f64::from(n % 11 / 6);
    let whole = series((0..365).map(rises));
    let changes: Vec<Observation> = (0..365)
        .filter(|n| [0, 364].contains(n) || rises(*n) != rises(n - 1))
        .map(|n| whole[usize::try_from(n).unwrap()])
        .collect();
    let (whole, changes) = (ask(&whole, 2.5e12), ask(&changes, 2.5e12));
    assert_eq!(whole.state, State::Dated, "{:?}", whole.reason);
    assert_eq!((whole.p10, whole.p50, whole.p90), (changes.p10, changes.p50, changes.p90));
    assert!(!kinds(&changes).contains(&"gap"), "{:?}", changes.why);
}

/// Expected: a counter that only rises is not believed for a day, and one that began anew belongs to another device.
#[test]
fn a_slip_of_a_counter_is_refused_and_a_new_beginning_told() {
    let ask = |values: Vec<f64>| {
        let observations = series(values);
        let question = Question {
            resource: Resource::Endurance,
            observations: &observations,
            limit: None,
            as_of: observations.last().unwrap().at,
            horizon_days: 1_096,
        };
        forecast(&question, &Prior::builtin())
    };
    let line = |n: i32| 0.10 + 0.0008 * f64::from(n);
    let calm = ask((0..365).map(line).collect());
    for (name, slip) in [("up", 2.0), ("down", 0.0)] {
        let slipped = ask((0..365).map(|n| if n == 100 || n == 101 { slip } else { line(n) }).collect());
        assert_eq!((slipped.state, slipped.p50), (calm.state, calm.p50), "{name}: {:?}", slipped.why);
        assert_eq!(
            slipped.why.iter().filter(|factor| factor.kind == "refused").count(),
            usize::from(name == "up")
        );
        assert_eq!(slipped.set_aside, if name == "up" { 2 } else { 0 });
    }
    let anew =
        ask((0..365).map(|n| if n < 300 { 0.5 + line(n) } else { 0.001 * f64::from(n - 300) }).collect());
    assert_eq!(kinds(&anew)[0], "reset", "{:?}", anew.why);
    assert!(sentence(&anew, "reset").contains("began anew at 0.0 %"), "{:?}", anew.why);
    assert_eq!((anew.last_used, anew.data_from), (Some(0.064), Some(day(300))));
}

/// Expected: the largest numbers are no panic, wherever a line is drawn through them.
#[test]
fn a_line_through_the_largest_numbers_is_a_line() {
    let observations: Vec<Observation> = [(0, 0.0), (1_396, 8e305), (1_461, 8e305)]
        .map(|(n, used)| Observation { at: day(n), used, limit: None })
        .to_vec();
    let question = Question {
        resource: Resource::Endurance,
        observations: &observations,
        limit: Some(f64::MAX),
        as_of: day(1_461),
        horizon_days: 365,
    };
    assert_ne!(forecast(&question, &Prior::builtin()).state, State::Dated);
}

/// Expected: a load in operations a second is not told in per cent, and a band that three weeks give has a width.
#[test]
fn load_is_told_in_its_own_unit_and_dated_with_a_band() {
    let observations: Vec<Observation> = (0..24 * 22)
        .map(|hour| Observation {
            at: Timestamp::from_second(1_699_920_000 + hour * 3_600).unwrap(),
            used: 500.0 + (hour % 24) as f64 * 10.0 + hour as f64 / 6.0,
            limit: None,
        })
        .collect();
    let question = Question {
        resource: Resource::Load,
        observations: &observations,
        limit: Some(1_200.0),
        as_of: observations.last().unwrap().at,
        horizon_days: 1_096,
    };
    let answer = forecast(&question, &Prior::builtin());
    assert_eq!(answer.state, State::Dated, "{:?}", answer.reason);
    assert!(days_until(&answer, answer.p90) > 1.2 * days_until(&answer, answer.p10), "{answer:?}");
    assert!(
        answer.why.iter().all(|factor| !factor.sentence.contains('%') || factor.kind == "trend"),
        "{:?}",
        answer.why
    );
    assert!(!sentence(&answer, "trend").contains("percentage"), "{:?}", answer.why);
}

#[test]
fn a_unit_with_days_of_history_borrows_from_units_alike_and_says_so() {
    let observations = series((0..6).map(|n| 5e11 + 1e9 * f64::from(n)));
    assert_eq!(ask(&observations, 1e12).state, State::TooShort);
    let pooled = Pooled {
        group: "model X".to_owned(),
        units: 23,
        growth_mean: 1e-3,
        growth_spread: 3e-4,
        day_spread: 1e-3,
    };
    let question = Question {
        resource: Resource::Capacity,
        observations: &observations,
        limit: Some(1e12),
        as_of: day(5),
        horizon_days: 1_096,
    };
    let answer = forecast(&question, &Prior { pooled: Some(pooled.clone()), ..Prior::builtin() });
    assert_eq!(answer.state, State::Dated, "{:?}", answer.reason);
    assert_eq!(answer.reason.code, "grows_as_units_alike");
    assert_eq!(answer.why[0].kind, "prior");
    let days = days_until(&answer, answer.p50);
    assert!((350.0..650.0).contains(&days), "about 500 days at the group's pace: {days}");

    // A unit that was just switched on is not dated by others alone.
    let prior = Prior { pooled: Some(pooled), ..Prior::builtin() };
    let after = |days: usize| {
        let question = Question { observations: &observations[..=days], as_of: day(days as i64), ..question };
        forecast(&question, &prior).state
    };
    assert_eq!([0, 1, 2].map(after), [State::TooShort, State::TooShort, State::Dated]);
}

#[test]
fn busy_hours_that_grow_are_dated_and_the_busiest_hour_is_named() {
    // A day's rhythm between 10 and 40 %, growing by 0.1 percentage points a day.
    let observations: Vec<Observation> = (0..24 * 120_i64)
        .map(|hour| Observation {
            at: Timestamp::from_second(1_700_000_000 / 86_400 * 86_400 + hour * 3_600).unwrap(),
            used: 0.10
                + if hour % 24 == 20 || hour % 24 == 21 { 0.30 } else { 0.0 }
                + 0.001 * (hour / 24) as f64,
            limit: None,
        })
        .collect();
    let as_of = observations.last().unwrap().at;
    let ask = |limit| {
        let question = Question {
            resource: Resource::Load,
            observations: &observations,
            limit,
            as_of,
            horizon_days: 1_096,
        };
        forecast(&question, &Prior::builtin())
    };
    let answer = ask(Some(0.62));
    assert_eq!(answer.state, State::Dated, "{:?}", answer.reason);
    let days = days_until(&answer, answer.p50);
    assert!((70.0..130.0).contains(&days), "0.10 to go at 0.001 a day: {days}");
    assert!(
        answer.why.iter().any(|f| f.kind == "season" && f.sentence.contains("20:00")),
        "{:?}",
        answer.why
    );
    assert_eq!(ask(Some(0.3)).state, State::AlreadyExhausted);
    assert_eq!(ask(None).limit, Some(1.0), "a ratio runs into all of it");
}

#[test]
fn a_date_that_moved_by_little_stays_and_one_that_moved_by_much_is_said() {
    let observations = series((0..401).map(growing));
    let old = ask(&observations[..400], 1.6e12);
    let new = ask(&observations, 1.6e12);
    let held = follow(&old, new.clone());
    assert_eq!((held.p10, held.p50, held.p90), (old.p10, old.p50, old.p90));
    let mut jumped = series((0..401).map(growing));
    jumped[400].used += 1e11;
    let moved = follow(&old, ask(&jumped, 1.6e12));
    assert_ne!(moved.p50, old.p50);
    assert!(moved.why[0].sentence.contains("earlier since the last forecast"), "{:?}", moved.why);
    assert_eq!(follow(&new, old.clone()), old, "an older answer does not follow");
}

#[test]
fn the_answer_to_one_limit_does_not_depend_on_the_others_and_is_the_same_everywhere() {
    let daily: Vec<f64> = (0..400).map(growing).collect();
    let prior = Prior::builtin();
    let one = first_passages(&daily, &[1.6e12], 1_096, &prior);
    let many = first_passages(&daily, &[3e12, 1.6e12, 1e11, f64::NAN, 1.5e12], 1_096, &prior);
    assert_eq!(one[0], many[1]);
    assert_eq!(many[2].quantile(0.5), Some(0.0), "reached already");
    assert_eq!(many[3].quantile(0.5), None, "no number is never reached");
    let answer = ask(&series(daily), 1.6e12);
    let days = one[0].quantile(0.5).unwrap();
    assert!((days_until(&answer, answer.p50) - days).abs() < 1e-4);
}

#[test]
fn a_zero_with_a_sign_is_a_zero_in_whatever_order() {
    let zeros = |values: [f64; 2]| values.map(|used| Observation { at: day(3), used, limit: None });
    let [one, other] = [zeros([0.0, -0.0]), zeros([-0.0, 0.0])].map(|rows| ask(&rows, 1.0));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
}

#[test]
fn a_million_points_are_answered_from_their_days() {
    let observations: Vec<Observation> = (0..1_000_000_i64)
        .map(|n| Observation {
            at: Timestamp::from_second(1_700_000_000 + n * 60).unwrap(),
            used: 1e12 + 1e6 * n as f64,
            limit: None,
        })
        .collect();
    assert_eq!(ask(&observations, 2.2e12).state, State::Dated);
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
    // Each case starts threads, so fewer of them: what would differ between threads differs in any case.
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_thread_and_every_run_gives_the_same_answer(
        observations in proptest::collection::vec(any_observation(), 0..60),
        limit in 1.0..1e15_f64,
    ) {
        let answer = || serde_json::to_string(&ask(&observations, limit)).unwrap();
        let here = answer();
        let there = std::thread::scope(|scope| [scope.spawn(answer), scope.spawn(answer)].map(|one| one.join().unwrap()));
        prop_assert_eq!([&here, &here], [&there[0], &there[1]]);
        prop_assert_eq!(here, answer());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

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
    fn what_is_borrowed_from_units_alike_never_gives_more_than_a_state_with_ordered_dates(
        used in proptest::collection::vec(any_value(), 0..40),
        limit in any_value(),
        figures in [any::<f64>(), any::<f64>(), any::<f64>()],
        units in any::<u32>(),
        days_min in any::<u16>(),
    ) {
        let [growth_mean, growth_spread, day_spread] = figures.map(|v| if units % 2 == 0 { v } else { v % 1.0 });
        let pooled = Pooled { group: String::new(), units, growth_mean, growth_spread, day_spread };
        let prior = Prior { pooled: Some(pooled), days_min, ..Prior::builtin() };
        let observations = series(used);
        let question = Question {
            resource: Resource::Capacity,
            observations: &observations,
            limit: Some(limit),
            as_of: observations.last().map_or(day(0), |o| o.at),
            horizon_days: 1_096,
        };
        let answer = forecast(&question, &prior);
        let dates = [answer.p10, answer.p50, answer.p90];
        prop_assert_eq!(answer.state == State::Dated, answer.p10.is_some(), "{:?}", answer);
        prop_assert!(dates.iter().flatten().is_sorted() && dates.iter().flatten().all(|at| *at >= answer.as_of));
        prop_assert!(answer.passage.0.iter().all(|point| (0.0..=1.0).contains(&point.probability)));
    }

    #[test]
    fn what_never_changes_has_no_date(level in 0.0..1e15_f64, days in 1..500_usize, room in 1e-3..1e15_f64) {
        let answer = ask(&series(std::iter::repeat_n(level, days)), level + room);
        prop_assert_ne!(answer.state, State::Dated, "{:?}", answer);
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

    #[test]
    fn a_higher_limit_is_never_reached_earlier(
        growth in proptest::collection::vec(-1_000..5_000_i32, 20..400),
        rooms in proptest::collection::vec(1.0..5e6_f64, 2..9),
        powers in (0.3..3.0_f64, 0.3..3.0_f64),
    ) {
        let mut level = 1e6;
        let daily: Vec<f64> = growth.iter().map(|g| { level = f64::max(level + f64::from(*g), 1.0); level }).collect();
        let mut limits: Vec<f64> = rooms.iter().map(|room| level + room).collect();
        limits.sort_unstable_by(f64::total_cmp);
        let prior = Prior { power_early: powers.0, power_late: powers.1, ..Prior::builtin() };
        let passages = first_passages(&daily, &limits, 1_096, &prior);
        for pair in passages.windows(2) {
            for level in [0.02, 0.1, 0.5, 0.9] {
                let days = [&pair[0], &pair[1]].map(|one| one.quantile(level).unwrap_or(f64::INFINITY));
                prop_assert!(days[0] <= days[1], "{level}: {days:?}");
            }
            prop_assert!(pair[0].probability_within(90.0) >= pair[1].probability_within(90.0));
        }
    }
}
