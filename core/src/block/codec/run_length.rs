//! Values that stay the same for long: length of the run, then by how much the bits differ from those before.

use super::scalar::Scalar;
use crate::block::{
    Damage,
    wire::{Reader, put_signed, put_varint},
};

/// The runs, unless they take more than `limit` bytes.
pub(super) fn write<T: Scalar>(values: &[T], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut before = 0_u64;
    let mut row = 0;
    while row < values.len() {
        let bits = values[row].bits();
        let run = values[row..].iter().take_while(|v| v.bits() == bits).count();
        put_varint(&mut out, run as u64);
        put_signed(&mut out, bits.wrapping_sub(before) as i64);
        if out.len() > limit {
            return None;
        }
        before = bits;
        row += run;
    }
    Some(out)
}

pub(super) fn read<T: Scalar>(mut reader: Reader<'_>, n: usize) -> Result<Vec<T>, Damage> {
    let mut values = Vec::with_capacity(n);
    let mut bits = 0_u64;
    while values.len() < n {
        let run = reader.count("a run", n - values.len())?;
        bits = bits.wrapping_add(reader.signed()? as u64);
        let value = T::from_bits(bits).ok_or(Damage::Impossible { what: "a value", value: bits })?;
        values.resize(values.len() + run, value);
    }
    if !reader.rest().is_empty() {
        return Err(Damage::Codec { codec: "run-length", why: "bytes follow the last run".to_owned() });
    }
    Ok(values)
}
