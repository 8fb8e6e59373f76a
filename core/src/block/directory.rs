//! The head of a block: what is in it, where, under which checksum, and what is known without decoding.

use std::ops::Range;

use super::{
    Column, Damage, Kind, MAX_ROWS, MAX_SECTION_BYTES,
    codec::{self, Codec},
    summary::Summary,
    wire::{Reader, put_varint},
};

/// The first bytes of every block.
pub const MAGIC: [u8; 4] = *b"HRB\xb1";
/// The version that this library writes; it reads this one.
pub const VERSION: u8 = 1;
/// No block has more columns: PostgreSQL's tables have at most 1,600, dropped ones included.
pub const MAX_COLUMNS: usize = 1_600;

/// One column of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The column's number: given once, never used again, kept through renaming.
    pub column: u32,
    /// Of what kind its values are.
    pub kind: Kind,
    /// How they are coded.
    pub codec: Codec,
    /// How many rows are null.
    pub null_count: u32,
    /// Where in the payload the section is.
    pub section: Range<usize>,
    /// Its checksum.
    pub checksum: u32,
    /// What is known without decoding.
    pub summary: Summary,
}

/// The head of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Rows in the block, in the order of their times.
    pub rows: u32,
    /// The time of the first row, in the unit of the time column.
    pub first_time: i64,
    /// The time of the last row.
    pub last_time: i64,
    /// Its columns, by rising number.
    pub entries: Vec<Entry>,
}

impl Directory {
    /// The column of this number, unless the block was written before the column was added.
    pub fn entry(&self, column: u32) -> Option<&Entry> {
        self.entries.binary_search_by_key(&column, |e| e.column).ok().map(|i| &self.entries[i])
    }

    /// The bytes of the payload.
    pub fn payload_len(&self) -> usize {
        self.entries.last().map_or(0, |e| e.section.end)
    }

    /// As bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + 32 * self.entries.len());
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        put_varint(&mut out, self.rows.into());
        out.extend_from_slice(&self.first_time.to_le_bytes());
        put_varint(&mut out, self.last_time.wrapping_sub(self.first_time) as u64);
        put_varint(&mut out, self.entries.len() as u64);
        for entry in &self.entries {
            put_varint(&mut out, entry.column.into());
            out.push((entry.kind as u8) << 4 | entry.codec as u8);
            put_varint(&mut out, entry.null_count.into());
            put_varint(&mut out, entry.section.len() as u64);
            out.extend_from_slice(&entry.checksum.to_le_bytes());
            entry.summary.write(&mut out);
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Reads what a writer wrote.
    ///
    /// # Errors
    /// Whenever the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Damage::NoBlock);
        }
        let Some((body, stored)) = bytes.split_last_chunk::<4>() else {
            return Err(Damage::Truncated { need: 4, have: bytes.len() });
        };
        let (stored, computed) = (u32::from_le_bytes(*stored), crc32c::crc32c(body));
        if stored != computed {
            return Err(Damage::Checksum { what: "the directory", stored, computed });
        }
        let mut reader = Reader::new(body);
        reader.take(MAGIC.len())?;
        let version = reader.u8()?;
        if version != VERSION {
            return Err(Damage::Unknown { what: "version", code: version.into() });
        }
        let rows = reader.count("a number of rows", MAX_ROWS)? as u32;
        let first_time = reader.i64()?;
        let last_time = first_time.wrapping_add(reader.varint()? as i64);
        if last_time < first_time || rows == 0 {
            return Err(Damage::Impossible { what: "a last time", value: last_time as u64 });
        }
        let count = reader.count("a number of columns", MAX_COLUMNS)?;
        let mut entries = Vec::with_capacity(count);
        let mut start = 0;
        for _ in 0..count {
            let entry = Self::parse_entry(&mut reader, rows, start)?;
            if entries.last().is_some_and(|before: &Entry| before.column >= entry.column) {
                return Err(Damage::Impossible { what: "a column's number", value: entry.column.into() });
            }
            start = entry.section.end;
            entries.push(entry);
        }
        if !reader.rest().is_empty() {
            return Err(Damage::Impossible { what: "a directory's length", value: bytes.len() as u64 });
        }
        Ok(Self { rows, first_time, last_time, entries })
    }

    fn parse_entry(reader: &mut Reader<'_>, rows: u32, start: usize) -> Result<Entry, Damage> {
        let column = reader.count("a column's number", u32::MAX as usize)? as u32;
        let coding = reader.u8()?;
        let unknown = |what| Damage::Unknown { what, code: coding.into() };
        let kind = Kind::of(coding >> 4).ok_or_else(|| unknown("kind"))?;
        let codec = Codec::of(coding & 0xf).ok_or_else(|| unknown("codec"))?;
        let null_count = reader.count("a number of nulls", rows as usize)? as u32;
        let length = reader.count("a section's length", MAX_SECTION_BYTES)?;
        let checksum = reader.u32()?;
        let summary = Summary::read(reader)?;
        Ok(Entry { column, kind, codec, null_count, section: start..start + length, checksum, summary })
    }

    /// Decodes the section of this entry.
    ///
    /// # Errors
    /// When the bytes are not those that were written.
    pub fn decode(&self, entry: &Entry, section: &[u8]) -> Result<Column, Damage> {
        if section.len() != entry.section.len() {
            return Err(Damage::Truncated { need: entry.section.len(), have: section.len() });
        }
        let computed = crc32c::crc32c(section);
        if computed != entry.checksum {
            return Err(Damage::Checksum { what: "a section", stored: entry.checksum, computed });
        }
        codec::read(section, entry.kind, entry.codec, self.rows as usize, entry.null_count as usize)
    }
}
