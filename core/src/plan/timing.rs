//! By when to order.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::Terms;

/// By when to order, and whether that is already too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderBy {
    /// The last day on which an order comes in time, UTC.
    pub date: Date,
    /// Whether that day has passed at the moment of asking.
    pub overdue: bool,
}

/// Days from an order to its use: lead time, the customer's approval and installation.
pub fn days_to_use(lead_time_days: u16, terms: &Terms) -> i64 {
    i64::from(lead_time_days) + i64::from(terms.approval_days) + i64::from(terms.installation_days)
}

/// P10 of the exhaustion less lead time, the customer's approval and installation.
pub fn order_by(p10: Timestamp, lead_time_days: u16, terms: &Terms, as_of: Timestamp) -> OrderBy {
    let days = days_to_use(lead_time_days, terms);
    let at = p10.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
    let date = at.to_zoned(TimeZone::UTC).date();
    OrderBy { date, overdue: date < as_of.to_zoned(TimeZone::UTC).date() }
}
