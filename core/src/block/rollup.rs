//! What is known of each day of a block without decoding its columns: of every column of numbers that has no nulls the
//! first, last, least and greatest value and the sum of each day, and when the day's rows are.
//!
//! A day is one of UTC. Rows of a day that lie elsewhere, in another block or not sealed, are no matter here: whoever
//! answers adds them.
//!
//! The head of a rollup says when the days are and which columns there are, with a checksum that goes on from that of the
//! block's directory, so that no rollup is taken for another's. Then comes a section a column, with its own checksum: who
//! wants one column reads no other.

mod write;

pub use write::write;

use super::{
    Damage, Kind, MAX_ROWS,
    directory::MAX_COLUMNS,
    packed,
    summary::{float_key, int_key},
    wire::Reader,
};

/// The length of a day in the unit of the times: microseconds.
pub const DAY: i64 = 86_400_000_000;
/// The version that this library writes; it reads this one.
const VERSION: u8 = 1;
/// A day's sum is kept as how much it differs from this many rows' worth of the mean of first and last value.
fn expected_sum(rows: u32, first: i64, last: i64) -> i128 {
    (i128::from(rows) * (i128::from(first) + i128::from(last))) >> 1
}

/// The rows of one day of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// When the day begins.
    pub start: i64,
    /// How many rows of the block it has: at least one.
    pub rows: u32,
    /// The time of the first of them.
    pub first_time: i64,
    /// The time of the last.
    pub last_time: i64,
}

/// How the values of a column are kept in a rollup; the number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All are null.
    Absent,
    /// Whole numbers, with sums.
    Whole,
    /// Whole numbers whose sums are too far from what is expected.
    WholeWithoutSum,
    /// The bits of floats, put into an order in which near numbers are near.
    Bits,
    /// Floats that are whole when multiplied by this power of ten.
    Decimal(u8),
}

/// The most decimals that are looked for.
const MAX_DECIMALS: u8 = 6;

impl Form {
    fn code(self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Whole => 1,
            Self::WholeWithoutSum => 2,
            Self::Bits => 3,
            Self::Decimal(decimals) => 4 + decimals,
        }
    }

    fn of(code: u8, kind: Kind) -> Option<Self> {
        let is_float = matches!(kind, Kind::F32 | Kind::F64);
        Some(match code {
            0 => Self::Absent,
            1 if !is_float => Self::Whole,
            2 if !is_float => Self::WholeWithoutSum,
            3 if is_float => Self::Bits,
            4..=10 if is_float => Self::Decimal(code - 4),
            _ => return None,
        })
    }
}

/// Which value of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// That of the first row.
    First,
    /// That of the last row.
    Last,
    /// The least, as PostgreSQL orders values.
    Least,
    /// The greatest.
    Greatest,
}

/// One column's days. Kept one after the other, so that what is wanted is read alone: last and first values, then by how
/// much the greatest is above both, the least below both, and the sum other than expected.
#[derive(Debug, Clone, Copy)]
pub struct Rolled<'a> {
    column: u32,
    kind: Kind,
    form: Form,
    checksum: u32,
    bytes: &'a [u8],
}

/// The days of a block.
#[derive(Debug, Clone)]
pub struct Rollup<'a> {
    days: Vec<Day>,
    columns: Vec<Rolled<'a>>,
}

