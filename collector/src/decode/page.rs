//! A page of bytes with a name: every read is bounded, and a read beyond the end is an error that names the page.

use super::DecodeError;

/// Bytes of one page as a device sent them.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    name: &'static str,
    bytes: &'a [u8],
}

impl<'a> Page<'a> {
    /// Names the bytes.
    pub fn new(name: &'static str, bytes: &'a [u8]) -> Self {
        Self { name, bytes }
    }

    /// Names the bytes and refuses fewer than `length` of them.
    ///
    /// # Errors
    /// [`DecodeError::TooShort`].
    pub fn of_length(name: &'static str, bytes: &'a [u8], length: usize) -> Result<Self, DecodeError> {
        let page = Self { name, bytes };
        page.slice(0, length)?;
        Ok(page)
    }

    /// Names the bytes of a page whose length is fixed: what lies behind it must be padding, or this is another page.
    ///
    /// # Errors
    /// [`DecodeError::TooShort`], [`DecodeError::Impossible`].
    pub fn exactly(name: &'static str, bytes: &'a [u8], length: usize) -> Result<Self, DecodeError> {
        let page = Self::of_length(name, bytes, length)?;
        if let Some(place) = bytes[length..].iter().position(|byte| *byte != 0) {
            let what = format!("the page is {length} bytes long, and more follows: this is another page");
            return Err(page.impossible(length + place, bytes.len() - length - place, what));
        }
        Ok(page)
    }

    /// The page's name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// All of its bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// `length` bytes from `offset`.
    ///
    /// # Errors
    /// [`DecodeError::TooShort`], as for every read below.
    pub fn slice(self, offset: usize, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = offset.checked_add(length);
        end.and_then(|end| self.bytes.get(offset..end)).ok_or(DecodeError::TooShort {
            page: self.name,
            offset,
            length,
            available: self.bytes.len(),
        })
    }

    fn array<const N: usize>(self, offset: usize) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(offset, N)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(self, offset: usize) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(offset)?[0])
    }

    /// Little-endian, as NVMe and ATA write.
    pub fn le16(self, offset: usize) -> Result<u16, DecodeError> {
        self.array(offset).map(u16::from_le_bytes)
    }

    /// Little-endian.
    pub fn le32(self, offset: usize) -> Result<u32, DecodeError> {
        self.array(offset).map(u32::from_le_bytes)
    }

    /// Little-endian.
    pub fn le64(self, offset: usize) -> Result<u64, DecodeError> {
        self.array(offset).map(u64::from_le_bytes)
    }

    /// Little-endian.
    pub fn le128(self, offset: usize) -> Result<u128, DecodeError> {
        self.array(offset).map(u128::from_le_bytes)
    }

    /// Big-endian, as SCSI writes.
    pub fn be16(self, offset: usize) -> Result<u16, DecodeError> {
        self.array(offset).map(u16::from_be_bytes)
    }

    /// Big-endian.
    pub fn be32(self, offset: usize) -> Result<u32, DecodeError> {
        self.array(offset).map(u32::from_be_bytes)
    }

    /// Big-endian.
    pub fn be64(self, offset: usize) -> Result<u64, DecodeError> {
        self.array(offset).map(u64::from_be_bytes)
    }

    /// Big-endian integer of any length up to 16 bytes: SCSI log parameters choose theirs freely.
    pub fn be_integer(self, offset: usize, length: usize) -> Result<u128, DecodeError> {
        if length > 16 {
            return Err(self.impossible(offset, length, "an integer of more than 16 bytes"));
        }
        Ok(self.slice(offset, length)?.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)))
    }

    /// ASCII text, trimmed; `None` where it is blank. Bytes that do not print become `?`.
    pub fn text(self, offset: usize, length: usize) -> Result<Option<String>, DecodeError> {
        Ok(clean_text(self.slice(offset, length)?))
    }

    /// A whole page of zeros or of FFh was never a device's answer.
    ///
    /// # Errors
    /// [`DecodeError::Impossible`].
    pub fn refuse_uniform(self) -> Result<(), DecodeError> {
        for filler in [0x00, 0xff] {
            if !self.bytes.is_empty() && self.bytes.iter().all(|byte| *byte == filler) {
                let what = format!("every byte is {filler:#04x}, so nothing was read");
                return Err(self.impossible(0, self.bytes.len(), what));
            }
        }
        Ok(())
    }

    /// Checks a byte that marks the page.
    ///
    /// # Errors
    /// [`DecodeError::OtherPage`].
    pub fn expect_mark(self, offset: usize, found: u8, expected: u8) -> Result<(), DecodeError> {
        if found == expected {
            return Ok(());
        }
        Err(DecodeError::OtherPage { page: self.name, offset, expected, found })
    }

    /// An error about a value in this page.
    pub fn impossible(self, offset: usize, length: usize, what: impl Into<String>) -> DecodeError {
        DecodeError::Impossible { page: self.name, offset, length, what: what.into() }
    }
}

/// Device text: padding trimmed, what does not print replaced; `None` where nothing is left.
pub fn clean_text(bytes: &[u8]) -> Option<String> {
    let text: String = bytes
        .iter()
        .map(|byte| match byte {
            0 => ' ',
            0x20..=0x7e => char::from(*byte),
            _ => '?',
        })
        .collect();
    let text = text.trim();
    let says_something = text.chars().any(|c| c != '?' && c != ' ');
    says_something.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Page, clean_text};

    #[test]
    fn a_read_beyond_the_end_names_page_offset_and_length() {
        let page = Page::new("VPD page B0h", &[1, 2, 3]);
        let message = page.be32(1).unwrap_err().to_string();
        assert!(message.contains("VPD page B0h") && message.contains("4 bytes at offset 1"), "{message}");
        assert!(page.slice(usize::MAX, 2).is_err());
        assert_eq!(page.be_integer(0, 3).unwrap(), 0x01_02_03);
    }

    #[test]
    fn a_page_of_a_fixed_length_may_be_padded_and_no_more() {
        assert!(Page::exactly("p", &[1, 2, 0, 0], 2).is_ok());
        assert!(Page::exactly("p", &[1], 2).is_err());
        let message = Page::exactly("p", &[1, 2, 0, 7, 0], 2).unwrap_err().to_string();
        assert!(message.contains("another page") && message.contains("offset 3"), "{message}");
    }

    #[test]
    fn padding_is_not_text() {
        assert_eq!(clean_text(b"  \0\0"), None);
        assert_eq!(clean_text(b"\xff\xff\xff"), None);
        assert_eq!(clean_text(b" QEMU NVMe \0"), Some("QEMU NVMe".to_owned()));
    }
}
