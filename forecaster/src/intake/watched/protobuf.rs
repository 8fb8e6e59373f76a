//! The part of the protocol buffers' wire format that the two inputs need. Lengths are checked before anything is read.

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no protocol buffer: {0} at byte {1}")]
pub(crate) struct Malformed(pub(crate) &'static str, pub(crate) usize);

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: text, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// The bytes of a text, a byte string or a message.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// A text; what is not UTF-8 is none.
    pub(crate) fn text(self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// A `double`.
    pub(crate) fn double(self) -> Option<f64> {
        if let Self::Fixed64(bits) = self { Some(f64::from_bits(bits)) } else { None }
    }
}

/// The fields of a message, in their order. After an error it ends.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of this message.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Malformed("a number is cut off", self.at))?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            value |= bits.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is too long", self.at))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed("a length is too large", self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed("a field is cut off", self.at))?;
        self.at = end;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Value::Fixed64(u64::from_le_bytes(bytes.try_into().map_err(|_| Malformed("a field is cut off", self.at))?))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed("a length is too large", self.at))?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Value::Fixed32(u32::from_le_bytes(bytes.try_into().map_err(|_| Malformed("a field is cut off", self.at))?))
            }
            _ => return Err(Malformed("an unknown wire type", self.at)),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fields, Value};

    #[test]
    fn fields_are_read_by_their_wire_type() {
        // 1: varint 150, 2: "testing", 3: fixed64 1.0
        let mut bytes = vec![0x08, 0x96, 0x01, 0x12, 0x07];
        bytes.extend(b"testing");
        bytes.push(0x19);
        bytes.extend(1.0_f64.to_bits().to_le_bytes());
        let fields: Result<Vec<_>, _> = Fields::of(&bytes).collect();
        let fields = fields.expect("read");
        assert_eq!(fields[0], (1, Value::Varint(150)));
        assert_eq!(fields[1].1.text(), Some("testing"));
        assert_eq!(fields[2].1.double(), Some(1.0));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_fields_or_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let fields: Vec<_> = Fields::of(&bytes).collect();
            prop_assert!(fields.iter().filter(|field| field.is_err()).count() <= 1);
            prop_assert!(fields.len() <= bytes.len());
        }
    }
}