impl<'a> Rollup<'a> {
    /// Reads what [`write`] wrote for the block with this directory.
    ///
    /// # Errors
    /// Whenever the bytes are anything else.
    pub fn parse(bytes: &'a [u8], directory: &[u8]) -> Result<Self, Damage> {
        let mut sections = Reader::new(bytes);
        let version = sections.u8()?;
        if version != VERSION {
            return Err(Damage::Unknown { what: "version of a rollup", code: version.into() });
        }
        let length = sections.count("the length of a rollup's head", bytes.len())?;
        let begin = bytes.len() - sections.rest().len();
        let mut head = Reader::new(sections.take(length)?);
        let (stored, computed) = (sections.u32()?, checksum(&bytes[..begin + length], directory));
        if stored != computed {
            return Err(Damage::Checksum { what: "the rollup", stored, computed });
        }
        let days = read_days(&mut head)?;
        let count = head.count("a number of columns", MAX_COLUMNS)?;
        let mut columns = Vec::with_capacity(count);
        let mut next = 0_u64;
        for _ in 0..count {
            let number = next + head.varint()?.min(u64::from(u32::MAX) + 1);
            let column = u32::try_from(number)
                .map_err(|_| Damage::Impossible { what: "a column's number", value: number })?;
            next = number + 1;
            let coding = head.u8()?;
            let unknown = |what| Damage::Unknown { what, code: coding.into() };
            let kind = Kind::of(coding >> 4).filter(|kind| *kind != Kind::Bytes);
            let kind = kind.ok_or_else(|| unknown("kind"))?;
            let form = Form::of(coding & 0xf, kind).ok_or_else(|| unknown("form"))?;
            let (mut checksum, mut bytes): (u32, &[u8]) = (0, &[]);
            if form != Form::Absent {
                let length = head.count("the length of a column's days", sections.rest().len())?;
                checksum = head.u32()?;
                bytes = sections.take(length)?;
            }
            columns.push(Rolled { column, kind, form, checksum, bytes });
        }
        if !head.rest().is_empty() || !sections.rest().is_empty() {
            return Err(Damage::Impossible { what: "a rollup's length", value: bytes.len() as u64 });
        }
        Ok(Self { days, columns })
    }

    /// The days, in their order; at least one.
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// The days of the column with this number; nothing for one that has some nulls or no numbers.
    pub fn column(&self, number: u32) -> Option<&Rolled<'a>> {
        self.columns.iter().find(|column| column.column == number)
    }

    /// How many rows the block has.
    pub fn rows(&self) -> u32 {
        self.days.iter().map(|day| day.rows).sum()
    }
}

impl Rolled<'_> {
    /// Of what kind its values are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is null in all rows; else it is null in none.
    pub fn is_absent(&self) -> bool {
        self.form == Form::Absent
    }

    /// Whether it has sums.
    pub fn has_sums(&self) -> bool {
        self.form == Form::Whole
    }

    /// The bits of a value of each day; nothing for a column that is null. The days are those of its rollup.
    ///
    /// # Errors
    /// When the bytes are not those that were written.
    pub fn bits(&self, days: &[Day], part: Part) -> Result<Vec<u64>, Damage> {
        if self.is_absent() {
            return Ok(Vec::new());
        }
        let mut reader = self.section()?;
        let numbers = self.numbers(&mut reader, days.len(), part)?;
        self.decoded(numbers)
    }

    /// The sum of each day; nothing where [`Self::has_sums`] says so.
    ///
    /// # Errors
    /// When the bytes are not those that were written.
    pub fn sums(&self, days: &[Day]) -> Result<Vec<i128>, Damage> {
        if !self.has_sums() {
            return Ok(Vec::new());
        }
        let mut reader = self.section()?;
        let last = packed::read(&mut reader, days.len())?;
        let first = read_firsts(&mut reader, &last)?;
        packed::skip(&mut reader, days.len())?;
        packed::skip(&mut reader, days.len())?;
        let more = packed::read(&mut reader, days.len())?;
        if !reader.rest().is_empty() {
            return Err(Damage::Impossible {
                what: "the length of a column's days",
                value: self.bytes.len() as u64,
            });
        }
        let sum = |i: usize| expected_sum(days[i].rows, first[i], last[i]) + i128::from(more[i]);
        Ok((0..days.len()).map(sum).collect())
    }

    /// Its bytes, checked.
    fn section(&self) -> Result<Reader<'_>, Damage> {
        let computed = crc32c::crc32c(self.bytes);
        if computed != self.checksum {
            return Err(Damage::Checksum { what: "a column's days", stored: self.checksum, computed });
        }
        Ok(Reader::new(self.bytes))
    }

    fn numbers(&self, reader: &mut Reader<'_>, n: usize, part: Part) -> Result<Vec<i64>, Damage> {
        let last = packed::read(reader, n)?;
        if part == Part::Last {
            return Ok(last);
        }
        let first = read_firsts(reader, &last)?;
        if part == Part::First {
            return Ok(first);
        }
        if part == Part::Least {
            packed::skip(reader, n)?;
        }
        let mut numbers = packed::read(reader, n)?;
        for (i, number) in numbers.iter_mut().enumerate() {
            *number = match part {
                Part::Greatest => first[i].max(last[i]).wrapping_add(*number),
                _ => first[i].min(last[i]).wrapping_sub(*number),
            };
        }
        Ok(numbers)
    }

    fn decoded(&self, numbers: Vec<i64>) -> Result<Vec<u64>, Damage> {
        let of = |number: i64| -> Option<u64> {
            Some(match (self.form, self.kind) {
                (Form::Decimal(decimals), Kind::F32) => {
                    u64::from((decimal(number, decimals) as f32).to_bits())
                }
                (Form::Decimal(decimals), _) => decimal(number, decimals).to_bits(),
                (Form::Bits, Kind::F32) => u64::from(turned32(i32::try_from(number).ok()?) as u32),
                (Form::Bits, _) => turned64(number) as u64,
                (_, Kind::I16) => i64::from(i16::try_from(number).ok()?) as u64,
                (_, Kind::I32) => i64::from(i32::try_from(number).ok()?) as u64,
                (_, Kind::Bool) if !(0..=1).contains(&number) => return None,
                (_, _) => number as u64,
            })
        };
        numbers
            .into_iter()
            .map(|number| {
                of(number).ok_or(Damage::Impossible { what: "a day's value", value: number as u64 })
            })
            .collect()
    }
}

