//! A resource's history as daily values: cleaned, put in order, with its gaps and events named.

use jiff::Timestamp;

use super::{Observation, Question};

/// Seconds of a day. Days are counted back from the last observation, so no time zone matters.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// No more daily values than this are kept, the newest: two leap years more than any window looks back.
pub const HISTORY_DAYS_MAX: usize = 1_462;

/// A cleaned history.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// One value a day, the last of each; the newest last. Days without an observation carry the value before.
    pub daily: Vec<f64>,
    /// Days, counted from the first of `daily`, whose value was observed and not carried.
    pub observed_days: usize,
    /// Longest run of days that were carried.
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
    for value in &mut daily {
        if value.is_nan() {
            *value = before;
            gap += 1;
            longest_gap_days = longest_gap_days.max(gap);
        } else {
            before = *value;
            gap = 0;
            observed_days += 1;
        }
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
