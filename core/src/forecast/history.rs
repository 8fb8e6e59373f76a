//! A resource's history as daily values: cleaned, put in order, with its gaps and events named.

use jiff::{SignedDuration, Timestamp};

use super::{Observation, Question};

/// Seconds of a day. Days are counted back from the last observation, so no time zone matters.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// No more daily values than this are kept, the newest: two leap years more than any window looks back.
pub const HISTORY_DAYS_MAX: usize = 1_462;

/// Runs of days without a value that are a gap: what grew meanwhile is no step on the day of the next value.
pub(super) const GAP_DAYS: usize = 3;
/// With more gaps than one in so many observed days, rows are written when the value changes, not when it is measured.
const OBSERVED_A_GAP: usize = 20;

/// A cleaned history.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// One value a day, the last of each; the newest last. Days without an observation are filled as [`fill`] says.
    pub daily: Vec<f64>,
    /// Days of `daily` whose value was observed.
    pub observed_days: usize,
    /// Longest run of days that were not.
    pub longest_gap_days: usize,
    /// Whether days without a value are days without a change.
    pub written_on_change: bool,
    /// First observation used.
    pub from: Timestamp,
    /// Last observation used.
    pub until: Timestamp,
    /// Observations used.
    pub samples: u64,
    /// Changes of the limit: day index in `daily`, old and new limit.
    pub limit_changes: Vec<(usize, f64, f64)>,
    /// The last known limit, where there is one that can be run into.
    pub limit: Option<f64>,
}

impl History {
    /// Leaves the days before this one out.
    pub(super) fn forget_before(&mut self, day: usize) {
        let back = self.daily.len().saturating_sub(1 + day) as i64;
        self.from =
            self.until.checked_sub(SignedDuration::from_secs(back * DAY_SECONDS)).unwrap_or(self.from);
        self.daily.drain(..day);
        self.observed_days = self.observed_days.min(self.daily.len());
        self.limit_changes.retain(|change| change.0 >= day);
        for change in &mut self.limit_changes {
            change.0 -= day;
        }
    }
}

/// What is left of the observations, and how many were set aside as unbelievable.
pub(super) struct Cleaned {
    /// The history; `None` where nothing is left.
    pub history: Option<History>,
    /// Observations that were not finite or negative.
    pub set_aside: u64,
}

/// Puts the observations up to `as_of` in order. Of equal times the highest value stays, whatever the order of rows.
pub(super) fn clean(question: &Question<'_>) -> Cleaned {
    let mut set_aside = 0;
    let mut rows: Vec<&Observation> = Vec::with_capacity(question.observations.len());
    for row in question.observations.iter().filter(|row| row.at <= question.as_of) {
        if row.used.is_finite() && row.used >= 0.0 { rows.push(row) } else { set_aside += 1 }
    }
    // A total order, also of zeros with a sign and limits that are no number.
    let (used, limit_of) =
        (|row: &Observation| row.used.abs(), |row: &Observation| row.limit.unwrap_or(-1.0));
    rows.sort_unstable_by(|a, b| {
        let values = used(a).total_cmp(&used(b));
        a.at.cmp(&b.at).then(values).then(limit_of(a).total_cmp(&limit_of(b)))
    });
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Cleaned { history: None, set_aside };
    };
    let (from, until) = (first.at, last.at);
    let end = until.as_second();
    let day_of = |at: Timestamp| usize::try_from((end - at.as_second()).div_euclid(DAY_SECONDS)).unwrap_or(0);
    let days = day_of(from).min(HISTORY_DAYS_MAX - 1) + 1;
    let mut daily = vec![f64::NAN; days];
    let mut limit = None;
    let mut limit_changes = Vec::new();
    for row in &rows {
        let back = day_of(row.at);
        if back < days {
            daily[days - 1 - back] = used(row);
        } else {
            daily[0] = used(row); // older than what is kept: the value that the first day starts from
        }
        if let Some(new) = row.limit.filter(|l| l.is_finite() && *l > 0.0) {
            if let Some(old) = limit.filter(|old| *old != new) {
                limit_changes.push((days.saturating_sub(1 + back), old, new));
            }
            limit = Some(new);
        }
    }
    let filled = fill(&mut daily);
    let history = History {
        daily,
        observed_days: filled.observed_days,
        longest_gap_days: filled.longest_gap_days,
        written_on_change: filled.written_on_change,
        from,
        until,
        samples: rows.len() as u64,
        limit_changes,
        limit,
    };
    Cleaned { history: Some(history), set_aside }
}

struct Filled {
    observed_days: usize,
    longest_gap_days: usize,
    written_on_change: bool,
}

/// Fills the days that have no number. One or two of them carry the value before. A run of [`GAP_DAYS`] and more was not
/// measured and lies on the line to the next value, unless there are so many that what is missing is what did not change:
/// then it carries the value before too.
fn fill(daily: &mut [f64]) -> Filled {
    let mut observed: Vec<usize> = (0..daily.len()).filter(|day| !daily[*day].is_nan()).collect();
    let observed_days = observed.len();
    // What comes before the first number is as the first.
    if observed.first().is_some_and(|first| *first > 0) {
        daily[0] = daily[observed[0]];
        observed.insert(0, 0);
    }
    let runs = || observed.windows(2).map(|pair| pair[1] - pair[0] - 1);
    let gaps = runs().filter(|days| *days >= GAP_DAYS).count();
    let longest_gap_days = runs().max().unwrap_or(0);
    let written_on_change = gaps * OBSERVED_A_GAP > observed_days.max(OBSERVED_A_GAP);
    for pair in observed.windows(2) {
        let (before, next) = (daily[pair[0]], daily[pair[1]]);
        let days = pair[1] - pair[0];
        let was_away = days > GAP_DAYS && !written_on_change;
        let rise = if was_away { (next - before) / days as f64 } else { 0.0 };
        for (place, day) in daily[pair[0] + 1..pair[1]].iter_mut().zip(1..) {
            *place = before + rise * f64::from(day);
        }
    }
    Filled { observed_days, longest_gap_days, written_on_change }
}
