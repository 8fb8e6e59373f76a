//! A unit's row in words: what the worklist shows and the unit page begins with.

use headroom_core::forecast::State;
use headroom_core::quantity::Bytes;
use jiff::Timestamp;

use super::chart::bar::bar;
use super::chart::measure::{grouped, percent};
use super::wording::{ago, ahead, day, resource_word, state_sign, state_word, words};
use crate::database::worklist_page::Line;

/// A node that measures this often is watched live, seconds.
const LIVE_INTERVAL_SECONDS: i32 = 900;
/// What was measured longer ago than this is called old, seconds.
const OLD_SECONDS: i64 = 2 * 86_400;

/// Whether sizes of this kind of component are counted in powers of two.
pub(crate) fn is_binary(kind: &str) -> bool {
    matches!(kind, "file_system" | "pool" | "volume" | "volume_group")
}

/// A size in the unit that its kind of component is counted in.
pub(crate) fn size(bytes: i64, kind: &str) -> String {
    let bytes = Bytes(u64::try_from(bytes).unwrap_or(0));
    if is_binary(kind) { bytes.iec().to_string() } else { bytes.si().to_string() }
}

/// A size to the last byte.
pub(crate) fn exact_bytes(bytes: i64) -> String {
    format!("{} bytes", grouped(u64::try_from(bytes).unwrap_or(0)))
}

