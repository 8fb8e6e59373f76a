//! SCSI LOG SENSE (4Dh): the frame that all log pages share, and its parameters.
//!
//! Offsets: SPC, log page format: page code 0 (bits 0..6), subpage 1 (if bit 6 of byte 0), length 2..4, then
//! parameters of code (2 bytes), control (1), length (1) and value. Big-endian. What the parameters of the pages
//! mean is in `scsi_log_pages`.

use super::{DecodeError, Page};

const PAGE: &str = "SCSI log page";

/// A log page with its parameters, still without meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage<'a> {
    /// Page code, 0 to 3Fh.
    pub code: u8,
    /// Subpage code; 0 where there is none.
    pub subpage: u8,
    /// Its parameters in the order of the page: code and value.
    pub parameters: Vec<Parameter<'a>>,
    /// What follows the header, for pages that are plain lists.
    pub body: &'a [u8],
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its code.
    pub code: u16,
    /// Where its value starts in the page, bytes.
    pub offset: usize,
    /// Its value: the bytes from 4 on as the standards count them.
    pub value: &'a [u8],
}

impl Parameter<'_> {
    /// The byte that the standards number `offset`, counted from the start of the parameter's header.
    pub fn u8(&self, offset: usize) -> Option<u8> {
        self.value.get(offset.checked_sub(4)?).copied()
    }

    /// A big-endian integer of `length` bytes (16 at most) at the standards' `offset`.
    pub fn integer(&self, offset: usize, length: usize) -> Option<u128> {
        let start = offset.checked_sub(4)?;
        let bytes = self.value.get(start..start.checked_add(length)?)?;
        (length <= 16).then(|| bytes.iter().fold(0, |value, byte| value << 8 | u128::from(*byte)))
    }

    /// The whole value as one integer: error counters choose their own length.
    pub fn whole(&self) -> Option<u128> {
        self.integer(4, self.value.len())
    }
}

/// Reads the frame. Lists of supported pages (00h) have no parameters: their body is given alone.
///
/// # Errors
/// [`DecodeError`] where the page is shorter than it says or a parameter runs over its end.
pub fn frame(bytes: &[u8]) -> Result<LogPage<'_>, DecodeError> {
    let header = Page::of_length(PAGE, bytes, 4)?;
    let first = header.u8(0)?;
    let has_subpage = first & 0x40 != 0;
    let code = first & 0x3f;
    let length = usize::from(header.be16(2)?);
    let body = header.slice(4, length)?;
    let subpage = if has_subpage { header.u8(1)? } else { 0 };
    let mut parameters = Vec::new();
    if code != 0 && subpage != 0xff {
        let page = Page::new(PAGE, header.slice(0, 4 + length)?);
        let mut offset = 4;
        while offset < 4 + length {
            let (parameter, size) = (page.be16(offset)?, usize::from(page.u8(offset + 3)?));
            let value = page.slice(offset + 4, size)?;
            parameters.push(Parameter { code: parameter, offset: offset + 4, value });
            offset += 4 + size;
        }
    }
    Ok(LogPage { code, subpage, parameters, body })
}

impl<'a> LogPage<'a> {
    /// The parameter with this code.
    pub fn parameter(&self, code: u16) -> Option<Parameter<'a>> {
        self.parameters.iter().find(|parameter| parameter.code == code).copied()
    }

    /// Refuses a page that is not the one asked for.
    ///
    /// # Errors
    /// [`DecodeError::OtherPage`].
    pub fn expect(self, name: &'static str, code: u8, subpage: u8) -> Result<Self, DecodeError> {
        let other = |offset, expected, found| DecodeError::OtherPage { page: name, offset, expected, found };
        if self.code != code {
            return Err(other(0, code, self.code));
        }
        if self.subpage != subpage {
            return Err(other(1, subpage, self.subpage));
        }
        Ok(self)
    }
}

/// The pages that the device has: (code, subpage).
///
/// # Errors
/// [`DecodeError`] where it is not page 00h or shorter than it says.
pub fn supported_pages(bytes: &[u8]) -> Result<Vec<(u8, u8)>, DecodeError> {
    let page = frame(bytes)?;
    if page.code != 0 {
        return Err(DecodeError::OtherPage {
            page: "SCSI log page 00h (supported pages)",
            offset: 0,
            expected: 0,
            found: page.code,
        });
    }
    if page.subpage == 0xff {
        return Ok(page.body.as_chunks::<2>().0.iter().map(|pair| (pair[0] & 0x3f, pair[1])).collect());
    }
    Ok(page.body.iter().map(|code| (code & 0x3f, 0)).collect())
}

#[cfg(test)]
mod tests {
    use super::{frame, supported_pages};

    #[test]
    fn a_parameter_may_not_run_over_the_end() {
        assert!(frame(&[0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 31]).is_ok());
        assert!(frame(&[0x0d, 0, 0, 6, 0, 0, 3, 3, 0, 31]).is_err());
        assert!(frame(&[0x0d, 0, 0, 7, 0, 0, 3, 2, 0, 31]).is_err());
        assert!(frame(&[0x0d]).is_err());
    }

    #[test]
    fn both_forms_of_the_list_are_read() {
        assert_eq!(supported_pages(&[0, 0, 0, 2, 0x0c, 0x0d]).unwrap(), [(0x0c, 0), (0x0d, 0)]);
        assert_eq!(supported_pages(&[0x40, 0xff, 0, 4, 0, 0, 0x0e, 1]).unwrap(), [(0, 0), (0x0e, 1)]);
        assert!(supported_pages(&[0x0d, 0, 0, 0]).is_err());
    }

    #[test]
    fn integers_of_any_length_are_bounded() {
        let page =
            [0x02, 0, 0, 22, 0, 5, 3, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
        let frame = frame(&page).unwrap();
        let parameter = frame.parameter(5).unwrap();
        assert_eq!(parameter.whole(), None, "more than 16 bytes are no integer");
        assert_eq!(parameter.integer(4, 2), Some(0x0102));
        assert_eq!(parameter.integer(3, 2), None);
    }
}
