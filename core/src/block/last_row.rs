//! The last row of a block, apart from it: so small that an index can hold it, beside when its block ends. Who wants the
//! newest row of each segment reads neither head nor payload.
//!
//! Its checksum goes on from the time of the row, so that no row is taken for another's.

use super::{
    Column, Damage, Kind, MAX_ROWS, Values,
    codec::scalar::Scalar,
    directory::MAX_COLUMNS,
    wire::{Reader, put_signed, put_varint},
};

/// The version that this library writes; it reads this one.
const VERSION: u8 = 1;
/// The most bytes that it may take: an index entry of PostgreSQL is compressed from about 500 on.
const MAX_BYTES: usize = 400;
/// Longer byte strings are not told.
const MAX_STRING: usize = 64;

/// What is told of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastValue<'a> {
    /// It is null.
    Null,
    /// The bits of a number or truth value; of integers with the sign extended.
    Number(Kind, u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// Nothing: the block has the value.
    Untold,
}

const NULL: u8 = 0;
const TOLD: u8 = 1;
const UNTOLD: u8 = 2;
/// Set where the column's number is not the one after that of the column before.
const HAS_GAP: u8 = 8;

/// Of columns of equally many rows, by rising number, the last row, whose time is told apart; empty where it would be too
/// long.
pub fn write(last_time: i64, columns: &[(u32, &Column)]) -> Vec<u8> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let Some(last) = rows.checked_sub(1) else { return Vec::new() };
    let mut out = vec![VERSION];
    put_varint(&mut out, rows as u64);
    put_varint(&mut out, columns.len() as u64);
    let mut next = 0;
    for (number, column) in columns {
        let gap = if *number == next { 0 } else { HAS_GAP };
        let told = match &column.values {
            _ if column.is_null(last) => NULL,
            Values::Bytes(strings) if strings.get(last).len() > MAX_STRING => UNTOLD,
            _ => TOLD,
        };
        out.push((column.values.kind() as u8) << 4 | gap | told);
        if gap != 0 {
            put_varint(&mut out, u64::from(number.wrapping_sub(next)));
        }
        next = number.wrapping_add(1);
        if told != TOLD {
            continue;
        }
        match &column.values {
            Values::I16(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::I32(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::I64(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::F32(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::F64(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::Bool(v) => put_signed(&mut out, v[last].bits() as i64),
            Values::Bytes(v) => {
                put_varint(&mut out, v.get(last).len() as u64);
                out.extend_from_slice(v.get(last));
            }
        }
    }
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&last_time.to_le_bytes()), &out);
    out.extend_from_slice(&checksum.to_le_bytes());
    if out.len() > MAX_BYTES { Vec::new() } else { out }
}

/// Reads what [`write`] wrote of a row of this time: each column's number and what is told of it go to `take`, by rising
/// number. How many rows the block has.
///
/// # Errors
/// Whenever the bytes are anything else.
pub fn read<'a>(
    bytes: &'a [u8],
    last_time: i64,
    mut take: impl FnMut(u32, LastValue<'a>),
) -> Result<u32, Damage> {
    let Some((body, stored)) = bytes.split_last_chunk::<4>() else {
        return Err(Damage::Truncated { need: 4, have: bytes.len() });
    };
    let computed = crc32c::crc32c_append(crc32c::crc32c(&last_time.to_le_bytes()), body);
    let stored = u32::from_le_bytes(*stored);
    if stored != computed {
        return Err(Damage::Checksum { what: "the last row", stored, computed });
    }
    let mut reader = Reader::new(body);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(Damage::Unknown { what: "version of the last row", code: version.into() });
    }
    let rows = reader.count("a number of rows", MAX_ROWS)? as u32;
    if rows == 0 {
        return Err(Damage::Impossible { what: "a number of rows", value: 0 });
    }
    let count = reader.count("a number of columns", MAX_COLUMNS)?;
    let mut next = Some(0_u32);
    for _ in 0..count {
        let coding = reader.u8()?;
        let unknown = |what| Damage::Unknown { what, code: coding.into() };
        let kind = Kind::of(coding >> 4).ok_or_else(|| unknown("kind"))?;
        let gap = if coding & HAS_GAP == 0 { 0 } else { reader.varint()? };
        let number = u32::try_from(gap).ok().zip(next).and_then(|(gap, next)| next.checked_add(gap));
        let number = number.ok_or(Damage::Impossible { what: "a column's number", value: gap })?;
        next = number.checked_add(1);
        let value = match coding & 7 {
            NULL => LastValue::Null,
            UNTOLD => LastValue::Untold,
            TOLD if kind == Kind::Bytes => {
                let length = reader.count("a string's length", MAX_STRING)?;
                LastValue::Bytes(reader.take(length)?)
            }
            TOLD => LastValue::Number(kind, reader.signed()? as u64),
            _ => return Err(unknown("form")),
        };
        take(number, value);
    }
    if !reader.rest().is_empty() {
        return Err(Damage::Impossible { what: "a last row's length", value: bytes.len() as u64 });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::ByteStrings;

    fn column() -> impl Strategy<Value = Column> {
        let strings = |strings: Vec<Vec<u8>>| {
            let mut all = ByteStrings::default();
            strings.iter().for_each(|string| all.push(string));
            Values::Bytes(all)
        };
        let values = prop_oneof![
            any::<[i16; 3]>().prop_map(|v| Values::I16(v.to_vec())),
            any::<[i32; 3]>().prop_map(|v| Values::I32(v.to_vec())),
            any::<[i64; 3]>().prop_map(|v| Values::I64(v.to_vec())),
            any::<[u32; 3]>().prop_map(|v| Values::F32(v.map(f32::from_bits).to_vec())),
            any::<[u64; 3]>().prop_map(|v| Values::F64(v.map(f64::from_bits).to_vec())),
            any::<[bool; 3]>().prop_map(|v| Values::Bool(v.to_vec())),
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 3).prop_map(strings),
        ];
        (values, prop::option::of(any::<[bool; 3]>()))
            .prop_map(|(values, nulls)| Column { values, nulls: nulls.map(|nulls| nulls.to_vec()) })
    }

    /// What is to be told of a column.
    fn told(column: &Column) -> LastValue<'_> {
        let kind = column.values.kind();
        match &column.values {
            _ if column.is_null(2) => LastValue::Null,
            Values::I16(v) => LastValue::Number(kind, i64::from(v[2]) as u64),
            Values::I32(v) => LastValue::Number(kind, i64::from(v[2]) as u64),
            Values::I64(v) => LastValue::Number(kind, v[2] as u64),
            Values::F32(v) => LastValue::Number(kind, v[2].to_bits().into()),
            Values::F64(v) => LastValue::Number(kind, v[2].to_bits()),
            Values::Bool(v) => LastValue::Number(kind, v[2].into()),
            Values::Bytes(v) if v.get(2).len() > MAX_STRING => LastValue::Untold,
            Values::Bytes(v) => LastValue::Bytes(v.get(2)),
        }
    }

    proptest! {
        #[test]
        fn the_last_row_comes_back_and_damage_is_told(
            columns in prop::collection::btree_map(any::<u32>(), column(), 1..6),
            last_time: i64, at in any::<prop::sample::Index>(), bits in 1_u8..,
        ) {
            let numbered: Vec<(u32, &Column)> = columns.iter().map(|(number, column)| (*number, column)).collect();
            let mut bytes = write(last_time, &numbered);
            let expected: Vec<_> = numbered.iter().map(|(number, column)| (*number, told(column))).collect();
            let mut found = Vec::new();
            prop_assert_eq!(read(&bytes, last_time, |number, value| found.push((number, value))), Ok(3));
            prop_assert_eq!(found, expected);
            let is_refused = |bytes: &[u8], last_time| read(bytes, last_time, |_, _| {}).is_err();
            prop_assert!(is_refused(&bytes, last_time ^ 1));
            prop_assert!(is_refused(&bytes[..at.index(bytes.len())], last_time));
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            prop_assert!(is_refused(&bytes, last_time));
        }

        #[test]
        fn hostile_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), last_time: i64) {
            bytes.insert(0, VERSION);
            let checksum = crc32c::crc32c_append(crc32c::crc32c(&last_time.to_le_bytes()), &bytes);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            let mut before = None;
            let mut rises = true;
            let _ = read(&bytes, last_time, |number, _| {
                rises &= before.is_none_or(|before| before < number);
                before = Some(number);
            });
            prop_assert!(rises);
        }
    }

    #[test]
    fn a_row_that_is_too_long_for_an_index_is_left_out() {
        let column = Column::of(Values::F64(vec![0.1]));
        let numbered: Vec<(u32, &Column)> = (0..60).map(|number| (number, &column)).collect();
        assert_eq!(write(0, &numbered), Vec::<u8>::new());
    }
}
