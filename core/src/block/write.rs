//! Rows to block.

use super::{
    Column, MAX_ROWS,
    codec::{self, Effort},
    directory::{Directory, Entry, MAX_COLUMNS},
    summary::Summary,
};

/// A block as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The bytes of its [`Directory`].
    pub directory: Vec<u8>,
    /// The bytes of its [`rollup`](super::rollup); empty without one, as [`write`] leaves it.
    pub rollup: Vec<u8>,
    /// The bytes of its [`last_row`](super::last_row); empty without one, as [`write`] leaves it.
    pub last_row: Vec<u8>,
    /// The sections, one after the other.
    pub payload: Vec<u8>,
}

/// Codes columns of equally many rows, which are in the order of `first_time` to `last_time`.
///
/// # Panics
/// When the columns differ in length, have no or more than [`MAX_ROWS`] rows, are more than [`MAX_COLUMNS`] or their
/// numbers do not rise: faults of the caller, which must not become a block.
pub fn write(first_time: i64, last_time: i64, columns: &[(u32, &Column)], effort: Effort) -> Block {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    assert!((1..=MAX_ROWS).contains(&rows), "{rows} rows make no block");
    assert!(first_time <= last_time, "time runs backwards: {first_time} to {last_time}");
    assert!(columns.len() <= MAX_COLUMNS, "{} columns are too many", columns.len());
    assert!(columns.is_sorted_by(|a, b| a.0 < b.0), "the columns' numbers do not rise");
    let mut payload = Vec::new();
    let mut entries = Vec::with_capacity(columns.len());
    for (number, column) in columns {
        assert_eq!(column.len(), rows, "column {number} has other rows than the first");
        let start = payload.len();
        let codec = codec::write(&mut payload, column, effort);
        let null_count = column.nulls.as_ref().map_or(0, |nulls| nulls.iter().filter(|n| **n).count());
        entries.push(Entry {
            column: *number,
            kind: column.values.kind(),
            codec,
            null_count: null_count as u32,
            checksum: crc32c::crc32c(&payload[start..]),
            section: start..payload.len(),
            summary: Summary::of(column),
        });
    }
    let directory = Directory { rows: rows as u32, first_time, last_time, entries }.to_bytes();
    Block { directory, rollup: Vec::new(), last_row: Vec::new(), payload }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
