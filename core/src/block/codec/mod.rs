//! How one column becomes a section of the payload and back.
//!
//! A section is the nulls, when there are any, and then the values of the rows that are not null, by one codec. The
//! writer takes the codec that comes out shortest; the reader learns it from the directory.
//!
//! | Room | For |
//! |---|---|
//! | [`constant`] | one value for all rows |
//! | [`run_length`] | values that stay the same for long |
//! | [`dictionary`] | byte strings of which few differ |
//! | [`pco`] | numbers |
//! | [`plain`] | what nothing makes shorter |
//! | [`sequence`] | numbers at equal distances: the times of a regular series |

mod constant;
mod dictionary;
mod pco;
mod plain;
mod run_length;
pub(super) mod scalar;
mod sequence;

use self::scalar::Scalar;
use super::{ByteStrings, Column, Damage, Kind, MAX_ROWS, Values, nulls, wire::Reader};

/// How the values of a section are coded; the number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// No value: every row is null.
    Absent = 0,
    /// One value for all rows.
    Constant = 1,
    /// Runs of equal values.
    RunLength = 2,
    /// Different strings once, then which of them each row has.
    Dictionary = 3,
    /// pco, for numbers.
    Pco = 4,
    /// The values as they are.
    Plain = 5,
    /// Whole numbers at equal distances.
    Sequence = 6,
}

impl Codec {
    /// The codec of this code.
    pub fn of(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Absent,
            1 => Self::Constant,
            2 => Self::RunLength,
            3 => Self::Dictionary,
            4 => Self::Pco,
            5 => Self::Plain,
            6 => Self::Sequence,
            _ => return None,
        })
    }
}

/// How hard the writer tries: pco's level, 0 to 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort(pub u8);

impl Default for Effort {
    /// Level 4: within 1 % of the size of level 8 in 40 % of its time on status series (docs/decisions/0001).
    fn default() -> Self {
        Self(4)
    }
}

/// Codes a column of at least one row.
pub(super) fn write(out: &mut Vec<u8>, column: &Column, effort: Effort) -> Codec {
    let Some(is_null) = column.nulls.as_deref().filter(|nulls| nulls.contains(&true)) else {
        return write_values(out, &column.values, effort);
    };
    if !is_null.contains(&false) {
        return Codec::Absent;
    }
    nulls::write(out, is_null);
    let present = |row: &usize| !is_null[*row];
    fn keep<T: Copy>(values: &[T], present: impl Fn(&usize) -> bool) -> Vec<T> {
        (0..values.len()).filter(present).map(|row| values[row]).collect()
    }
    let kept = match &column.values {
        Values::I16(v) => Values::I16(keep(v, present)),
        Values::I32(v) => Values::I32(keep(v, present)),
        Values::I64(v) => Values::I64(keep(v, present)),
        Values::F32(v) => Values::F32(keep(v, present)),
        Values::F64(v) => Values::F64(keep(v, present)),
        Values::Bool(v) => Values::Bool(keep(v, present)),
        Values::Bytes(v) => {
            let mut kept = ByteStrings::default();
            (0..v.len()).filter(present).for_each(|row| kept.push(v.get(row)));
            Values::Bytes(kept)
        }
    };
    write_values(out, &kept, effort)
}

fn write_values(out: &mut Vec<u8>, values: &Values, effort: Effort) -> Codec {
    match values {
        Values::I16(v) => write_numbers(out, v, effort),
        Values::I32(v) => write_numbers(out, v, effort),
        Values::I64(v) => write_numbers(out, v, effort),
        Values::F32(v) => write_numbers(out, v, effort),
        Values::F64(v) => write_numbers(out, v, effort),
        Values::Bool(v) => {
            if constant::write(out, v) {
                return Codec::Constant;
            }
            let runs = run_length::write(v, v.len() / 8);
            match runs {
                Some(runs) => {
                    out.extend(runs);
                    Codec::RunLength
                }
                None => {
                    plain::write_bits(out, v);
                    Codec::Plain
                }
            }
        }
        Values::Bytes(v) => {
            if v.iter().all(|s| s == v.get(0)) {
                out.extend_from_slice(v.get(0));
                return Codec::Constant;
            }
            if let Some(coded) = dictionary::write(v) {
                out.extend(coded);
                return Codec::Dictionary;
            }
            plain::write_strings(out, v);
            Codec::Plain
        }
    }
}

