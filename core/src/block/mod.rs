//! The sealed block of the series store: many rows of one segment, column by column. docs/block-format.md draws it.
//!
//! A block is four byte strings: a small [`directory`] (what is in the block, where, and its summaries), a [`rollup`] of
//! its days and its [`last_row`], which may be empty, and a payload of one section per column. A reader takes the directory,
//! decides, and decodes only the sections that it wants.
//! Decoding never panics and never allocates by a length that was not checked; whatever is wrong is a [`Damage`].
//!
//! | Room | What it is for |
//! |---|---|
//! | [`column`] | the values of one column in memory, with their nulls |
//! | [`directory`] | the head of a block: columns, sections, checksums, summaries |
//! | [`codec`] | how one column becomes a section and back |
//! | [`summary`] | least, greatest, first and last value and sum of a column, without decoding it |
//! | [`rollup`] | the same of each day |
//! | [`last_row`] | the values of the last row, for an index |
//! | [`write`](mod@write) | rows to block |
//! | [`wire`] | numbers to bytes and back, every length checked |

pub mod codec;
pub mod column;
pub mod damage;
pub mod directory;
pub mod last_row;
mod nulls;
mod packed;
pub mod rollup;
pub mod summary;
pub mod wire;
pub mod write;

pub use column::{ByteStrings, Column, Kind, Values};
pub use damage::Damage;
pub use directory::{Directory, Entry};
pub use rollup::Rollup;
pub use write::{Block, write};

/// No block holds more rows.
pub const MAX_ROWS: usize = 32_768;
/// No section is longer: 1 GB is the most that PostgreSQL keeps in one value.
pub const MAX_SECTION_BYTES: usize = 1 << 29;
