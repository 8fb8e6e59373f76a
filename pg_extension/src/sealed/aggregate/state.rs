//! The states of aggregates, and how they take summaries, columns and single values.

use headroom_core::block::{Column, Entry, Kind, Values, summary};

use super::spec::What;

/// The state of one aggregate in one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    Count(i64),
    Sum {
        sum: i128,
        count: i64,
    },
    /// The key by which values compare, and the value's bits.
    Best(Option<(i64, u64)>),
    /// A time, and the value's bits unless it is null.
    At(Option<(i64, Option<u64>)>),
}

/// Key and bits of a value.
pub(super) type Value = (i64, u64);

/// Rows next to each other of a block, with their times.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) times: &'a [i64],
    pub(super) from: usize,
    pub(super) to: usize,
}

impl State {
    pub(super) fn new(what: What) -> Self {
        match what {
            What::Rows | What::Count => Self::Count(0),
            What::Sum | What::Mean => Self::Sum { sum: 0, count: 0 },
            What::Least | What::Greatest => Self::Best(None),
            What::First | What::Last => Self::At(None),
        }
    }

    /// Takes so many rows of which nothing is looked at.
    pub(super) fn take_rows(&mut self, rows: i64) {
        if let Self::Count(count) = self {
            *count += rows;
        }
    }

    /// Takes a sum of so many values.
    pub(super) fn take_sum(&mut self, more: i128, values: i64) {
        if let Self::Sum { sum, count } = self {
            *sum += more;
            *count += values;
        }
    }

    /// Takes one value of an unsealed row.
    pub(super) fn take_value(&mut self, what: What, value: Option<Value>, time: i64) {
        match (&mut *self, value) {
            (Self::Count(count), Some(_)) => *count += 1,
            (Self::Sum { sum, count }, Some((key, _))) => {
                *sum += i128::from(key);
                *count += 1;
            }
            (Self::Best(_), Some(value)) => self.offer(what, value),
            (Self::At(_), value) => self.meet(what, time, value.map(|(_, bits)| bits)),
            (Self::Count(_) | Self::Sum { .. } | Self::Best(_), None) => {}
        }
    }

    /// Takes rows of a column; nothing for a column that is null in all rows.
    pub(super) fn take_column(&mut self, what: What, column: Option<&Column>, rows: Rows<'_>) {
        if let Self::At(_) = self {
            let row = if what == What::First { rows.from } else { rows.to - 1 };
            let bits = column.filter(|column| !column.is_null(row)).map(|column| value_at(column, row).1);
            self.meet(what, rows.times[row], bits);
            return;
        }
        let Some(column) = column else { return };
        match &column.values {
            Values::I16(v) => self.take_each(what, column, v, rows, |x| integer(i64::from(*x))),
            Values::I32(v) => self.take_each(what, column, v, rows, |x| integer(i64::from(*x))),
            Values::I64(v) => self.take_each(what, column, v, rows, |x| integer(*x)),
            Values::F32(v) => self.take_each(what, column, v, rows, |x| float32(*x)),
            Values::F64(v) => self.take_each(what, column, v, rows, |x| float64(*x)),
            Values::Bool(v) => self.take_each(what, column, v, rows, |x| integer(i64::from(*x))),
            Values::Bytes(_) => {
                if let Self::Count(count) = self {
                    *count += (rows.from..rows.to).filter(|row| !column.is_null(*row)).count() as i64;
                }
            }
        }
    }

    fn take_each<T>(
        &mut self,
        what: What,
        column: &Column,
        values: &[T],
        rows: Rows<'_>,
        value: impl Fn(&T) -> Value,
    ) {
        let values = &values[rows.from..rows.to];
        match &column.nulls {
            None => self.take_all(what, values.iter().map(value)),
            Some(nulls) => {
                let present = values.iter().zip(&nulls[rows.from..rows.to]).filter(|(_, is_null)| !**is_null);
                self.take_all(what, present.map(|(x, _)| value(x)));
            }
        }
    }

    fn take_all(&mut self, what: What, values: impl Iterator<Item = Value>) {
        match self {
            Self::Count(count) => *count += values.count() as i64,
            Self::Sum { sum, count } => {
                for (key, _) in values {
                    *sum += i128::from(key);
                    *count += 1;
                }
            }
            Self::Best(_) => {
                let best = if what == What::Least {
                    values.min_by_key(|(key, _)| *key)
                } else {
                    values.max_by_key(|(key, _)| *key)
                };
                if let Some(value) = best {
                    self.offer(what, value);
                }
            }
            Self::At(_) => {}
        }
    }

    /// Whether the head of a block tells what its rows would.
    pub(super) fn can_take_entry(what: What, entry: &Entry, rows: u32) -> bool {
        let summary = &entry.summary;
        if entry.kind == Kind::Bytes {
            return matches!(what, What::Rows | What::Count);
        }
        let is_float = matches!(entry.kind, Kind::F32 | Kind::F64);
        match what {
            What::Rows | What::Count => true,
            What::Sum | What::Mean => summary.sum.is_some() || entry.null_count == rows,
            // Summaries do not tell 0 from -0.
            What::Least => {
                summary.range.map_or(entry.null_count == rows, |(least, _)| !is_float || least != 0)
            }
            What::Greatest => {
                summary.range.map_or(entry.null_count == rows, |(_, greatest)| !is_float || greatest != 0)
            }
            What::First | What::Last => true,
        }
    }

