//! One value for all rows.

use super::scalar::Scalar;
use crate::block::{Damage, wire::Reader};

/// Appends the value when all are the same, bit by bit.
pub(super) fn write<T: Scalar>(out: &mut Vec<u8>, values: &[T]) -> bool {
    let Some(first) = values.first() else { return false };
    if values.iter().any(|v| v.bits() != first.bits()) {
        return false;
    }
    first.put(out);
    true
}

pub(super) fn read<T: Scalar>(mut reader: Reader<'_>, n: usize) -> Result<Vec<T>, Damage> {
    let value = T::take(&mut reader)?;
    if !reader.rest().is_empty() {
        return Err(Damage::Codec { codec: "constant", why: "bytes follow the value".to_owned() });
    }
    Ok(vec![value; n])
}
