//! Rows of many segments, in any order, become blocks: each segment's rows by time, in even blocks.

use std::{borrow::Cow, collections::HashMap};

use headroom_core::block::{self, Block, Column, Values, codec::Effort, last_row, rollup};
use pgrx::pg_sys;

use super::{
    datum::{self, Collector},
    gather::{Attribute, tape_bytes},
    layout::Layout,
    row_store,
    tape::Version,
};
use crate::server::{
    error::{Error, Kind, Result},
    relation::Open,
};

/// Rows of a block, at most.
const MOST_ROWS: usize = 3_000;
/// A block is closed when its strings take so much memory, however few they are.
const MOST_BYTES: usize = 4 << 20;

/// A block that is not written yet.
pub(super) struct Packed {
    /// One value, that of the segment column; nothing without one.
    pub(super) segment: Option<Column>,
    pub(super) first_time: i64,
    pub(super) last_time: i64,
    pub(super) block: Block,
    /// The rows that are in it.
    pub(super) versions: Vec<Version>,
}

/// The rows of one segment so far.
struct Segment {
    value: Option<Column>,
    /// One a column of blocks, in the order of [`Packer::sources`].
    collectors: Vec<Collector>,
    versions: Vec<Version>,
}

/// Takes rows and makes blocks.
pub(super) struct Packer<'a> {
    layout: &'a Layout,
    /// Where each column of blocks is in the row, and its position in the layout; by rising number.
    sources: Vec<(usize, usize)>,
    segment: Option<Attribute>,
    /// Whether blocks get a rollup.
    has_days: bool,
    segments: Vec<Segment>,
    known: HashMap<Vec<u8>, usize>,
    key: Vec<u8>,
    /// Rows in memory, in bytes as the row store has them.
    bytes: usize,
    /// With more, blocks are made of the segments that have enough.
    most_bytes: usize,
}

impl<'a> Packer<'a> {
    /// A packer for rows of this table.
    pub(super) fn new(layout: &'a Layout, table: &Open) -> Result<Self> {
        let positions = row_store::positions(layout, table)?;
        let lost = || Error::new(Kind::Internal, "a column of sealed rows is not in the row store");
        let mut sources = Vec::new();
        for (position, column) in layout.columns.iter().enumerate() {
            if let Some(number) = column.as_ref().and_then(|column| column.number()) {
                sources.push((number, positions[position].ok_or_else(lost)?, position));
            }
        }
        sources.sort_unstable();
        let segment = match (layout.segment, layout.segment_column()) {
            (Some(position), Some(_)) => Some(Attribute::at(table, positions[position].ok_or_else(lost)?)),
            _ => None,
        };
        let sources = sources.into_iter().map(|(_, index, position)| (index, position)).collect();
        let (segments, known) = (Vec::new(), HashMap::new());
        let has_days = layout.has_days();
        // Segments do not fall evenly onto the files.
        let most_bytes = 2 * tape_bytes();
        Ok(Self {
            layout,
            sources,
            segment,
            has_days,
            segments,
            known,
            key: Vec::new(),
            bytes: 0,
            most_bytes,
        })
    }

    /// Takes a row of `bytes` bytes; gives blocks to `done` when memory is full.
    ///
    /// # Safety
    /// The arrays are those of a row of the table.
    pub(super) unsafe fn take(
        &mut self,
        version: Version,
        values: &[pg_sys::Datum],
        nulls: &[bool],
        bytes: usize,
        done: &mut impl FnMut(Packed) -> Result<()>,
    ) -> Result<()> {
        self.key.clear();
        if let Some(segment) = self.segment {
            // SAFETY: the caller's promise; no segment is null.
            unsafe { segment.key(values[segment.index], &mut self.key) };
        }
        let number = match self.known.get(&self.key) {
            Some(number) => *number,
            None => {
                let value = self.segment.zip(self.layout.segment_column()).map(|(segment, column)| {
                    let mut one = Collector::new(column);
                    // SAFETY: as above.
                    unsafe { one.push(values[segment.index], false) };
                    one.take()
                });
                let collectors = self.sources.iter().filter_map(|(_, p)| self.layout.column(*p));
                let collectors = collectors.map(Collector::new).collect();
                self.segments.push(Segment { value, collectors, versions: Vec::new() });
                self.known.insert(self.key.clone(), self.segments.len() - 1);
                self.segments.len() - 1
            }
        };
        let segment = &mut self.segments[number];
        for ((index, _), collector) in self.sources.iter().zip(&mut segment.collectors) {
            // SAFETY: the caller's promise.
            unsafe { collector.push(values[*index], nulls[*index]) };
        }
        segment.versions.push(version);
        self.bytes += bytes;
        if self.bytes > self.most_bytes {
            self.make_room(done)?;
        }
        Ok(())
    }

