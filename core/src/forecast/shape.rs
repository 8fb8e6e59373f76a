//! The shape of a daily history: its trend, its jumps, and the line under a value that only rises in steps.

/// Robust growth a day: the median of the mean growth over the last 30, 90, 180 and 365 days that there are.
pub(super) fn daily_trend(daily: &[f64]) -> f64 {
    let Some((last, before)) = daily.split_last() else { return 0.0 };
    let mut slopes: Vec<f64> = [30_usize, 90, 180, 365]
        .into_iter()
        .map(|days| days.min(before.len()))
        .filter(|days| *days > 0)
        .map(|days| (last - before[before.len() - days]) / days as f64)
        .collect();
    median(&mut slopes).unwrap_or(0.0)
}

/// The median of finite values, the upper one of an even count; `None` of none. Reorders them.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// A jump between two days that is out of proportion to the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jump {
    /// Index of the day after the jump.
    pub day: usize,
    /// Its size.
    pub amount: f64,
    /// Whether half of it was gone again within a week.
    pub passing: bool,
}

/// The jumps of the last year, the largest first, at most `most`: changes of more than ten times the median change
/// and more than 2 % of the value.
pub(super) fn jumps(daily: &[f64], most: usize) -> Vec<Jump> {
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
            let week = &recent[day..recent.len().min(day + 8)];
            let passing = week.iter().any(|v| (v - before).abs() < 0.5 * amount.abs());
            Jump { day: from + day, amount, passing }
        })
        .collect();
    found.sort_by(|a, b| b.amount.abs().total_cmp(&a.amount.abs()));
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

/// The highest value of each day and the six before it.
pub(super) fn highs_of_weeks(daily: &[f64]) -> Vec<f64> {
    (0..daily.len())
        .map(|day| daily[day.saturating_sub(6)..=day].iter().copied().fold(f64::NEG_INFINITY, f64::max))
        .collect()
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
            *value = low + (high - low) * offset as f64 / (b - a) as f64;
        }
    }
}
