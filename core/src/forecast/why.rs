//! What moves the date, as data with sentences.

use jiff::{SignedDuration, Timestamp};

use super::{
    Factor, Pooled,
    history::{DAY_SECONDS, GAP_DAYS, History},
    quantities::Quantities,
    shape::{self, JumpKind},
};

/// A fall to less than this share of the value before is a new beginning, not a clean-up.
const RESET_SHARE: f64 = 0.05;

/// The factors of a history, the most important first: trend, changes of the limit, jumps, gaps.
pub(super) fn factors(history: &History, quantities: Quantities) -> Vec<Factor> {
    let mut factors = Vec::new();
    if let Some(trend) = trend(&history.daily, quantities) {
        factors.push(trend);
    }
    for (day, old, new) in history.limit_changes.iter().rev().take(3) {
        let grown = new > old;
        factors.push(Factor {
            kind: if grown { "expansion" } else { "reduction" }.to_owned(),
            at: Some(day_time(history, *day)),
            amount: Some(new - old),
            sentence: format!(
                "The limit was {} from {} to {} on {}.",
                if grown { "raised" } else { "lowered" },
                quantities.print(*old),
                quantities.print(*new),
                day_time(history, *day).strftime("%Y-%m-%d")
            ),
        });
    }
    for jump in shape::jumps(&history.daily, shape::STEPS_MAX) {
        let at = day_time(history, jump.day);
        let before = history.daily[jump.day - 1];
        let (kind, what) = match (jump.kind, jump.amount > 0.0) {
            (JumpKind::Step, false) if history.daily[jump.day] < RESET_SHARE * before => {
                ("reset", "It began anew:")
            }
            (JumpKind::Step, true) => ("step", "It stepped up by"),
            (JumpKind::Step, false) if quantities.can_be_freed() => ("clean_up", "Space was freed:"),
            (JumpKind::Step, false) => ("step", "It stepped down by"),
            (_, true) => ("burst", "It rose for less than a week by"),
            (_, false) => ("burst", "It fell for less than a week by"),
        };
        let amount = match what {
            "It began anew:" | "Space was freed:" => quantities.print_change(jump.amount),
            _ => quantities.print_step(jump.amount.abs()),
        };
        factors.push(Factor {
            kind: kind.to_owned(),
            at: Some(at),
            amount: Some(jump.amount),
            sentence: format!("{what} {amount} on {}.", at.strftime("%Y-%m-%d")),
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
    if history.longest_gap_days >= GAP_DAYS && !history.written_on_change {
        factors.push(Factor {
            kind: "gap".to_owned(),
            at: None,
            amount: None,
            sentence: format!(
                "For up to {} days in a row there was no value; a straight line was drawn between what was known.",
                history.longest_gap_days
            ),
        });
    }
    factors
}

/// How it grew over months, weeks and days, with the figure that stands for all of them as the amount.
fn trend(daily: &[f64], quantities: Quantities) -> Option<Factor> {
    let paces = shape::paces(daily);
    let (first, rest) = paces.split_first()?;
    let over = if first.0 == 1 { "the last day".to_owned() } else { format!("the last {} days", first.0) };
    let mut sentence = format!("It changed by {} a day over {over}", quantities.print_change(first.1));
    for (i, (span, pace)) in rest.iter().enumerate() {
        let and = if i + 1 == rest.len() { " and" } else { "," };
        sentence += &format!("{and} {} over {span}", quantities.print_change_beside(*pace));
    }
    sentence.push('.');
    Some(Factor { kind: "trend".to_owned(), at: None, amount: Some(shape::daily_trend(daily)), sentence })
}

/// What a counter that only rises said and took back, the days counted as set aside, and where it began anew. The history is
/// what is left.
pub(super) fn slips(history: &mut History, quantities: Quantities, set_aside: &mut u64) -> Vec<Factor> {
    let mut factors = Vec::new();
    let said = history.daily.clone();
    let slips = shape::take_back_slips(&mut history.daily);
    *set_aside += slips.len() as u64;
    for (i, day) in slips.iter().enumerate() {
        if i > 0 && slips[i - 1] + 1 == *day {
            continue;
        }
        let at = day_time(history, *day);
        factors.push(Factor {
            kind: "refused".to_owned(),
            at: Some(at),
            amount: Some(said[*day]),
            sentence: format!(
                "The counter said {} on {} and less again within days, which cannot be: it is not used.",
                quantities.print(said[*day]),
                at.strftime("%Y-%m-%d")
            ),
        });
    }
    if let Some(day) = shape::began_anew(&history.daily) {
        let (before, after) = (history.daily[day - 1], history.daily[day]);
        let at = day_time(history, day);
        factors.push(Factor {
            kind: "reset".to_owned(),
            at: Some(at),
            amount: Some(after - before),
            sentence: format!(
                "The counter began anew at {} on {}, after {}: only what came then counts.",
                quantities.print(after),
                at.strftime("%Y-%m-%d"),
                quantities.print(before)
            ),
        });
        history.forget_before(day);
    }
    factors
}

/// What was borrowed from units alike.
pub(super) fn units_alike(
    pooled: &Pooled,
    days: usize,
    share: f64,
    limit: f64,
    quantities: Quantities,
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
