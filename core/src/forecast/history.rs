//! A resource's history as daily values: cleaned, put in order, with its gaps and events named.

use jiff::{SignedDuration, Timestamp};

use super::{Observation, Question};

/// Seconds of a day. Days are counted back from the last observation, so no time zone matters.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// No more daily values than this are kept, the newest: two leap years more than any window looks back.
pub const HISTORY_DAYS_MAX: usize = 1_462;

/// Runs of days without a value that are a gap: what grew meanwhile is no step on the day of the next value.
pub(super) const GAP_DAYS: usize = 3;

/// A cleaned history.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// One value a day, the last of each; the newest last. One or two days without an observation carry the value before;
    /// of more days, they lie on the line to the next value.
    pub daily: Vec<f64>,
    /// Days of `daily` whose value was observed.
    pub observed_days: usize,
    /// Longest run of days that were not.
    pub longest_gap_days: usize,
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
    let (mut observed_days, mut gap, mut longest_gap_days) = (0, 0, 0);
    let mut before = daily.iter().copied().find(|v| !v.is_nan()).unwrap_or(0.0);
    for day in 0..daily.len() {
        let value = daily[day];
        if value.is_nan() {
            daily[day] = before;
            gap += 1;
            longest_gap_days = longest_gap_days.max(gap);
            continue;
        }
        if gap >= GAP_DAYS {
            let rise = (value - before) / (gap + 1) as f64;
            for (place, missing) in daily[day - gap..day].iter_mut().zip(1..) {
                *place = before + rise * f64::from(missing);
            }
        }
        before = value;
        gap = 0;
        observed_days += 1;
    }
    let history = History {
        daily,
        observed_days,
        longest_gap_days,
        from,
        until,
        samples: rows.len() as u64,
        limit_changes,
        limit,
    };
    Cleaned { history: Some(history), set_aside }
}
