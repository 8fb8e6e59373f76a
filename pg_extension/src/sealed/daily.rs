//! Numbers and their times to one value a day.

use headroom_core::block::{
    Column, Damage, Kind, Values,
    rollup::{Day as BlockDay, Part, Rolled},
};

use super::runs::Run;

/// What is asked of a day's values. Nulls do not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    /// The value of the earliest row.
    First,
    /// The value of the latest row.
    Last,
    /// As the server orders numbers: NaN is above everything.
    Least,
    /// As above.
    Greatest,
    /// Of integers exact before it becomes a float.
    Sum,
    /// Sum by number.
    Mean,
    /// How many.
    Count,
    /// The server's `percentile_cont`: linear between the two values around the place.
    Quantile(f64),
}

impl Statistic {
    /// Whether the days of a block tell it of a column.
    pub(super) fn can_take_days(self, column: &Rolled<'_>) -> bool {
        match self {
            Self::Quantile(_) => false,
            Self::Sum | Self::Mean => column.is_absent() || column.has_sums(),
            Self::First | Self::Last | Self::Least | Self::Greatest | Self::Count => true,
        }
    }

    /// The statistic of this name: `first`, `last`, `min`, `max`, `sum`, `avg`, `count`, or `p1` … `p99`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "first" => Self::First,
            "last" => Self::Last,
            "min" => Self::Least,
            "max" => Self::Greatest,
            "sum" => Self::Sum,
            "avg" => Self::Mean,
            "count" => Self::Count,
            _ => {
                let percent: u8 = name.strip_prefix('p')?.parse().ok()?;
                if !(1..=99).contains(&percent) || name.len() != if percent < 10 { 2 } else { 3 } {
                    return None;
                }
                Self::Quantile(f64::from(percent) / 100.0)
            }
        })
    }
}

/// A number of a block.
trait Number: Copy {
    fn float(self) -> f64;
    fn integer(self) -> Option<i64>;
}

macro_rules! number {
    ($type:ty, $float:expr, $integer:expr) => {
        impl Number for $type {
            fn float(self) -> f64 {
                $float(self)
            }
            fn integer(self) -> Option<i64> {
                $integer(self)
            }
        }
    };
}

number!(i16, f64::from, |v| Some(i64::from(v)));
number!(i32, f64::from, |v| Some(i64::from(v)));
number!(i64, |v| v as f64, Some);
number!(f32, f64::from, |_| None);
number!(f64, |v| v, |_| None);
number!(bool, |v| f64::from(u8::from(v)), |v| Some(i64::from(v)));

/// One day of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Day {
    /// When it begins.
    pub(super) start: i64,
    /// The time of its latest row that counts.
    pub(super) at: i64,
    /// The companion's value in that row.
    pub(super) companion: Option<f64>,
    first_at: i64,
    count: u64,
    value: f64,
    /// The sum of integers.
    sum: i128,
    /// All values, where a quantile is wanted.
    all: Vec<f64>,
}

/// The days of one column of one segment, in their order.
#[derive(Debug)]
pub(super) struct Days {
    statistic: Statistic,
    is_integer: bool,
    days: Vec<Day>,
}

impl Days {
    pub(super) fn new(statistic: Statistic) -> Self {
        Self { statistic, is_integer: true, days: Vec::new() }
    }

    /// Forgets all days.
    pub(super) fn clear(&mut self) {
        self.days.clear();
        self.is_integer = true;
    }

    /// Takes the rows of these runs. `companion` has as many rows as `column`, when there is one.
    pub(super) fn take(&mut self, times: &[i64], runs: &[Run], column: &Column, companion: Option<&Column>) {
        match &column.values {
            Values::I16(v) => self.take_numbers(times, runs, v, column, companion),
            Values::I32(v) => self.take_numbers(times, runs, v, column, companion),
            Values::I64(v) => self.take_numbers(times, runs, v, column, companion),
            Values::F32(v) => self.take_numbers(times, runs, v, column, companion),
            Values::F64(v) => self.take_numbers(times, runs, v, column, companion),
            Values::Bool(v) => self.take_numbers(times, runs, v, column, companion),
            // Columns that are no numbers are refused before anything is read.
            Values::Bytes(_) => {}
        }
    }

