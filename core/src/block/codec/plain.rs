//! What nothing makes shorter: the values as they are.

use super::scalar::Scalar;
use crate::block::{
    ByteStrings, Damage,
    wire::{Reader, put_varint},
};

fn trailing() -> Damage {
    Damage::Codec { codec: "plain", why: "bytes follow the last value".to_owned() }
}

pub(super) fn write<T: Scalar>(out: &mut Vec<u8>, values: &[T]) {
    values.iter().for_each(|v| v.put(out));
}

pub(super) fn read<T: Scalar>(mut reader: Reader<'_>, n: usize) -> Result<Vec<T>, Damage> {
    let values = (0..n).map(|_| T::take(&mut reader)).collect::<Result<_, _>>()?;
    if reader.rest().is_empty() { Ok(values) } else { Err(trailing()) }
}

/// A bit a value.
pub(super) fn write_bits(out: &mut Vec<u8>, values: &[bool]) {
    for chunk in values.chunks(8) {
        out.push(chunk.iter().enumerate().fold(0, |byte, (i, v)| byte | u8::from(*v) << i));
    }
}

pub(super) fn read_bits(reader: Reader<'_>, n: usize) -> Result<Vec<bool>, Damage> {
    let bytes = reader.rest();
    if bytes.len() != n.div_ceil(8) {
        return Err(Damage::Truncated { need: n.div_ceil(8), have: bytes.len() });
    }
    Ok((0..n).map(|i| bytes[i / 8] >> (i % 8) & 1 == 1).collect())
}

/// All lengths, then all bytes.
pub(super) fn write_strings(out: &mut Vec<u8>, strings: &ByteStrings) {
    strings.iter().for_each(|s| put_varint(out, s.len() as u64));
    strings.iter().for_each(|s| out.extend_from_slice(s));
}

pub(super) fn read_strings(mut reader: Reader<'_>, n: usize) -> Result<ByteStrings, Damage> {
    let mut spans = Vec::with_capacity(n);
    let mut end = 0_usize;
    for _ in 0..n {
        let start = end;
        end += reader.count("a string's length", reader.rest().len().saturating_sub(start))?;
        spans.push((start as u32, end as u32));
    }
    let data = reader.rest();
    if data.len() != end {
        return Err(Damage::Truncated { need: end, have: data.len() });
    }
    Ok(ByteStrings::shared(data.to_vec(), spans))
}