    /// Takes what the head of a block tells; [`Self::can_take_entry`] holds.
    pub(super) fn take_entry(&mut self, what: What, entry: &Entry, rows: u32, times: (i64, i64)) {
        let summary = &entry.summary;
        match self {
            Self::Count(count) => *count += i64::from(rows - entry.null_count),
            Self::Sum { sum, count } => {
                *sum += summary.sum.unwrap_or(0);
                *count += i64::from(rows - entry.null_count);
            }
            Self::Best(_) => {
                if let Some((least, greatest)) = summary.range {
                    let key = if what == What::Least { least } else { greatest };
                    self.offer(what, (key, bits_of_key(entry.kind, key)));
                }
            }
            Self::At(_) => {
                let (time, bits) =
                    if what == What::First { (times.0, summary.first) } else { (times.1, summary.last) };
                self.meet(what, time, bits);
            }
        }
    }

    fn offer(&mut self, what: What, value: Value) {
        if let Self::Best(best) = self {
            let is_better =
                best.is_none_or(|(key, _)| if what == What::Least { value.0 < key } else { value.0 > key });
            if is_better {
                *best = Some(value);
            }
        }
    }

    fn meet(&mut self, what: What, time: i64, bits: Option<u64>) {
        if let Self::At(at) = self {
            let is_better =
                at.is_none_or(|(known, _)| if what == What::First { time < known } else { time > known });
            if is_better {
                *at = Some((time, bits));
            }
        }
    }
}

/// Key and bits of an integer, a time or a truth value.
pub(super) fn integer(value: i64) -> Value {
    (summary::int_key(value), value as u64)
}

/// Key and bits of a float.
pub(super) fn float32(value: f32) -> Value {
    (summary::float_key(f64::from(value)), u64::from(value.to_bits()))
}

/// Key and bits of a double float.
pub(super) fn float64(value: f64) -> Value {
    (summary::float_key(value), value.to_bits())
}

fn value_at(column: &Column, row: usize) -> Value {
    match &column.values {
        Values::I16(v) => integer(v[row].into()),
        Values::I32(v) => integer(v[row].into()),
        Values::I64(v) => integer(v[row]),
        Values::F32(v) => float32(v[row]),
        Values::F64(v) => float64(v[row]),
        Values::Bool(v) => integer(v[row].into()),
        Values::Bytes(_) => (0, 0),
    }
}

/// The bits of the value with this key.
fn bits_of_key(kind: Kind, key: i64) -> u64 {
    match kind {
        Kind::F32 => u64::from((summary::float_of_key(key) as f32).to_bits()),
        Kind::F64 => summary::float_of_key(key).to_bits(),
        _ => key as u64,
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::block::{self, Directory, codec::Effort};
    use proptest::prelude::*;

    use super::*;

    const ALL: [What; 7] =
        [What::Count, What::Sum, What::Mean, What::Least, What::Greatest, What::First, What::Last];

    fn same(one: State, other: State) -> bool {
        match (one, other) {
            // Whichever of equal values, and NaN of any bits.
            (State::Best(Some((a, _))), State::Best(Some((b, _)))) => a == b,
            (one, other) => one == other,
        }
    }

    /// States from the head, from the decoded column and from single values, of those whose head tells them.
    fn check(
        values: Values,
        nulls: Option<Vec<bool>>,
        of: impl Fn(usize) -> Value,
    ) -> Result<(), TestCaseError> {
        let column = Column { values, nulls };
        let rows = column.len();
        let times: Vec<i64> = (0..rows as i64).collect();
        let written = block::write(0, rows as i64 - 1, &[(1, &column)], Effort::default());
        let directory = Directory::parse(&written.directory).expect("what was written is read");
        let entry = directory.entry(1).expect("the column is there");
        for what in ALL {
            if matches!(what, What::Sum | What::Mean) && matches!(entry.kind, Kind::F32 | Kind::F64) {
                continue;
            }
            let mut by_column = State::new(what);
            by_column.take_column(what, Some(&column), Rows { times: &times, from: 0, to: rows });
            let mut by_value = State::new(what);
            for (row, time) in times.iter().enumerate() {
                by_value.take_value(what, (!column.is_null(row)).then(|| of(row)), *time);
            }
            prop_assert!(same(by_column, by_value), "{what:?} {by_column:?} {by_value:?}");
            if State::can_take_entry(what, entry, rows as u32) {
                let mut by_entry = State::new(what);
                by_entry.take_entry(what, entry, rows as u32, (0, rows as i64 - 1));
                prop_assert!(same(by_entry, by_column), "{what:?} {by_entry:?} {by_column:?}");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn integers_come_out_the_same_three_ways(rows in prop::collection::vec((any::<i64>(), any::<bool>()), 1..40)) {
            let values: Vec<i64> = rows.iter().map(|(value, _)| *value).collect();
            let nulls = rows.iter().map(|(_, is_null)| *is_null).collect();
            check(Values::I64(values.clone()), Some(nulls), |row| integer(values[row]))?;
        }

        #[test]
        fn floats_come_out_the_same_three_ways(
            rows in prop::collection::vec((prop_oneof![any::<f32>(), Just(0.0), Just(-0.0), Just(f32::NAN)], any::<bool>()), 1..40),
        ) {
            let values: Vec<f32> = rows.iter().map(|(value, _)| *value).collect();
            let nulls = rows.iter().map(|(_, is_null)| *is_null).collect();
            check(Values::F32(values.clone()), Some(nulls), |row| float32(values[row]))?;
        }
    }
}