    fn take_numbers<T: Number>(
        &mut self,
        times: &[i64],
        runs: &[Run],
        values: &[T],
        column: &Column,
        companion: Option<&Column>,
    ) {
        let nulls = column.nulls.as_deref();
        let is_present = |row: &usize| nulls.is_none_or(|nulls| !nulls[*row]);
        for run in runs {
            let Some(last) = (run.from..run.to).rev().find(is_present) else { continue };
            let statistic = self.statistic;
            self.is_integer &= values[last].integer().is_some();
            let day = self.day(run.start, times[last]);
            if times[last] >= day.at {
                day.at = times[last];
                day.companion = companion.and_then(|companion| number_at(companion, last));
                if statistic == Statistic::Last {
                    day.value = values[last].float();
                }
            }
            match statistic {
                Statistic::Last => {}
                Statistic::First => {
                    let first = (run.from..run.to).find(is_present).unwrap_or(last);
                    if day.count == 0 || times[first] < day.first_at {
                        (day.first_at, day.value) = (times[first], values[first].float());
                    }
                    day.count += 1;
                }
                _ => match nulls {
                    None => day.add(statistic, values[run.from..run.to].iter().copied()),
                    Some(nulls) => {
                        let rows = values[run.from..run.to].iter().zip(&nulls[run.from..run.to]);
                        day.add(statistic, rows.filter(|(_, is_null)| !**is_null).map(|(value, _)| *value));
                    }
                },
            }
        }
    }

    /// Takes the days of a block; [`Statistic::can_take_days`] holds. The companion, when there is one, is of the same
    /// block.
    ///
    /// # Errors
    /// When the bytes are not those that were written.
    pub(super) fn take_days(
        &mut self,
        days: &[BlockDay],
        column: &Rolled<'_>,
        companion: Option<&Rolled<'_>>,
    ) -> Result<(), Damage> {
        if column.is_absent() {
            return Ok(());
        }
        let statistic = self.statistic;
        self.is_integer &= !matches!(column.kind(), Kind::F32 | Kind::F64);
        let part = match statistic {
            Statistic::First => Some(Part::First),
            Statistic::Last => Some(Part::Last),
            Statistic::Least => Some(Part::Least),
            Statistic::Greatest => Some(Part::Greatest),
            Statistic::Sum | Statistic::Mean | Statistic::Count | Statistic::Quantile(_) => None,
        };
        let bits = part.map(|part| column.bits(days, part)).transpose()?.unwrap_or_default();
        let sums = match statistic {
            Statistic::Sum | Statistic::Mean => column.sums(days)?,
            _ => Vec::new(),
        };
        let companions = match companion {
            Some(companion) => companion.bits(days, Part::Last)?,
            None => Vec::new(),
        };
        for (i, of_block) in days.iter().enumerate() {
            let day = self.day(of_block.start, of_block.last_time);
            let is_last = of_block.last_time >= day.at;
            if is_last {
                day.at = of_block.last_time;
                day.companion = companion.and_then(|companion| {
                    companions.get(i).map(|bits| float_of_bits(companion.kind(), *bits))
                });
            }
            let value = bits.get(i).map(|bits| float_of_bits(column.kind(), *bits));
            match (statistic, value) {
                (Statistic::Last, Some(value)) => {
                    if is_last {
                        day.value = value;
                    }
                }
                (Statistic::First, Some(value)) => {
                    if day.count == 0 || of_block.first_time < day.first_at {
                        (day.first_at, day.value) = (of_block.first_time, value);
                    }
                    day.count += 1;
                }
                (_, Some(value)) => day.add(statistic, std::iter::once(value)),
                (_, None) => {
                    day.count += u64::from(of_block.rows);
                    day.sum += sums.get(i).copied().unwrap_or(0);
                }
            }
        }
        Ok(())
    }