fn write_numbers<T: Scalar + ::pco::data_types::Number>(
    out: &mut Vec<u8>,
    values: &[T],
    effort: Effort,
) -> Codec {
    if constant::write(out, values) {
        return Codec::Constant;
    }
    if sequence::write(out, values) {
        return Codec::Sequence;
    }
    let plain_bytes = size_of_val(values);
    let runs = run_length::write(values, plain_bytes / 8);
    // Long runs are as short as it gets; pco would only take time.
    if let Some(runs) = runs.as_ref().filter(|runs| runs.len() <= 24) {
        out.extend(runs);
        return Codec::RunLength;
    }
    let coded = pco::write(values, effort).filter(|coded| coded.len() < plain_bytes);
    match (runs, coded) {
        (Some(runs), Some(coded)) if runs.len() <= coded.len() => {
            out.extend(runs);
            Codec::RunLength
        }
        (_, Some(coded)) => {
            out.extend(coded);
            Codec::Pco
        }
        (Some(runs), None) => {
            out.extend(runs);
            Codec::RunLength
        }
        (None, None) => {
            plain::write(out, values);
            Codec::Plain
        }
    }
}

/// Decodes a section of `rows` rows of which `null_count` are null.
///
/// # Errors
/// Whenever the bytes are not what a writer of this kind, codec and count writes.
pub fn read(
    bytes: &[u8],
    kind: Kind,
    codec: Codec,
    rows: usize,
    null_count: usize,
) -> Result<Column, Damage> {
    if rows > MAX_ROWS || null_count > rows {
        return Err(Damage::Impossible { what: "a number of rows", value: rows.max(null_count) as u64 });
    }
    let mut reader = Reader::new(bytes);
    if codec == Codec::Absent || null_count == rows {
        if codec != Codec::Absent || null_count != rows || !bytes.is_empty() {
            return Err(Damage::Codec { codec: "absent", why: "it has values".to_owned() });
        }
        let mut column = Column::empty(kind);
        (0..rows).for_each(|_| column.push_null());
        return Ok(column);
    }
    let nulls = match null_count {
        0 => None,
        _ => Some(nulls::read(&mut reader, rows, null_count)?),
    };
    let values = read_values(reader, kind, codec, rows - null_count)?;
    Ok(match nulls {
        None => Column::of(values),
        Some(nulls) => Column { values: spread(values, &nulls), nulls: Some(nulls) },
    })
}

fn read_values(reader: Reader<'_>, kind: Kind, codec: Codec, n: usize) -> Result<Values, Damage> {
    fn numbers<T: Scalar + ::pco::data_types::Number>(
        reader: Reader<'_>,
        codec: Codec,
        n: usize,
    ) -> Result<Vec<T>, Damage> {
        match codec {
            Codec::Constant => constant::read(reader, n),
            Codec::RunLength => run_length::read(reader, n),
            Codec::Pco => pco::read(reader.rest(), n),
            Codec::Plain => plain::read(reader, n),
            Codec::Sequence => sequence::read(reader, n),
            Codec::Absent | Codec::Dictionary => {
                Err(Damage::Unknown { what: "codec of numbers", code: codec as u64 })
            }
        }
    }
    Ok(match kind {
        Kind::I16 => Values::I16(numbers(reader, codec, n)?),
        Kind::I32 => Values::I32(numbers(reader, codec, n)?),
        Kind::I64 => Values::I64(numbers(reader, codec, n)?),
        Kind::F32 => Values::F32(numbers(reader, codec, n)?),
        Kind::F64 => Values::F64(numbers(reader, codec, n)?),
        Kind::Bool => Values::Bool(match codec {
            Codec::Constant => constant::read(reader, n)?,
            Codec::RunLength => run_length::read(reader, n)?,
            Codec::Plain => plain::read_bits(reader, n)?,
            _ => return Err(Damage::Unknown { what: "codec of booleans", code: codec as u64 }),
        }),
        Kind::Bytes => Values::Bytes(match codec {
            Codec::Constant => {
                let mut strings = ByteStrings::default();
                strings.push(reader.rest());
                (1..n).for_each(|_| strings.repeat(0));
                strings
            }
            Codec::Dictionary => dictionary::read(reader, n)?,
            Codec::Plain => plain::read_strings(reader, n)?,
            _ => return Err(Damage::Unknown { what: "codec of strings", code: codec as u64 }),
        }),
    })
}

/// Puts the values at the rows that are not null.
fn spread(values: Values, nulls: &[bool]) -> Values {
    fn over<T: Copy + Default>(values: &[T], nulls: &[bool]) -> Vec<T> {
        let mut next = values.iter();
        nulls
            .iter()
            .map(|n| if *n { T::default() } else { next.next().copied().unwrap_or_default() })
            .collect()
    }
    match values {
        Values::I16(v) => Values::I16(over(&v, nulls)),
        Values::I32(v) => Values::I32(over(&v, nulls)),
        Values::I64(v) => Values::I64(over(&v, nulls)),
        Values::F32(v) => Values::F32(over(&v, nulls)),
        Values::F64(v) => Values::F64(over(&v, nulls)),
        Values::Bool(v) => Values::Bool(over(&v, nulls)),
        Values::Bytes(v) => {
            let (data, spans) = v.into_parts();
            Values::Bytes(ByteStrings::shared(data, over(&spans, nulls)))
        }
    }
}
