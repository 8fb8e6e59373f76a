//! What is known of a column without decoding it.

use super::{
    Column, Damage, Values,
    codec::scalar::Scalar,
    wire::{Reader, put_signed, put_varint},
};

/// Least and greatest value, first and last value and the sum of a column of numbers or truth values.
///
/// Least and greatest are *keys* ([`int_key`], [`float_key`]): they compare as PostgreSQL compares the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Keys of the least and the greatest value that is not null.
    pub range: Option<(i64, i64)>,
    /// The bits of the first row's value; nothing when it is null.
    pub first: Option<u64>,
    /// The bits of the last row's value; nothing when it is null.
    pub last: Option<u64>,
    /// The sum of all that are not null; of integers only.
    pub sum: Option<i128>,
}

const RANGE: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
const SUM: u8 = 8;

/// The key of an integer, a time or a truth value.
pub fn int_key(value: i64) -> i64 {
    value
}

/// The key of a float: -0 equals 0 and NaN is above everything, as PostgreSQL has it.
pub fn float_key(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MAX;
    }
    let bits = (value + 0.0).to_bits() as i64;
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

/// A float with this key ([`float_key`]): 0 for that of -0, one NaN for all.
pub fn float_of_key(key: i64) -> f64 {
    match key {
        i64::MAX => f64::NAN,
        key if key < 0 => f64::from_bits(i64::MIN.wrapping_sub(key) as u64),
        key => f64::from_bits(key as u64),
    }
}

impl Summary {
    /// The summary of a column; empty for byte strings.
    pub fn of(column: &Column) -> Self {
        match &column.values {
            Values::I16(v) => integers(column, v, |x| i64::from(*x)),
            Values::I32(v) => integers(column, v, |x| i64::from(*x)),
            Values::I64(v) => integers(column, v, |x| *x),
            Values::F32(v) => ends(column, v, |x| float_key(f64::from(*x))),
            Values::F64(v) => ends(column, v, |x| float_key(*x)),
            Values::Bool(v) => ends(column, v, |x| i64::from(*x)),
            Values::Bytes(_) => Self::default(),
        }
    }

    /// Appends it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        out.push(
            flag(self.range.is_some(), RANGE)
                | flag(self.first.is_some(), FIRST)
                | flag(self.last.is_some(), LAST)
                | flag(self.sum.is_some(), SUM),
        );
        let least = self.range.map_or(0, |(least, _)| least);
        if let Some((least, greatest)) = self.range {
            put_signed(out, least);
            put_varint(out, greatest.wrapping_sub(least) as u64);
        }
        // Near the least value for integers; for floats this costs nothing.
        for bits in [self.first, self.last].into_iter().flatten() {
            put_signed(out, (bits as i64).wrapping_sub(least));
        }
        if let Some(sum) = self.sum {
            put_signed(out, (sum >> 64) as i64);
            put_varint(out, sum as u64);
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let flags = reader.u8()?;
        if flags & !(RANGE | FIRST | LAST | SUM) != 0 {
            return Err(Damage::Unknown { what: "summary", code: flags.into() });
        }
        let mut summary = Self::default();
        let mut least = 0;
        if flags & RANGE != 0 {
            least = reader.signed()?;
            let greatest = least.wrapping_add(reader.varint()? as i64);
            if greatest < least {
                return Err(Damage::Impossible { what: "a range", value: greatest as u64 });
            }
            summary.range = Some((least, greatest));
        }
        if flags & FIRST != 0 {
            summary.first = Some(least.wrapping_add(reader.signed()?) as u64);
        }
        if flags & LAST != 0 {
            summary.last = Some(least.wrapping_add(reader.signed()?) as u64);
        }
        if flags & SUM != 0 {
            let high = reader.signed()?;
            summary.sum = Some(i128::from(high) << 64 | i128::from(reader.varint()?));
        }
        Ok(summary)
    }
}

fn ends<T: Scalar>(column: &Column, values: &[T], key: impl Fn(&T) -> i64) -> Summary {
    let at = |row: usize| (!column.is_null(row)).then(|| values[row].bits());
    let keys = (0..values.len()).filter(|row| !column.is_null(*row)).map(|row| key(&values[row]));
    let range = keys.fold(None, |range: Option<(i64, i64)>, key| {
        Some(range.map_or((key, key), |(least, greatest)| (least.min(key), greatest.max(key))))
    });
    let last = values.len().checked_sub(1).and_then(at);
    Summary { range, first: if values.is_empty() { None } else { at(0) }, last, sum: None }
}

fn integers<T: Scalar>(column: &Column, values: &[T], key: impl Fn(&T) -> i64) -> Summary {
    let present = (0..values.len()).filter(|row| !column.is_null(*row));
    let sum = present.map(|row| i128::from(key(&values[row]))).sum();
    let summary = ends(column, values, key);
    Summary { sum: summary.range.map(|_| sum), ..summary }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_floats_are_in_the_order_of_the_server() {
        let rising = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            0.0,
            f64::MIN_POSITIVE,
            2.5,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in rising.windows(2) {
            assert!(float_key(pair[0]) < float_key(pair[1]), "{pair:?}");
        }
        for value in rising {
            assert!(float_of_key(float_key(value)).total_cmp(&value).is_eq(), "{value}");
        }
        assert_eq!(float_key(-0.0), float_key(0.0));
        assert_eq!(float_key(-f64::NAN), float_key(f64::NAN));
    }

    #[test]
    fn a_summary_comes_back() {
        let column = Column::of(Values::I64(vec![i64::MAX, i64::MIN, 7]));
        let summary = Summary::of(&column);
        assert_eq!(summary.sum, Some(6));
        let mut bytes = Vec::new();
        summary.write(&mut bytes);
        assert_eq!(Summary::read(&mut Reader::new(&bytes)), Ok(summary));
    }
}
