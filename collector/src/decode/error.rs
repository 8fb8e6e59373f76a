//! Why bytes or text could not be decoded.

/// A capture that cannot be read. It names the page, where in it and what was found, so that a person can look there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The page ends before a field that it must have.
    #[error(
        "{page}: {length} bytes at offset {offset} lie beyond its end ({available} bytes): capture the whole page"
    )]
    TooShort {
        /// Which page.
        page: &'static str,
        /// Where the field starts, bytes.
        offset: usize,
        /// How long the field is, bytes.
        length: usize,
        /// How long the page is, bytes.
        available: usize,
    },
    /// The page says that it is another page.
    #[error("{page}: byte {offset} is {found:#04x}, not {expected:#04x}: this is another page or damaged")]
    OtherPage {
        /// Which page was asked for.
        page: &'static str,
        /// Where the mark stands, bytes.
        offset: usize,
        /// The mark that it should bear.
        expected: u8,
        /// The mark that it bears.
        found: u8,
    },
    /// A value that no device can mean.
    #[error("{page}: impossible value at offset {offset}, {length} bytes: {what}")]
    Impossible {
        /// Which page.
        page: &'static str,
        /// Where the value stands, bytes (lines or characters for text).
        offset: usize,
        /// How long it is.
        length: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Text that is not in the form that its tool writes.
    #[error("{page}: {what}{}", in_text(*offset, *length))]
    BadText {
        /// Which tool's output.
        page: &'static str,
        /// Where, in characters from the start or lines where `what` says so; 0 with a length of 0 where the decoder was
        /// given a document, which has no places.
        offset: usize,
        /// How long the input is.
        length: usize,
        /// What is wrong with it.
        what: String,
    },
}

fn in_text(offset: usize, length: usize) -> String {
    if length == 0 { String::new() } else { format!(" (at {offset}, {length} characters long)") }
}
