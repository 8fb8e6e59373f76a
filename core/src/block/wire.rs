//! Numbers to bytes and back. Little endian; variable-length integers are seven bits a byte, least significant first.

use super::Damage;

/// The bytes of the longest variable-length integer.
const MAX_VARINT: usize = 10;

/// Reads from the front of a byte string, never past its end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`Damage::Truncated`] when there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Damage> {
        let Some((head, rest)) = self.rest.split_at_checked(n) else {
            return Err(Damage::Truncated { need: n, have: self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end.
    pub fn u8(&mut self) -> Result<u8, Damage> {
        Ok(self.array::<1>()?[0])
    }

    /// Four bytes.
    ///
    /// # Errors
    /// At the end.
    pub fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// At the end.
    pub fn i64(&mut self) -> Result<i64, Damage> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A variable-length integer.
    ///
    /// # Errors
    /// At the end, and when it has more than 64 bits.
    pub fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for (i, byte) in self.rest.iter().take(MAX_VARINT).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == MAX_VARINT - 1 && bits > 1 {
                break;
            }
            value |= bits << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        if self.rest.len() < MAX_VARINT {
            return Err(Damage::Truncated { need: self.rest.len() + 1, have: self.rest.len() });
        }
        Err(Damage::Impossible { what: "a variable-length integer", value })
    }

    /// A variable-length signed integer.
    ///
    /// # Errors
    /// As [`Self::varint`].
    pub fn signed(&mut self) -> Result<i64, Damage> {
        Ok(unzigzag(self.varint()?))
    }

    /// A count that may be at most `limit`: safe to allocate by when the limit is.
    ///
    /// # Errors
    /// As [`Self::varint`], and above the limit.
    pub fn count(&mut self, what: &'static str, limit: usize) -> Result<usize, Damage> {
        let value = self.varint()?;
        match usize::try_from(value) {
            Ok(count) if count <= limit => Ok(count),
            _ => Err(Damage::Impossible { what, value }),
        }
    }
}

/// Appends a variable-length integer.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a variable-length signed integer.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Small numbers of either sign as small numbers.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_come_back(value: i64) {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            put_varint(&mut bytes, value as u64);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.signed(), Ok(value));
            prop_assert_eq!(reader.varint(), Ok(value as u64));
            prop_assert!(reader.rest().is_empty());
        }
    }

    #[test]
    fn an_integer_of_more_than_64_bits_is_refused() {
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).varint(),
            Ok(u64::MAX)
        );
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint().is_err());
    }
}
