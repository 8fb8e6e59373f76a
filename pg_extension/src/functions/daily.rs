//! The bounded daily history that the aggregate `exhaustion` keeps: the last value of each day, of the newest days.
//!
//! Not a trend summary: the model draws from the increments. The state does not depend on the order in which rows come,
//! nor on which process sees which row, and takes 24 bytes a day however many rows there are.

use headroom_core::forecast::HISTORY_DAYS_MAX;

use super::bucket::DAY;

/// Days kept: those that the model looks at, and two at the edges, since its days need not begin where these do.
const DAYS_MAX: usize = HISTORY_DAYS_MAX + 2;

/// The last value of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    /// Microseconds since 2000-01-01.
    pub(super) at: i64,
    /// The value, finite and not negative.
    pub(super) used: f64,
    /// The limit; NaN where it is not known.
    pub(super) limit: f64,
}

impl Value {
    /// Whether it takes the other's place in a day: later, and of equal times the higher, as core cleans a history.
    fn replaces(&self, other: &Self) -> bool {
        let key = |v: &Self| (v.at, v.used.to_bits(), if v.limit > 0.0 { v.limit.to_bits() } else { 0 });
        key(self) > key(other)
    }
}

/// The daily history.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Daily {
    /// By time, at most one a day.
    values: Vec<Value>,
    /// Rows taken, those that were replaced included.
    pub(super) samples: u64,
    /// Rows with a value that is not believable.
    pub(super) set_aside: u64,
}

/// The number of a day: of UTC, or counted back from the moment of asking.
fn day_of(at: i64, as_of: Option<i64>) -> i64 {
    match as_of {
        None => at.div_euclid(DAY),
        Some(as_of) => -(as_of.saturating_sub(at).div_euclid(DAY)),
    }
}

impl Daily {
    /// Takes a row. What comes after the moment of asking is not looked at.
    pub(super) fn take(&mut self, value: Value, as_of: Option<i64>) {
        if as_of.is_some_and(|as_of| value.at > as_of) {
            return;
        }
        if !(value.used.is_finite() && value.used >= 0.0) || super::instant::from_server(value.at).is_none() {
            self.set_aside += 1;
            return;
        }
        self.samples += 1;
        // −0.0 and 0.0 are one value, so that order does not matter.
        self.keep(Value { used: value.used + 0.0, ..value }, as_of);
    }

    fn keep(&mut self, value: Value, as_of: Option<i64>) {
        let day = day_of(value.at, as_of);
        // Rows mostly come by time: the place is looked for from the end.
        let after = match self.values.last() {
            Some(last) if day_of(last.at, as_of) > day => {
                self.values.partition_point(|kept| day_of(kept.at, as_of) <= day)
            }
            _ => self.values.len(),
        };
        if let Some(kept) = after.checked_sub(1).map(|i| &mut self.values[i])
            && day_of(kept.at, as_of) == day
        {
            if value.replaces(kept) {
                *kept = value;
            }
            return;
        }
        if self.values.len() >= DAYS_MAX {
            if after == 0 {
                return;
            }
            self.values.remove(0);
            self.values.insert(after - 1, value);
        } else {
            self.values.insert(after, value);
        }
    }

    /// Takes all of another state of the same question.
    pub(super) fn merge(&mut self, other: &Self, as_of: Option<i64>) {
        for value in &other.values {
            self.keep(*value, as_of);
        }
        self.samples += other.samples;
        self.set_aside += other.set_aside;
    }

    /// The values, by time.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// As a message to another process of this server.
    pub(super) fn write(&self, message: &mut Vec<u8>) {
        for number in [self.samples, self.set_aside, self.values.len() as u64] {
            message.extend_from_slice(&number.to_ne_bytes());
        }
        for value in &self.values {
            for bytes in [value.at.to_ne_bytes(), value.used.to_ne_bytes(), value.limit.to_ne_bytes()] {
                message.extend_from_slice(&bytes);
            }
        }
    }

    /// From such a message; `None` where it is none.
    pub(super) fn read(message: &mut &[u8]) -> Option<Self> {
        let mut number = || super::kept::take_number(message);
        let (samples, set_aside, count) = (number()?, number()?, usize::try_from(number()?).ok()?);
        if count > DAYS_MAX {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let (at, used, limit) = (number()? as i64, f64::from_bits(number()?), f64::from_bits(number()?));
            values.push(Value { at, used, limit });
        }
        Some(Self { values, samples, set_aside })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(rows: &[Value], as_of: Option<i64>) -> Daily {
        let mut daily = Daily::default();
        for row in rows {
            daily.take(*row, as_of);
        }
        daily
    }

    fn rows() -> impl Strategy<Value = Vec<Value>> {
        let used = prop_oneof![8 => 0.0..1e15, 1 => Just(f64::NAN), 1 => any::<f64>()];
        let limit = prop_oneof![Just(f64::NAN), 1.0..1e15];
        let at = prop_oneof![9 => -40 * DAY..2_000 * DAY, 1 => any::<i64>()];
        prop::collection::vec(
            (at, used, limit).prop_map(|(at, used, limit)| Value { at, used, limit }),
            0..200,
        )
    }

    fn same(a: &Daily, b: &Daily) -> bool {
        // NaN stands for "no limit" and is equal to itself here.
        let bits = |d: &Daily| -> Vec<(i64, u64, u64)> {
            d.values.iter().map(|v| (v.at, v.used.to_bits(), v.limit.to_bits())).collect()
        };
        bits(a) == bits(b) && (a.samples, a.set_aside) == (b.samples, b.set_aside)
    }

    proptest! {
        #[test]
        fn order_and_distribution_of_rows_do_not_matter(rows in rows(), cut in 0..200_usize, at in prop::option::of(0..1_000 * DAY)) {
            let whole = of(&rows, at);
            let mut turned = rows.clone();
            turned.reverse();
            prop_assert!(same(&whole, &of(&turned, at)));
            let cut = cut.min(rows.len());
            let mut merged = of(&rows[cut..], at);
            merged.merge(&of(&rows[..cut], at), at);
            prop_assert!(same(&whole, &merged));
        }

        #[test]
        fn a_message_gives_the_state_back(rows in rows(), cut in 0..100_usize) {
            let daily = of(&rows, None);
            let mut message = Vec::new();
            daily.write(&mut message);
            let read = Daily::read(&mut &message[..]);
            prop_assert!(read.is_some_and(|read| same(&read, &daily)));
            let short = message.len().saturating_sub(1 + cut);
            prop_assert!(Daily::read(&mut &message[..short]).is_none());
        }
    }

    #[test]
    fn the_newest_days_are_kept_and_the_last_value_of_each() {
        let mut daily = Daily::default();
        for day in 0..10_000_i64 {
            for hour in 0..3 {
                let at = day * DAY + hour * 3_600_000_000;
                daily.take(Value { at, used: (day * 10 + hour) as f64, limit: f64::NAN }, None);
            }
        }
        assert_eq!(daily.values.len(), DAYS_MAX);
        assert_eq!(daily.samples, 30_000);
        assert_eq!(daily.values.last().map(|v| v.used), Some(99_992.0));
        assert_eq!(daily.values[0].used, ((10_000 - DAYS_MAX as i64) * 10 + 2) as f64);
    }

    #[test]
    fn nothing_after_the_moment_of_asking_is_taken() {
        let daily =
            of(&[Value { at: 5, used: 1.0, limit: 2.0 }, Value { at: 6, used: 9.0, limit: 2.0 }], Some(5));
        assert_eq!(daily.values, vec![Value { at: 5, used: 1.0, limit: 2.0 }]);
    }
}
