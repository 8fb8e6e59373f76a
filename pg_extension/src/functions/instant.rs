//! Moments of the server and moments of core.

use jiff::Timestamp;

use crate::server::error::{Error, Kind, Result};

/// Microseconds from 1970-01-01 to 2000-01-01, where the server begins to count.
const EPOCH: i64 = 946_684_800_000_000;

/// The moment of core; `None` for infinity and for what lies outside the years −9999 to 9999.
pub(super) fn from_server(at: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.checked_add(EPOCH)?).ok()
}

/// The server's microseconds. Every moment of core is one of the server's.
pub(super) fn to_server(at: Timestamp) -> i64 {
    at.as_microsecond() - EPOCH
}

/// A moment that was given as an argument.
pub(super) fn of_argument(at: i64, name: &str) -> Result<Timestamp> {
    from_server(at).ok_or_else(|| {
        Error::new(Kind::InvalidArgument, format!("{name} must be a moment within the years −9999 to 9999"))
            .hint("Give a timestamp such as now().")
    })
}