    /// The day that begins then, made when it is not there yet.
    fn day(&mut self, start: i64, at: i64) -> &mut Day {
        let fresh =
            Day { start, at, companion: None, first_at: at, count: 0, value: 0.0, sum: 0, all: Vec::new() };
        let place = match self.days.last() {
            Some(last) if last.start == start => self.days.len() - 1,
            Some(last) if last.start > start => {
                match self.days.binary_search_by_key(&start, |day| day.start) {
                    Ok(place) => place,
                    Err(place) => {
                        self.days.insert(place, fresh);
                        place
                    }
                }
            }
            _ => {
                self.days.push(fresh);
                self.days.len() - 1
            }
        };
        &mut self.days[place]
    }

    /// The days, each with its value.
    pub(super) fn finished(&mut self) -> impl ExactSizeIterator<Item = (&Day, f64)> {
        let (statistic, is_integer) = (self.statistic, self.is_integer);
        self.days.iter_mut().map(move |day| {
            let value = day.finish(statistic, is_integer);
            (&*day, value)
        })
    }

    /// Whether nothing was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
}

impl Day {
    fn add<T: Number>(&mut self, statistic: Statistic, values: impl Iterator<Item = T>) {
        match statistic {
            Statistic::First | Statistic::Last => {}
            Statistic::Count => self.count += values.count() as u64,
            Statistic::Quantile(_) => self.all.extend(values.map(T::float)),
            Statistic::Sum | Statistic::Mean => {
                for value in values {
                    self.count += 1;
                    match value.integer() {
                        Some(integer) => self.sum += i128::from(integer),
                        None => self.value += value.float(),
                    }
                }
            }
            Statistic::Greatest => {
                let mut values = values.map(T::float);
                if self.count == 0
                    && let Some(first) = values.next()
                {
                    (self.value, self.count) = (first, 1);
                }
                let greater =
                    |best: f64, value: f64| if value > best || value.is_nan() { value } else { best };
                self.value = values.fold(self.value, greater);
            }
            Statistic::Least => {
                let mut values = values.map(T::float);
                if self.count == 0
                    && let Some(first) = values.next()
                {
                    (self.value, self.count) = (first, 1);
                }
                let less = |best: f64, value: f64| if value < best || best.is_nan() { value } else { best };
                self.value = values.fold(self.value, less);
            }
        }
    }

    fn finish(&mut self, statistic: Statistic, is_integer: bool) -> f64 {
        let sum = if is_integer { self.sum as f64 } else { self.value + self.sum as f64 };
        match statistic {
            Statistic::First | Statistic::Last | Statistic::Least | Statistic::Greatest => self.value,
            Statistic::Sum => sum,
            Statistic::Mean => sum / self.count as f64,
            Statistic::Count => self.count as f64,
            Statistic::Quantile(share) => quantile(&mut self.all, share),
        }
    }
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    // NaN of either sign is above everything, as the server has it.
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())));
    let place = share * values.len().saturating_sub(1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (values.get(low), values.get(high)) {
        (Some(low_value), Some(_)) if low == high => *low_value,
        (Some(low_value), Some(high_value)) => low_value + (place - low as f64) * (high_value - low_value),
        _ => f64::NAN,
    }
}

/// The number with these bits.
fn float_of_bits(kind: Kind, bits: u64) -> f64 {
    match kind {
        Kind::F32 => f64::from(f32::from_bits(bits as u32)),
        Kind::F64 => f64::from_bits(bits),
        _ => bits as i64 as f64,
    }
}

