//! When an offer is due: early enough for the order, inside the months in which the customer buys, and without flapping.

use jiff::{Span, civil::Date};

/// Probability of running out before an order of today is in use at which an offer is due, whatever the dates say.
pub const LATE_PROBABILITY_DUE: f64 = 0.1;
/// An open offer keeps its need until the order-by date lies this many times the notice away: a date that moves back and
/// forth over the edge does not make an offer come and go.
const NOTICE_TO_END: i64 = 2;

/// What a fleet run says about a need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressure {
    /// Order by.
    pub order_by: Date,
    /// Probability that it runs out before an order of today is in use, where the forecast reaches so far.
    pub late_probability: Option<f64>,
}

/// The last day on or before `order_by` on which the customer buys; where that has passed, the first such day from
/// `today`. `buying_months` are 1 to 12; empty means all.
pub fn due_date(order_by: Date, buying_months: &[u8], today: Date) -> Date {
    let buys = |date: &Date| buying_months.is_empty() || buying_months.contains(&date.month().unsigned_abs());
    let days = |from: Date, step: i64| {
        (0..=366).filter_map(move |n| from.checked_add(Span::new().days(n * step)).ok())
    };
    days(order_by, -1)
        .take_while(|date| *date >= today)
        .find(buys)
        .or_else(|| days(today, 1).find(buys))
        .unwrap_or(order_by)
}

/// Whether an offer must be made now, or, where one is open, still has its ground. `due` is the order-by date moved into
/// the buying months, `notice_days` how long before it the customer is told.
pub fn is_due(pressure: Pressure, due: Date, today: Date, notice_days: u16, is_open: bool) -> bool {
    let notice = i64::from(notice_days) * if is_open { NOTICE_TO_END } else { 1 };
    let threshold = if is_open { LATE_PROBABILITY_DUE / 2.0 } else { LATE_PROBABILITY_DUE };
    let days_left = i64::from((due.min(pressure.order_by.max(today)) - today).get_days());
    days_left <= notice || pressure.late_probability.is_some_and(|late| late >= threshold)
}
