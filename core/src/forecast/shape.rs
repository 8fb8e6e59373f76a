//! The shape of a daily history: its trend, its jumps, and the line under a value that only rises in steps.

/// How far the trend looks back, days: whole weeks, so that where in its week a value stands does not look like growth.
const TREND_DAYS: [usize; 4] = [28, 91, 182, 364];
/// So many steps and clean-ups in a year stand for themselves; more of them are how the value moves.
pub(super) const STEPS_MAX: usize = 3;

/// Mean growth a day over each of the last 28, 91, 182 and 364 days that there are, of a shorter history over all of it.
/// Up to three steps and clean-ups of the last year are set aside: what they were is told beside the growth.
pub(super) fn paces(daily: &[f64]) -> Vec<(usize, f64)> {
    let days = daily.len().saturating_sub(1);
    let mut steps: Vec<Jump> = jumps(daily, usize::MAX);
    steps.retain(|jump| jump.kind == JumpKind::Step);
    if steps.len() > STEPS_MAX {
        steps.clear();
    }
    let Some(last) = daily.last() else { return Vec::new() };
    let mut spans: Vec<usize> = TREND_DAYS.into_iter().filter(|span| *span <= days).collect();
    if spans.is_empty() && days > 0 {
        spans.push(days);
    }
    spans
        .into_iter()
        .map(|span| {
            let from = days - span;
            let aside: f64 = steps.iter().filter(|step| step.day > from).map(|step| step.amount).sum();
            (span, (last - daily[from] - aside) / span as f64)
        })
        .collect()
}

/// Robust growth a day: the median of the [`paces`]. What jumps up or down time and again, and in a year has grown by less
/// than one such jump, does not grow: a log that is rotated stands somewhere between empty and full.
pub(super) fn daily_trend(daily: &[f64]) -> f64 {
    let paces = paces(daily);
    let largest =
        jumps(daily, usize::MAX).into_iter().filter(|jump| jump.kind == JumpKind::Step).nth(STEPS_MAX);
    if let (Some(jump), Some((span, pace))) = (largest, paces.last())
        && (pace * *span as f64).abs() < jump.amount.abs()
    {
        return 0.0;
    }
    median(&mut paces.into_iter().map(|(_, pace)| pace).collect::<Vec<_>>()).unwrap_or(0.0)
}

/// How far the value scatters about its level from day to day, as a standard deviation, where that is all it does: four
/// weeks later it stands no farther off than a day later. `None` where it does not, as of a value that keeps what it gained.
pub(super) fn scatter(daily: &[f64]) -> Option<f64> {
    const APART: usize = 28;
    const DAYS_MIN: usize = 4 * APART;
    let recent = &daily[daily.len().saturating_sub(365)..];
    if recent.len() < DAYS_MIN {
        return None;
    }
    let distance = |apart: usize| {
        median(&mut recent.iter().zip(&recent[apart..]).map(|(a, b)| (b - a).abs()).collect::<Vec<_>>())
    };
    let (day, weeks) = (distance(1)?, distance(APART)?);
    let quarter = recent.len() / 4;
    let level = |part: &[f64]| median(&mut part.to_vec());
    let grown = level(&recent[recent.len() - quarter..])? - level(&recent[..quarter])?;
    // The median distance of two normal values is 0.954 standard deviations.
    let scatter = day / 0.954;
    (day > 0.0 && weeks < 1.5 * day && grown.abs() < scatter).then_some(scatter)
}

/// The median of finite values, the upper one of an even count; `None` of none. Reorders them.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// What a jump came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JumpKind {
    /// It stayed.
    Step,
    /// Half of it was gone again within a week.
    Burst,
    /// The end of a burst.
    BurstEnd,
}

/// A jump between two days that is out of proportion to the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jump {
    /// Index of the day after the jump.
    pub day: usize,
    /// Its size.
    pub amount: f64,
    /// What it came to.
    pub kind: JumpKind,
}