impl Line {
    /// Class of the state's mark.
    pub(crate) fn state_class(&self) -> &'static str {
        self.row.state.map_or("none", |state| state.as_str())
    }

    /// Sign of the state.
    pub(crate) fn state_sign(&self) -> &'static str {
        self.row.state.map_or("·", state_sign)
    }

    /// Word of the state.
    pub(crate) fn state_word(&self) -> &'static str {
        self.row.state.map_or("No forecast yet", state_word)
    }

    /// Whose it is.
    pub(crate) fn customer_name(&self) -> &str {
        self.row.customer.as_deref().unwrap_or("no customer yet")
    }

    /// Model and serial number, as far as they are known.
    pub(crate) fn model_and_serial(&self) -> String {
        match (&self.row.model, &self.row.serial) {
            (Some(model), Some(serial)) => format!("{model} · {serial}"),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => self.kind_word(),
        }
    }

    /// What kind of thing it is.
    pub(crate) fn kind_word(&self) -> String {
        self.kind.as_deref().map_or_else(|| "not seen by a node yet".to_owned(), words)
    }

    /// Whether it is measured often and was just now.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        let Some(interval) = self.interval_seconds.filter(|interval| *interval <= LIVE_INTERVAL_SECONDS)
        else {
            return false;
        };
        let age =
            self.row.last_seen.map_or(i64::MAX, |seen| now.as_second().saturating_sub(seen.as_second()));
        age <= i64::from(interval) * 4 + 30
    }

    fn share(&self) -> Option<f64> {
        let (used, capacity) = (self.used_bytes?, self.capacity_bytes?);
        (capacity > 0).then(|| used as f64 / capacity as f64)
    }

    /// The used share as a drawing.
    pub(crate) fn bar(&self) -> String {
        bar(self.share(), self.row.state)
    }

    /// "14.2 TB of 20 TB, 71 %".
    pub(crate) fn used_of_limit(&self) -> String {
        let kind = self.capacity_kind.as_deref().unwrap_or_default();
        match (self.used_bytes, self.capacity_bytes, self.share()) {
            (Some(used), Some(capacity), Some(share)) => {
                format!("{} of {}, {}", size(used, kind), size(capacity, kind), percent(share))
            }
            (Some(used), ..) => format!("{} used, size not known", size(used, kind)),
            _ => "not reported".to_owned(),
        }
    }

    /// The used bytes to the last one, for scripts; empty where not reported.
    pub(crate) fn used_exactly(&self) -> String {
        self.used_bytes.map(|bytes| bytes.to_string()).unwrap_or_default()
    }

    /// Both sizes to the last byte.
    pub(crate) fn exact(&self) -> String {
        match (self.used_bytes, self.capacity_bytes) {
            (Some(used), Some(capacity)) => format!("{} of {}", exact_bytes(used), exact_bytes(capacity)),
            (Some(used), None) => exact_bytes(used),
            _ => "spent capacity is not reported".to_owned(),
        }
    }

    /// Last day to order.
    pub(crate) fn order_by_day(&self) -> Option<String> {
        self.row.order_by.map(day)
    }

    /// What stands in its place where there is none.
    pub(crate) fn without_order(&self) -> &'static str {
        match self.row.state {
            Some(State::Dated | State::AlreadyExhausted) => "nothing in the catalogue helps",
            Some(State::BeyondHorizon | State::FlatOrShrinking) => "no order needed",
            _ => "not known yet",
        }
    }

    /// How far ahead that is. A day lasts until it is over.
    pub(crate) fn order_ahead(&self, now: Timestamp) -> String {
        self.row.order_by.map(|at| ahead(at, midnight(now))).unwrap_or_default()
    }

    /// Class of the last day to order.
    pub(crate) fn order_class(&self, now: Timestamp) -> &'static str {
        match self.row.order_by.map(|at| at.as_second() - midnight(now).as_second()) {
            Some(seconds) if seconds < 0 => "late",
            Some(seconds) if seconds <= 30 * 86_400 => "soon",
            _ => "quiet",
        }
    }

    /// The median date.
    pub(crate) fn p50_day(&self) -> Option<String> {
        match (self.row.p50, self.row.p10) {
            (Some(p50), _) => Some(day(p50)),
            (None, Some(_)) => Some("beyond the horizon, perhaps".to_owned()),
            (None, None) => None,
        }
    }

    /// The band around it.
    pub(crate) fn band(&self) -> String {
        match (self.row.p10, self.row.p90) {
            (Some(p10), Some(p90)) => format!("{} – {}", day(p10), day(p90)),
            (Some(p10), None) => format!("from {}", day(p10)),
            _ => String::new(),
        }
    }

    /// The three dates to the microsecond, as SQL and REST give them.
    pub(crate) fn exact_dates(&self) -> String {
        let text = |name: &str, at: Option<Timestamp>| at.map(|at| format!("{name} {at}"));
        let dates = [text("P10", self.row.p10), text("P50", self.row.p50), text("P90", self.row.p90)];
        dates.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Why there is no date.
    pub(crate) fn reason_sentence(&self) -> &str {
        self.row.reason.as_deref().unwrap_or("The next fleet run forecasts it.")
    }

    /// What runs out.
    pub(crate) fn resource_word(&self) -> &'static str {
        self.row.resource.map_or("–", resource_word)
    }

    /// The component that binds, where the unit has more than its own name for it.
    pub(crate) fn component_name(&self) -> Option<String> {
        let kind = self.component_kind.as_deref()?;
        Some(self.component.clone().unwrap_or_else(|| words(kind)))
    }

    /// The suggested plan.
    pub(crate) fn plan_title(&self) -> Option<String> {
        self.row.plan.as_deref().map(words)
    }

    /// Its price.
    pub(crate) fn price_text(&self) -> String {
        match (&self.row.price, &self.row.currency) {
            (Some(price), Some(currency)) => money(*price, currency),
            _ => "no price".to_owned(),
        }
    }

    /// How long ago it was last measured.
    pub(crate) fn seen(&self, now: Timestamp) -> String {
        self.row.last_seen.map_or_else(|| "never".to_owned(), |at| ago(at, now))
    }

    /// Class of that.
    pub(crate) fn seen_class(&self, now: Timestamp) -> &'static str {
        match self.row.last_seen {
            Some(at) if now.as_second() - at.as_second() <= OLD_SECONDS => "quiet",
            _ => "stale",
        }
    }
}

/// The beginning of the day, UTC.
fn midnight(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(86_400) * 86_400).unwrap_or(at)
}

/// "12,400.00 EUR".
pub(crate) fn money(amount: rust_decimal::Decimal, currency: &str) -> String {
    let text = format!("{amount:.2}");
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    match whole.parse::<u64>() {
        Ok(whole) => format!("{}.{cents} {currency}", grouped(whole)),
        Err(_) => format!("{text} {currency}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{money, size};

    #[test]
    fn money_carries_its_currency_and_cents() {
        assert_eq!(money("12400.5".parse().expect("a number"), "EUR"), "12,400.50 EUR");
        assert_eq!(money("0".parse().expect("a number"), "USD"), "0.00 USD");
    }

    #[test]
    fn drives_count_in_tens_and_file_systems_in_twos() {
        assert_eq!(size(20_000_000_000_000, "drive"), "20 TB");
        assert_eq!(size(1_099_511_627_776, "file_system"), "1 TiB");
    }
}
