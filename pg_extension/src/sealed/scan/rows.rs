//! The next row: of one block after the other, or of blocks that overlap in time and are open together.

use super::Scan;
use crate::{
    hypertable::{datum, layout::Form},
    sealed::{
        carried::Order,
        open::{Head, OpenBlock},
    },
    server::error::Result,
};

/// A block and where a scan stands in it.
pub(super) struct Cursor {
    pub(super) block: OpenBlock,
    /// The next row.
    next: usize,
    /// How many rows are left.
    left: usize,
}

impl Scan {
    pub(super) fn close_cursors(&mut self) {
        for cursor in self.cursors.drain(..) {
            cursor.block.close();
        }
    }

    /// Opens the block on which the source stands, unless none of its rows can pass.
    fn open(&mut self) -> Result<Option<Cursor>> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let row = source.row()?;
        let head = Head::read(&self.layout, row)?;
        if !head.may_hold(&self.layout, &self.keys) {
            self.counters.skipped += 1;
            return Ok(None);
        }
        let is_cut = self.from > head.directory.first_time || self.to < head.directory.last_time;
        let with_times = self.carried.order != Order::Any || (self.needs_times && is_cut);
        let block = OpenBlock::open(&self.layout, row, &head, &self.carried.needed, with_times)?;
        self.counters.read += 1;
        let (from, to) = if is_cut {
            (
                block.times.partition_point(|time| *time < self.from),
                block.times.partition_point(|time| *time <= self.to),
            )
        } else {
            (0, block.rows)
        };
        let (from, to) = match (std::mem::take(&mut self.has_given_end), self.carried.order) {
            (false, _) => (from, to),
            (true, Order::Falling) => (from, to - 1),
            (true, _) => (from + 1, to),
        };
        if from >= to {
            block.close();
            return Ok(None);
        }
        let next = if self.carried.order == Order::Falling { to - 1 } else { from };
        Ok(Some(Cursor { block, next, left: to - from }))
    }

    /// The next row in no order: the cursor's number and the row.
    pub(super) fn next_any(&mut self) -> Result<Option<(usize, usize)>> {
        loop {
            if let Some(cursor) = self.cursors.first_mut() {
                if cursor.left > 0 {
                    let row = cursor.next;
                    cursor.next += 1;
                    cursor.left -= 1;
                    return Ok(Some((0, row)));
                }
                self.close_cursors();
            }
            if !self.source.as_ref().is_some_and(|source| source.has_block) {
                return Ok(None);
            }
            let opened = self.open()?;
            self.cursors.extend(opened);
            if let Some(source) = &mut self.source {
                source.advance();
            }
        }
    }

    /// The next row in order. Blocks that overlap in time are open together.
    pub(super) fn next_ordered(&mut self, order: Order) -> Result<Option<(usize, usize)>> {
        loop {
            while let Some(done) = self.cursors.iter().position(|cursor| cursor.left == 0) {
                self.cursors.swap_remove(done).block.close();
            }
            let time = |cursor: &Cursor| cursor.block.times[cursor.next];
            let open = 0..self.cursors.len();
            let best = if order == Order::Falling {
                open.max_by_key(|i| time(&self.cursors[*i]))
            } else {
                open.min_by_key(|i| time(&self.cursors[*i]))
            };
            let must_open = match best {
                None => self.source.as_ref().is_some_and(|source| source.has_block),
                Some(best) => self.comes_before(order, time(&self.cursors[best])),
            };
            if must_open {
                if let (true, Some(source)) = (self.cursors.is_empty(), &self.source) {
                    let segment = source.columns.segment.map(|column| source.value(column));
                    self.remember_segment(segment)?;
                }
                let opened = self.open()?;
                self.cursors.extend(opened);
                if let Some(source) = &mut self.source {
                    source.advance();
                }
                continue;
            }
            let Some(best) = best else { return Ok(None) };
            let cursor = &mut self.cursors[best];
            let row = cursor.next;
            cursor.left -= 1;
            if cursor.left > 0 {
                cursor.next = if order == Order::Falling { row - 1 } else { row + 1 };
            }
            return Ok(Some((best, row)));
        }
    }

    /// Whether the block on which the source stands may have a row before this time, in the same segment.
    fn comes_before(&mut self, order: Order, time: i64) -> bool {
        let Some(source) = &self.source else { return false };
        if !source.has_block {
            return false;
        }
        let form: Form = self.layout.time_column().form;
        let columns = source.columns;
        let is_near = if order == Order::Falling {
            datum::time_of(source.value(columns.last_time), form) >= time
        } else {
            datum::time_of(source.value(columns.first_time), form) <= time
        };
        is_near && self.is_same_segment()
    }
}
