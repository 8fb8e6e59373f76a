//! Whole numbers at equal distances, such as the times of a series that is measured regularly: the first, then the
//! distance.

use super::scalar::Scalar;
use crate::block::{
    Damage,
    wire::{Reader, put_signed},
};

/// With fewer values, others are as short.
const FEWEST: usize = 3;

/// Appends first value and distance when all distances are the same. Floats are none: their bits are no numbers.
pub(super) fn write<T: Scalar>(out: &mut Vec<u8>, values: &[T]) -> bool {
    if !T::IS_WHOLE || values.len() < FEWEST {
        return false;
    }
    let first = values[0].bits();
    let step = values[1].bits().wrapping_sub(first);
    if values.windows(2).any(|pair| pair[1].bits().wrapping_sub(pair[0].bits()) != step) {
        return false;
    }
    put_signed(out, first as i64);
    put_signed(out, step as i64);
    true
}

pub(super) fn read<T: Scalar>(mut reader: Reader<'_>, n: usize) -> Result<Vec<T>, Damage> {
    let mut bits = reader.signed()? as u64;
    let step = reader.signed()? as u64;
    if !T::IS_WHOLE || !reader.rest().is_empty() {
        return Err(Damage::Codec { codec: "sequence", why: "it is not two whole numbers".to_owned() });
    }
    let mut values = Vec::with_capacity(n);
    for _ in 0..n {
        values.push(T::from_bits(bits).ok_or(Damage::Impossible { what: "a value", value: bits })?);
        bits = bits.wrapping_add(step);
    }
    Ok(values)
}
