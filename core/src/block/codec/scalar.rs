//! Values of fixed size, as bits: equality and storage must keep every bit of a float, NaN payloads too.

use crate::block::{Damage, wire::Reader};

/// A value of fixed size.
pub(in crate::block) trait Scalar: Copy {
    /// Whether it is a whole number, so that its bits can be added.
    const IS_WHOLE: bool;
    /// Its bits; integers with their sign extended, so that near numbers have near bits.
    fn bits(self) -> u64;
    /// The value of these bits, when there is one.
    fn from_bits(bits: u64) -> Option<Self>;
    /// Appends it, little endian.
    fn put(self, out: &mut Vec<u8>);
    /// Reads what [`Self::put`] wrote.
    fn take(reader: &mut Reader<'_>) -> Result<Self, Damage>;
}

macro_rules! scalar {
    ($type:ty, $whole:expr, $bits:expr, $from:expr) => {
        impl Scalar for $type {
            const IS_WHOLE: bool = $whole;
            fn bits(self) -> u64 {
                $bits(self)
            }
            fn from_bits(bits: u64) -> Option<Self> {
                $from(bits)
            }
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(reader: &mut Reader<'_>) -> Result<Self, Damage> {
                let mut bytes = [0; size_of::<$type>()];
                bytes.copy_from_slice(reader.take(size_of::<$type>())?);
                Ok(<$type>::from_le_bytes(bytes))
            }
        }
    };
}

scalar!(i16, true, |v: i16| v as i64 as u64, |b: u64| i16::try_from(b as i64).ok());
scalar!(i32, true, |v: i32| v as i64 as u64, |b: u64| i32::try_from(b as i64).ok());
scalar!(i64, true, |v: i64| v as u64, |b: u64| Some(b as i64));
scalar!(f32, false, |v: f32| u64::from(v.to_bits()), |b: u64| u32::try_from(b).ok().map(f32::from_bits));
scalar!(f64, false, f64::to_bits, |b: u64| Some(f64::from_bits(b)));

impl Scalar for bool {
    const IS_WHOLE: bool = false;
    fn bits(self) -> u64 {
        u64::from(self)
    }
    fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn put(self, out: &mut Vec<u8>) {
        out.push(u8::from(self));
    }
    fn take(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let byte = reader.u8()?;
        Self::from_bits(byte.into()).ok_or(Damage::Impossible { what: "a truth value", value: byte.into() })
    }
}
