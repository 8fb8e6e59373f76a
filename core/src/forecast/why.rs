//! What moves the date, as data with sentences.

use jiff::{SignedDuration, Timestamp};

use super::{
    Factor, Pooled,
    history::{DAY_SECONDS, History},
    quantities::Quantities,
    shape,
};

/// A fall to less than this share of the value before is a new beginning, not a clean-up.
const RESET_SHARE: f64 = 0.05;
/// Runs of days without a value that are worth a sentence.
const GAP_DAYS: usize = 3;

/// The factors of a history, the most important first: trend, changes of the limit, jumps, gaps.
pub(super) fn factors(history: &History, quantities: &Quantities) -> Vec<Factor> {
    let mut factors = Vec::new();
    let trend = shape::daily_trend(&history.daily);
    if history.daily.len() > 1 {
        factors.push(Factor {
            kind: "trend".to_owned(),
            at: None,
            amount: Some(trend),
            sentence: format!("Over the last year it changed by {} a day.", quantities.print_change(trend)),
        });
    }
    for (day, old, new) in history.limit_changes.iter().rev().take(3) {
        let grown = new > old;
        factors.push(Factor {
            kind: if grown { "expansion" } else { "reduction" }.to_owned(),
            at: Some(day_time(history, *day)),
            amount: Some(new - old),
            sentence: format!(
                "The limit was {} from {} to {}.",
                if grown { "raised" } else { "lowered" },
                quantities.print(*old),
                quantities.print(*new)
            ),
        });
    }
    for jump in shape::jumps(&history.daily, 3) {
        let at = day_time(history, jump.day);
        let before = history.daily[jump.day - 1];
        let (kind, what) = match (jump.passing, jump.amount > 0.0) {
            (false, false) if history.daily[jump.day] < RESET_SHARE * before => ("reset", "It began anew:"),
            (true, _) => ("burst", "It jumped for less than a week by"),
            (false, true) => ("step", "It stepped up by"),
            (false, false) => ("clean_up", "Space was freed:"),
        };
        factors.push(Factor {
            kind: kind.to_owned(),
            at: Some(at),
            amount: Some(jump.amount),
            sentence: format!(
                "{what} {} on {}.",
                quantities.print_change(jump.amount),
                at.strftime("%Y-%m-%d")
            ),
        });
    }
    if let Some(swing) = shape::weekly_swing(&history.daily) {
        factors.push(Factor {
            kind: "season".to_owned(),
            at: None,
            amount: Some(swing),
            sentence: format!("It repeats every week, by {} up and down.", quantities.print(swing)),
        });
    }
    if history.longest_gap_days >= GAP_DAYS {
        factors.push(Factor {
            kind: "gap".to_owned(),
            at: None,
            amount: None,
            sentence: format!(
                "For up to {} days in a row there was no value; the last one before was kept.",
                history.longest_gap_days
            ),
        });
    }
    factors
}

/// What was borrowed from units alike.
pub(super) fn units_alike(
    pooled: &Pooled,
    days: usize,
    share: f64,
    limit: f64,
    quantities: &Quantities,
) -> Factor {
    let growth = pooled.growth_mean * limit;
    Factor {
        kind: "prior".to_owned(),
        at: None,
        amount: Some(growth),
        sentence: format!(
            "With {days} days of its own history, {:.0} % of the date rests on {} units alike ({}), which change by {} a day.",
            share * 100.0,
            pooled.units,
            pooled.group,
            quantities.print_change(growth)
        ),
    }
}

fn day_time(history: &History, day: usize) -> Timestamp {
    let back = history.daily.len().saturating_sub(1 + day) as i64;
    history.until.checked_sub(SignedDuration::from_secs(back * DAY_SECONDS)).unwrap_or(history.from)
}