    /// Makes blocks of the segments that fill one, or of all when none does.
    fn make_room(&mut self, done: &mut impl FnMut(Packed) -> Result<()>) -> Result<()> {
        let fills = |segment: &Segment| {
            segment.versions.len() >= MOST_ROWS
                || segment.collectors.iter().map(Collector::memory).sum::<usize>() >= MOST_BYTES
        };
        let has_full = self.segments.iter().any(fills);
        let mut left = 0;
        for number in 0..self.segments.len() {
            if !has_full || fills(&self.segments[number]) {
                self.close(number, done)?;
            } else {
                left += self.segments[number].versions.len();
            }
        }
        // What is left takes about as much a row as all did; without a full segment nothing is left.
        self.bytes = left * (self.layout.columns.len() * 8 + 32);
        if self.bytes > self.most_bytes / 2 {
            for number in 0..self.segments.len() {
                self.close(number, done)?;
            }
            self.bytes = 0;
        }
        Ok(())
    }

    /// Makes blocks of all rows that are left.
    pub(super) fn finish(mut self, done: &mut impl FnMut(Packed) -> Result<()>) -> Result<()> {
        for number in 0..self.segments.len() {
            self.close(number, done)?;
        }
        Ok(())
    }

    /// Makes blocks of the rows of a segment.
    fn close(&mut self, number: usize, done: &mut impl FnMut(Packed) -> Result<()>) -> Result<()> {
        let segment = &mut self.segments[number];
        let rows = segment.versions.len();
        if rows == 0 {
            return Ok(());
        }
        let columns: Vec<Column> = segment.collectors.iter_mut().map(Collector::take).collect();
        let versions = std::mem::take(&mut segment.versions);
        let value = segment.value.clone();
        let time_source = self.sources.iter().position(|(_, position)| *position == self.layout.time);
        let times = time_source.and_then(|source| times_of(&columns[source]));
        let times = times.ok_or_else(|| Error::new(Kind::Internal, "rows that are sealed have no times"))?;
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let is_sorted = times.is_sorted();
        if !is_sorted {
            order.sort_by_key(|row| times[*row as usize]);
        }
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            pgrx::check_for_interrupts!();
            let even = rest.len().div_ceil(rest.len().div_ceil(MOST_ROWS));
            let (taken, left) = rest.split_at(within_bytes(&columns, &rest[..even]));
            rest = left;
            let of_block: Vec<Cow<'_, Column>> = if is_sorted && taken.len() == rows {
                columns.iter().map(Cow::Borrowed).collect()
            } else {
                columns.iter().map(|column| Cow::Owned(column.in_order(taken))).collect()
            };
            let numbered: Vec<(u32, &Column)> = self
                .sources
                .iter()
                .zip(&of_block)
                .filter_map(|((_, position), column)| {
                    Some((self.layout.column(*position)?.number()?, column.as_ref()))
                })
                .collect();
            let taken_times: Vec<i64> = taken.iter().map(|row| times[*row as usize]).collect();
            let (first_time, last_time) = (taken_times[0], taken_times[taken_times.len() - 1]);
            let mut block = block::write(first_time, last_time, &numbered, Effort::default());
            let mut others = numbered;
            others.retain(|(number, _)| Some(*number) != self.layout.time_column().number());
            block.last_row = last_row::write(last_time, &others);
            if self.has_days {
                block.rollup = rollup::write(&block.directory, &taken_times, &others);
            }
            done(Packed {
                segment: value.clone(),
                first_time,
                last_time,
                block,
                versions: taken.iter().map(|row| versions[*row as usize]).collect(),
            })?;
        }
        Ok(())
    }
}

/// How many of these rows one block takes, by the bytes of their strings; at least one.
fn within_bytes(columns: &[Column], rows: &[u32]) -> usize {
    let strings: Vec<_> = columns
        .iter()
        .filter_map(|column| match &column.values {
            Values::Bytes(strings) => Some(strings),
            _ => None,
        })
        .collect();
    let mut bytes = 0;
    for (taken, row) in rows.iter().enumerate() {
        bytes += strings.iter().map(|strings| strings.get(*row as usize).len()).sum::<usize>();
        if bytes > MOST_BYTES {
            return taken.max(1);
        }
    }
    rows.len()
}

/// The times of a time column.
fn times_of(column: &Column) -> Option<Vec<i64>> {
    Some(match &column.values {
        Values::I16(v) => v.iter().map(|t| i64::from(*t)).collect(),
        Values::I32(v) => v.iter().map(|t| i64::from(*t)).collect(),
        Values::I64(v) => v.clone(),
        _ => return None,
    })
}

/// The segment's value as the server has it; the value lives in what is given back.
pub(super) fn segment_datum(layout: &Layout, packed: &Packed) -> Result<Option<datum::Datums>> {
    match (&packed.segment, layout.segment_column()) {
        (Some(column), Some(segment)) => Ok(Some(datum::Datums::of(column.clone(), segment)?)),
        (None, None) => Ok(None),
        _ => Err(Error::new(Kind::Internal, "a block and its table disagree about the segment")),
    }
}