/// The key by which values of this kind compare, from a value's bits.
pub fn key_of_bits(kind: Kind, bits: u64) -> i64 {
    match kind {
        Kind::F32 => float_key(f64::from(f32::from_bits(bits as u32))),
        Kind::F64 => float_key(f64::from_bits(bits)),
        _ => int_key(bits as i64),
    }
}

fn checksum(body: &[u8], directory: &[u8]) -> u32 {
    let of_directory = directory.last_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    crc32c::crc32c_append(of_directory, body)
}

/// First values: the first, then by how much each differs from the last value of the day before.
fn read_firsts(reader: &mut Reader<'_>, last: &[i64]) -> Result<Vec<i64>, Damage> {
    let mut first = Vec::with_capacity(last.len());
    first.push(reader.signed()?);
    let more = packed::read(reader, last.len() - 1)?;
    first.extend(last.iter().zip(more).map(|(before, more)| before.wrapping_add(more)));
    Ok(first)
}

fn read_days(reader: &mut Reader<'_>) -> Result<Vec<Day>, Damage> {
    let count = reader.count("a number of days", MAX_ROWS)?;
    if count == 0 {
        return Err(Damage::Impossible { what: "a number of days", value: 0 });
    }
    let mut day = reader.signed()?;
    let gaps = packed::read(reader, count - 1)?;
    let rows = packed::read(reader, count)?;
    let first = packed::read(reader, count)?;
    let last = packed::read(reader, count)?;
    let impossible = |what, value: i64| Damage::Impossible { what, value: value as u64 };
    let mut days = Vec::with_capacity(count);
    let mut left = MAX_ROWS as i64;
    for i in 0..count {
        if i > 0 {
            let gap = gaps[i - 1];
            day = (gap > 0)
                .then(|| day.checked_add(gap))
                .flatten()
                .ok_or_else(|| impossible("a gap of days", gap))?;
        }
        let start = day.checked_mul(DAY).filter(|start| start.checked_add(DAY).is_some());
        let start = start.ok_or_else(|| impossible("a day", day))?;
        if !(1..=left).contains(&rows[i]) {
            return Err(impossible("a day's number of rows", rows[i]));
        }
        left -= rows[i];
        if !(0..DAY).contains(&first[i]) || !(first[i]..DAY).contains(&last[i]) {
            return Err(impossible("a time of day", last[i]));
        }
        days.push(Day {
            start,
            rows: rows[i] as u32,
            first_time: start + first[i],
            last_time: start + last[i],
        });
    }
    Ok(days)
}

/// The number that so many decimals make of a whole one.
fn decimal(number: i64, decimals: u8) -> f64 {
    number as f64 / 10_f64.powi(decimals.into())
}

/// The bits of a float as a number that rises with it, and back.
fn turned32(bits: i32) -> i32 {
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// As [`turned32`].
fn turned64(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

#[cfg(test)]
#[path = "rollup_tests.rs"]
mod tests;
