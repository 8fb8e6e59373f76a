//! What writing a row that was imported did.

/// What came of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was not there before.
    Added,
    /// It was there and has changed.
    Changed,
    /// It was there just so.
    Unchanged,
}
