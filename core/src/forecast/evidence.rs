//! What a history says about each limit, as numbers without a unit: the input of the quantile network.
//!
//! Every entry is a logarithm of days or of a ratio, or a share, so that neither the unit of bytes nor the size of the
//! volume matters. The order of the entries is part of the constants' version.

use super::{
    bootstrap::{self, Futures, PATHS},
    day_classes::{self, DayClasses},
    replay::{Scale, replay},
    shape::median,
};

/// Entries of the evidence on one limit.
pub const EVIDENCE: usize = RISING + 58;
/// The first of them: those that depend on the limit. None falls where the limit rises; the others are the unit's own.
pub const RISING: usize = 97;
/// The longest length that is told apart, days: ten years.
const DAYS_MAX: f64 = day_classes::DAYS_MAX as f64;
const SLOPES_DAYS: [usize; 9] = [7, 14, 30, 60, 90, 180, 365, 730, 1_460];
/// Spans of the past, days back, that follow on each other.
const SPANS_DAYS: [(usize, usize); 7] =
    [(30, 0), (60, 30), (120, 60), (240, 120), (365, 240), (730, 365), (1_460, 730)];
/// Levels at which all futures together, and the replay, are told.
const LEVELS: [f32; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
/// Levels at which the futures of one window are told.
const WINDOW_LEVELS: [f32; 3] = [0.1, 0.5, 0.9];

/// The evidence on each gap (positive, rising) of a daily history of at least two values: what the fit reads.
pub fn capacity_evidence(daily: &[f64], gaps: &[f64]) -> Vec<[f32; EVIDENCE]> {
    evidence(daily, gaps, &bootstrap::simulate(daily, gaps, false))
}

/// The same where the futures are simulated already.
pub(super) fn evidence(daily: &[f64], gaps: &[f64], futures: &Futures) -> Vec<[f32; EVIDENCE]> {
    let unit = UnitFigures::of(daily);
    let absolute = replay(daily, gaps, Scale::Absolute);
    let relative = replay(daily, gaps, Scale::Relative);
    gaps.iter()
        .enumerate()
        .map(|(i, gap)| {
            let mut row = Row { entries: [0.0; EVIDENCE], next: 0 };
            unit.push_slopes(&mut row, *gap);
            push_futures(&mut row, futures.days(i));
            for lengths in [&absolute[i], &relative[i]] {
                lengths.ln_quantiles(LEVELS).into_iter().for_each(|ln| row.push(ln));
            }
            unit.push_against(&mut row, *gap);
            debug_assert_eq!(row.next, RISING);
            unit.push(&mut row);
            debug_assert_eq!(row.next, EVIDENCE);
            row.entries
        })
        .collect()
}

struct Row {
    entries: [f32; EVIDENCE],
    next: usize,
}

impl Row {
    fn push(&mut self, value: f64) {
        self.entries[self.next] = if value.is_finite() { value as f32 } else { 0.0 };
        self.next += 1;
    }
}

fn push_futures(row: &mut Row, days: &[u16]) {
    let later = |days: &[u16], than: u16| {
        // In single steps of u16, so that it is done eight at a time.
        days.iter().fold(0_u16, |n, day| n + u16::from(*day > than))
    };
    let mut all = DayClasses::none();
    for of_window in days.chunks_exact(PATHS) {
        let classes = DayClasses::of(of_window);
        classes.ln_quantiles(WINDOW_LEVELS).into_iter().for_each(|ln| row.push(ln));
        row.push(f64::from(later(of_window, 365)) / PATHS as f64);
        all.add_all(&classes);
    }
    all.ln_quantiles(LEVELS).into_iter().for_each(|ln| row.push(ln));
    row.push(f64::from(later(days, 90)) / days.len() as f64);
    row.push(f64::from(later(days, 365)) / days.len() as f64);
}

fn ln_days(days: f64) -> f64 {
    libm::log(days.clamp(1.0, DAYS_MAX))
}

/// ln of the days that a gap takes at a slope a day.
fn days_to(gap: f64, slope: f64) -> f64 {
    ln_days(gap / slope.max(gap / DAYS_MAX))
}

fn ln_ratio(a: f64, b: f64) -> f64 {
    libm::log((a / b).clamp(1e-4, 1e4))
}

/// What does not depend on the limit.
struct UnitFigures {
    days: f64,
    level: f64,
    slopes: [f64; 9],
    /// Share of days without a change, over 90 and 365 days.
    flat: [f64; 2],
    /// Sums of rises and of falls over 90 and 365 days.
    rises: [f64; 2],
    falls: [f64; 2],
    /// The largest rise of a day and the sum of the five largest, over 365 days.
    largest: f64,
    five_largest: f64,
    /// The largest gain in any 30 days of the last year, and the spread of such gains.
    month_largest: f64,
    month_spread: f64,
    year_spread: f64,
    /// How far it stands under its highest value of 365 days and of all.
    below_high: [f64; 2],
    days_since_change: f64,
    days_since_largest: f64,
    /// Median of the 30-day gains of the last year and of all.
    month_median: [f64; 2],
    /// Gains over the 30 and 90 days that began a year ago.
    year_ago: [f64; 2],
    /// Share of days with a change, over each of `SLOPES_DAYS`: what a volume does is steadier than how much.
    active: [f64; 9],
    /// Mean change of an active day, over 365 and 1,460 days.
    active_gain: [f64; 2],
    /// The same with each day's change held to the middle 96 % of that window.
    held_gain: [f64; 2],
    /// Median rise of a rising day, over 365 days.
    usual_rise: f64,
    /// Growth a day between the ends of `SPANS_DAYS`.
    spans: [f64; 7],
    /// Changes of each such span that are active, per day.
    spans_active: [f64; 7],
    /// Growth a day with each day's change held to the middle 96 %, over 90, 365 and 1,460 days.
    held_slopes: [f64; 3],
    /// Sum of rises and falls a day, over 365 days, or over all where that year is flat.
    movement: f64,
}

/// Mean of the changes that are not 0, of the same held to their middle 96 %, and how many there are.
fn active_days(increments: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut changes: Vec<f64> = increments.filter(|i| *i != 0.0).collect();
    if changes.is_empty() {
        return (0.0, 0.0, 0.0);
    }
    let n = changes.len();
    let mean = changes.iter().sum::<f64>() / n as f64;
    let cut = n / 50 + usize::from(n >= 5);
    let (below, low, rest) = changes.select_nth_unstable_by(cut, f64::total_cmp);
    let low = *low;
    let mut high = low;
    if let Some(place) = (n - 1 - cut).checked_sub(below.len() + 1) {
        high = *rest.select_nth_unstable_by(place, f64::total_cmp).1;
    }
    let held = changes.iter().map(|c| c.clamp(low, high)).sum::<f64>() / n as f64;
    (mean, held, n as f64)
}

impl UnitFigures {
    fn of(daily: &[f64]) -> Self {
        let last = daily.len() - 1;
        let now = daily[last];
        let back = |days: usize| daily[last - days.min(last)];
        let slopes = SLOPES_DAYS.map(|days| (now - back(days)) / days.min(last) as f64);
        let increments =
            |days: usize| daily[last - days.min(last)..].windows(2).map(|pair| pair[1] - pair[0]);
        let flat = [90, 365]
            .map(|days| increments(days).filter(|i| *i == 0.0).count() as f64 / days.min(last) as f64);
        let rises = [90, 365].map(|days| increments(days).map(|i| i.max(0.0)).sum());
        let falls = [90, 365].map(|days| increments(days).map(|i| (-i).max(0.0)).sum());
        let mut top = [0.0_f64; 5];
        let mut days_since_largest = 0.0;
        for (i, rise) in increments(365).enumerate() {
            if rise > top[0] {
                days_since_largest = (last.min(365) - i) as f64;
            }
            if rise > top[4] {
                top[4] = rise;
                top.sort_unstable_by(|a, b| b.total_cmp(a));
            }
        }
        let months = |days: usize| -> Vec<f64> {
            let step = 30.min(last);
            let mut gains: Vec<f64> = (0..(days.min(last) / step).max(1) * 3)
                .filter_map(|i| last.checked_sub(step + i * step / 3))
                .map(|from| daily[from + step] - daily[from])
                .collect();
            gains.sort_unstable_by(f64::total_cmp);
            gains
        };
        let (year_months, all_months) = (months(365), months(1_460));
        let spread = |gains: &[f64]| gains[gains.len() * 9 / 10] - gains[gains.len() / 10];
        let high =
            |days: usize| daily[last - days.min(last)..].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let year_ago =
            [30, 90].map(|days| if last >= 365 { daily[last - 365 + days] - daily[last - 365] } else { 0.0 });
        let active = SLOPES_DAYS
            .map(|days| increments(days).filter(|i| *i != 0.0).count() as f64 / days.min(last) as f64);
        let held: Vec<(f64, f64, f64)> = [90, 365, 1_460].map(|days| active_days(increments(days))).to_vec();
        let held_slopes =
            core::array::from_fn(|i| held[i].1 * held[i].2 / [90, 365, 1_460][i].min(last) as f64);
        let mut rising: Vec<f64> = increments(365).filter(|i| *i > 0.0).collect();
        let spans = SPANS_DAYS.map(|(from, to)| (back(to) - back(from)) / (from - to) as f64);
        let spans_active = SPANS_DAYS.map(|(from, to)| {
            let (from, to) = (last - from.min(last), last - to.min(last));
            let changed = daily[from..=to].windows(2).filter(|pair| pair[0] != pair[1]).count();
            changed as f64 / (to - from).max(1) as f64
        });
        let year = rises[1] + falls[1];
        let movement = if year > 0.0 {
            year / last.min(365) as f64
        } else {
            increments(last).map(f64::abs).sum::<f64>() / last as f64
        };
        Self {
            movement,
            spans,
            spans_active,
            active,
            active_gain: [held[1].0, held[2].0],
            held_gain: [held[1].1, held[2].1],
            usual_rise: median(&mut rising).unwrap_or(0.0),
            held_slopes,
            days: last as f64,
            level: now,
            slopes,
            flat,
            rises,
            falls,
            largest: top[0],
            five_largest: top.iter().sum(),
            month_largest: year_months.last().copied().unwrap_or(0.0),
            month_spread: spread(&year_months),
            year_spread: spread(&all_months),
            below_high: [high(365) - now, high(daily.len()) - now],
            days_since_change: daily.iter().rev().take_while(|v| **v == now).count() as f64,
            days_since_largest,
            month_median: [year_months[year_months.len() / 2], all_months[all_months.len() / 2]],
            year_ago,
        }
    }

    fn push_slopes(&self, row: &mut Row, gap: f64) {
        for slope in self.slopes {
            row.push(days_to(gap, slope));
        }
    }

    /// The gap against what was usual.
    fn push_against(&self, row: &mut Row, gap: f64) {
        row.push(ln_ratio(gap, self.level.max(gap * 1e-4)));
        for rises in self.rises {
            row.push(ln_ratio(gap, rises));
        }
        row.push(ln_ratio(gap, self.largest));
        row.push(ln_ratio(gap, self.month_largest.max(gap * 1e-4)));
        row.push(ln_ratio(gap, self.month_spread));
        row.push(ln_ratio(gap, self.year_spread));
        for below in self.below_high {
            row.push(-libm::log1p((below / gap).clamp(0.0, 100.0)));
        }
        for gain in self.month_median {
            row.push(ln_days(30.0 * gap / gain.max(gap * 0.01)));
        }
        for window in [1, 2, 4, 5, 6] {
            row.push(days_to(gap, self.active[window] * self.active_gain[0]));
            row.push(days_to(gap, self.active[window] * self.active_gain[1]));
        }
        for gain in self.held_gain {
            row.push(days_to(gap, self.active[2] * gain));
        }
        row.push(days_to(gap, self.active[4] * self.held_gain[1]));
        row.push(ln_ratio(gap, self.usual_rise));
        for slope in self.held_slopes {
            row.push(days_to(gap, slope));
        }
        for slope in self.spans {
            row.push(days_to(gap, slope));
            // Of a year's growth in gaps the part above 0 falls with the gap, the part below rises.
            let gaps = slope / gap * 365.0;
            row.push(-gaps.clamp(0.0, 6.0));
            row.push(gaps.clamp(-6.0, 0.0));
        }
        for (gain, days) in self.year_ago.into_iter().zip([30.0, 90.0]) {
            row.push(ln_days(days * gap / gain.max(gap * 0.01)));
        }
    }

    /// What does not depend on the gap.
    fn push(&self, row: &mut Row) {
        row.push(ln_days(self.days));
        for share in self.flat {
            row.push(share);
        }
        for (rises, falls) in self.rises.into_iter().zip(self.falls) {
            row.push(falls / (rises + falls).max(f64::MIN_POSITIVE));
        }
        row.push(self.largest / self.rises[1].max(f64::MIN_POSITIVE));
        row.push(self.five_largest / self.rises[1].max(f64::MIN_POSITIVE));
        row.push(ln_days(self.days_since_change));
        row.push(ln_days(self.days_since_largest));
        for share in self.active {
            row.push(libm::sqrt(share));
        }
        for active in self.spans_active {
            row.push(libm::log(active.max(1e-3)));
        }
        self.push_paces(row);
    }

    /// How fast it grew over each span, against how much it moves at all: what the entries that rise with the limit cannot
    /// tell, since none of them may count against another.
    fn push_paces(&self, row: &mut Row) {
        let mut push = |slope: f64| {
            let pace = slope / self.movement.max(f64::MIN_POSITIVE);
            row.push(libm::asinh(20.0 * pace.clamp(-1e4, 1e4)));
        };
        self.slopes.into_iter().chain(self.spans).chain(self.held_slopes).for_each(&mut push);
        let months = [self.month_largest, self.month_spread, self.year_spread];
        for gain in
            self.month_median.into_iter().chain(months).chain([self.year_ago[0], self.year_ago[1] / 3.0])
        {
            push(gain / 30.0);
        }
        for gain in self.active_gain.into_iter().chain(self.held_gain).chain([self.usual_rise]) {
            push(gain / 20.0);
        }
        push(self.largest / 365.0);
        row.push(ln_ratio(self.level, 365.0 * self.movement));
    }
}