/// The jumps of the last year, the largest first, of equal ones the newest, at most `most`: changes of more than ten times
/// the median change and more than 2 % of the value. The end of a burst is none of its own.
pub(super) fn jumps(daily: &[f64], most: usize) -> Vec<Jump> {
    const WEEK: usize = 8;
    let from = daily.len().saturating_sub(366);
    let recent = &daily[from..];
    let mut sizes: Vec<f64> =
        recent.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|size| *size > 0.0).collect();
    let Some(usual) = median(&mut sizes) else { return Vec::new() };
    let mut found: Vec<Jump> = recent
        .windows(2)
        .enumerate()
        .map(|(i, pair)| (i + 1, pair[1] - pair[0], pair[0].abs().max(pair[1].abs())))
        .filter(|(_, amount, level)| amount.abs() > 10.0 * usual && amount.abs() > 0.02 * level)
        .map(|(day, amount, _)| {
            let before = recent[day - 1];
            let week = &recent[day..recent.len().min(day + WEEK)];
            let passing = week.iter().any(|v| (v - before).abs() < 0.5 * amount.abs());
            Jump { day: from + day, amount, kind: if passing { JumpKind::Burst } else { JumpKind::Step } }
        })
        .collect();
    for i in 0..found.len() {
        let burst = found[i];
        if burst.kind != JumpKind::Burst {
            continue;
        }
        for later in found[i + 1..].iter_mut().take_while(|later| later.day < burst.day + WEEK) {
            if later.amount * burst.amount < 0.0 {
                later.kind = JumpKind::BurstEnd;
            }
        }
    }
    found.retain(|jump| jump.kind != JumpKind::BurstEnd);
    found.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()).then(b.day.cmp(&a.day)));
    found.truncate(most);
    found
}

/// How far the value swings within a week, the same way every week; `None` where the days of the week explain less than
/// half of the squared changes of the last eight weeks.
pub(super) fn weekly_swing(daily: &[f64]) -> Option<f64> {
    const WEEKS: usize = 8;
    let recent = daily.len().checked_sub(7 * WEEKS + 1).map(|from| &daily[from..])?;
    let changes: Vec<f64> = recent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = changes.iter().sum::<f64>() / changes.len() as f64;
    let by_day: Vec<f64> =
        (0..7).map(|day| changes.iter().skip(day).step_by(7).sum::<f64>() / WEEKS as f64 - mean).collect();
    let explained = by_day.iter().map(|v| v * v).sum::<f64>() * WEEKS as f64;
    let all: f64 = changes.iter().map(|c| (c - mean) * (c - mean)).sum();
    let (mut level, mut low, mut high) = (0.0, 0.0_f64, 0.0_f64);
    for change in by_day {
        level += change;
        (low, high) = (low.min(level), high.max(level));
    }
    let swing = high - low;
    (explained > 0.5 * all && swing.is_finite() && swing > 1e-3 * recent[recent.len() - 1].abs())
        .then_some(swing)
}

/// The highest value of each day and the six before it, from the first day that has six before it.
pub(super) fn highs_of_weeks(daily: &[f64]) -> Vec<f64> {
    daily.windows(7).map(|week| week.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect()
}

/// Falls of less than this are no new beginning of a counter that only rises, and rises of less no slip of it.
const SLIP: f64 = 0.02;
/// A counter that slipped for no more days than this is read on as it was.
const SLIP_DAYS: usize = 3;

/// The day from which a counter that only rises began anew and stayed below where it had been: its device was replaced.
/// `None` where it never did.
pub(super) fn began_anew(daily: &[f64]) -> Option<usize> {
    let mut highest_after = f64::NEG_INFINITY;
    let mut found = None;
    for day in (1..daily.len()).rev() {
        highest_after = highest_after.max(daily[day]);
        let before = median(&mut daily[day.saturating_sub(SLIP_DAYS)..day].to_vec())?;
        if daily.len() - day > SLIP_DAYS && highest_after + SLIP < before {
            found = Some(day);
        } else if found.is_some() {
            break;
        }
    }
    found
}

/// Sets rises aside that a counter which only rises took back within days, as far as its earlier values go on after them:
/// such a day keeps the value before. Gives the days.
pub(super) fn take_back_slips(daily: &mut [f64]) -> Vec<usize> {
    let mut slips = Vec::new();
    for day in 1..daily.len() {
        let after = &daily[day + 1..daily.len().min(day + 2 + 2 * SLIP_DAYS)];
        let Some(later) = median(&mut after.to_vec()) else { break };
        if daily[day] > later + SLIP && later + SLIP >= daily[day - 1] {
            slips.push(day);
            daily[day] = daily[day - 1];
        }
    }
    slips
}

/// Replaces a value that can only rise, and is reported in coarse steps, by the line through the days on which it rose.
/// A decrease is not believed.
pub(super) fn make_monotone(daily: &mut [f64]) {
    let mut highest = f64::NEG_INFINITY;
    let mut corners: Vec<usize> = Vec::new();
    for (i, value) in daily.iter_mut().enumerate() {
        if *value > highest {
            highest = *value;
            corners.push(i);
        }
        *value = highest;
    }
    for pair in corners.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (low, high) = (daily[a], daily[b]);
        for (offset, value) in daily[a..b].iter_mut().enumerate() {
            // Divided first: a product could be too large for any number.
            *value = low + (high - low) * (offset as f64 / (b - a) as f64);
        }
    }
}