/// The number in a row of a column; nothing where it is null or no number.
fn number_at(column: &Column, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    match &column.values {
        Values::I16(v) => Some(v[row].float()),
        Values::I32(v) => Some(v[row].float()),
        Values::I64(v) => Some(v[row].float()),
        Values::F32(v) => Some(v[row].float()),
        Values::F64(v) => Some(v[row].float()),
        Values::Bool(v) => Some(v[row].float()),
        Values::Bytes(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::runs::Buckets, *};

    const DAY: i64 = 86_400_000_000;

    fn days(
        statistic: Statistic,
        rows: &[(i64, Option<i64>)],
        cut: usize,
        origin: i64,
    ) -> Vec<(i64, i64, f64)> {
        let mut days = Days::new(statistic);
        let mut runs_of = Vec::new();
        for part in [&rows[..cut], &rows[cut..]] {
            let mut part = part.to_vec();
            part.sort_by_key(|(at, _)| *at);
            let times: Vec<i64> = part.iter().map(|(at, _)| *at).collect();
            let column = Column {
                values: Values::I64(part.iter().map(|(_, value)| value.unwrap_or(0)).collect()),
                nulls: Some(part.iter().map(|(_, value)| value.is_none()).collect()),
            };
            Buckets { width: DAY, origin }.runs(&times, 0, times.len(), &mut runs_of);
            days.take(&times, &runs_of, &column, Some(&column));
        }
        days.finished().map(|(day, value)| (day.start, day.at, value)).collect()
    }

    /// A statistic of a day's rows, times and values.
    type OfRows<'a> = &'a dyn Fn(&[(i64, i64)]) -> f64;

    proptest! {
        #[test]
        fn days_are_those_of_the_rows(
            rows in prop::collection::btree_map(-4 * DAY..4 * DAY, prop::option::of(-9_i64..9), 1..60),
            origin in -DAY..DAY, share in 0.0..1.0_f64,
        ) {
            let rows: Vec<_> = rows.into_iter().collect();
            let cut = (share * rows.len() as f64) as usize;
            let mut expected: std::collections::BTreeMap<i64, Vec<(i64, i64)>> = std::collections::BTreeMap::new();
            for (at, value) in &rows {
                if let Some(value) = value {
                    expected.entry(at - (at - origin).rem_euclid(DAY)).or_default().push((*at, *value));
                }
            }
            let of = |f: OfRows<'_>| -> Vec<(i64, i64, f64)> {
                expected.iter().map(|(day, rows)| (*day, rows[rows.len() - 1].0, f(rows))).collect()
            };
            let values = |rows: &[(i64, i64)]| rows.iter().map(|(_, v)| *v).collect::<Vec<_>>();
            let sum = |rows: &[(i64, i64)]| values(rows).iter().sum::<i64>() as f64;
            // The later part first as well: late rows come behind.
            let turned: Vec<_> = rows[cut..].iter().chain(&rows[..cut]).copied().collect();
            for (rows, cut) in [(&rows, cut), (&turned, rows.len() - cut)] {
                let of_rows = |statistic| days(statistic, rows, cut, origin);
                prop_assert_eq!(of_rows(Statistic::Last), of(&|r| r[r.len() - 1].1 as f64));
                prop_assert_eq!(of_rows(Statistic::First), of(&|r| r[0].1 as f64));
                prop_assert_eq!(of_rows(Statistic::Count), of(&|r| r.len() as f64));
                prop_assert_eq!(of_rows(Statistic::Sum), of(&sum));
                prop_assert_eq!(of_rows(Statistic::Mean), of(&|r| sum(r) / r.len() as f64));
                prop_assert_eq!(of_rows(Statistic::Greatest), of(&|r| *values(r).iter().max().expect("a value") as f64));
                prop_assert_eq!(of_rows(Statistic::Least), of(&|r| *values(r).iter().min().expect("a value") as f64));
            }
        }
    }

    #[test]
    fn names_are_those_that_are_written_down() {
        assert_eq!(Statistic::named("p95"), Some(Statistic::Quantile(0.95)));
        for none in ["", "p", "p0", "p100", "p05", "p+5", "P95", "median"] {
            assert_eq!(Statistic::named(none), None, "{none}");
        }
    }

    #[test]
    fn not_a_number_is_above_everything() {
        let column = Column::of(Values::F64(vec![1.0, f64::NAN, 2.0]));
        let mut out = Vec::new();
        Buckets { width: DAY, origin: 0 }.runs(&[1, 2, 3], 0, 3, &mut out);
        let value = |statistic| {
            let mut days = Days::new(statistic);
            days.take(&[1, 2, 3], &out, &column, None);
            days.finished().next().map(|(_, value)| value)
        };
        assert_eq!(value(Statistic::Least), Some(1.0));
        assert!(value(Statistic::Greatest).is_some_and(f64::is_nan));
        assert_eq!(value(Statistic::Quantile(0.5)), Some(2.0));
    }
}
