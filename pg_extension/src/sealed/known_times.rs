//! Times of sealed rows that a session has seen, kept over transactions, so that most late rows need no look at any block.
//!
//! They tell that a time is free, never that it is taken. That stays true until new blocks come: a sealing tells every
//! session to forget what it knows of the hypertable ([`keys`](super::keys) are then read anew, and with them these
//! times), and a writer has heard of it once it has its lock. Blocks that go leave a time here that is free by now: the
//! blocks themselves are asked then.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use headroom_core::block::codec::Codec;
use pgrx::pg_sys;

use super::{
    block_index::{BlockIndex, dirty},
    block_row::{BlockRow, fetch},
    open::{Head, OpenBlock},
};
use crate::{
    hypertable::{block_store, datum},
    server::{error::Result, relation::Open},
};

/// Times are forgotten when there are more: 16 MB.
const KEPT_TIMES: usize = 2 << 20;
/// What a block takes beside its times, in times.
const BLOCK_WEIGHT: usize = 16;

/// Times by the segment's datum, which is passed by value.
#[derive(Default)]
pub(super) struct KnownTimes {
    segments: RefCell<HashMap<usize, Vec<Block>, BuildHasherDefault<Mixed>>>,
    weight: Cell<usize>,
    /// The segment and time that were free last: a row that is inserted with `ON CONFLICT` asks twice.
    last_free: Cell<Option<(usize, i64)>>,
}

/// Mixes the bits of one number: it is a segment of the caller's own table, so nobody chooses it to collide.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        // Knuth's multiplicative method with 2⁶⁴ over the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

struct Block {
    first: i64,
    last: i64,
    rows: u32,
    place: pg_sys::ItemPointerData,
    times: Times,
}

impl Block {
    /// Whether its rows begin and end around this time.
    fn has_around(&self, time: i64) -> bool {
        self.first <= time && time <= self.last
    }
}

/// Whether no row of these blocks has this time; nothing while times are not read that may be it.
fn is_free(blocks: &[Block], time: i64) -> Option<bool> {
    let mut is_free = true;
    for block in blocks.iter().filter(|block| block.has_around(time)) {
        is_free &= match &block.times {
            Times::Every(step) => (time - block.first) % step != 0,
            Times::List(times) => times.binary_search(&time).is_err(),
            Times::Gone => false,
            Times::Unread => return None,
        };
    }
    Some(is_free)
}

enum Times {
    Unread,
    /// All at this distance.
    Every(i64),
    List(Vec<i64>),
    /// The block is no longer where it was.
    Gone,
}

impl KnownTimes {
    /// Whether certainly no sealed row of the segment has this time.
    ///
    /// # Safety
    /// The datum is one of the segment's type; without a segment there is none.
    pub(super) unsafe fn has_none(
        &self,
        index: &BlockIndex,
        segment: Option<pg_sys::Datum>,
        time: i64,
    ) -> Result<bool> {
        // What this transaction has itself done to blocks can be undone.
        if block_store::has_changed_in_this_transaction() {
            return Ok(false);
        }
        let is_by_value = index.layout.segment_column().is_none_or(|column| column.form.is_by_value());
        if !is_by_value {
            return Ok(false);
        }
        let bits = segment.map_or(0, |datum| datum.value());
        if self.last_free.get() == Some((bits, time)) {
            return Ok(true);
        }
        let known = self.segments.borrow().get(&bits).and_then(|blocks| is_free(blocks, time));
        let is_free = match known {
            Some(is_free) => is_free,
            // SAFETY: the caller's promise.
            None => unsafe { self.look(index, segment, bits, time)? },
        };
        if is_free {
            self.last_free.set(Some((bits, time)));
        }
        Ok(is_free)
    }

    /// As [`Self::has_none`], reading what is not known yet.
    unsafe fn look(
        &self,
        index: &BlockIndex,
        segment: Option<pg_sys::Datum>,
        bits: usize,
        time: i64,
    ) -> Result<bool> {
        // Taken out while the server is asked.
        let mut blocks = match self.segments.borrow_mut().remove(&bits) {
            Some(blocks) => blocks,
            // SAFETY: the caller's promise.
            None => unsafe { self.read(index, segment) },
        };
        for block in blocks.iter_mut().filter(|block| block.has_around(time)) {
            if matches!(block.times, Times::Unread) {
                // SAFETY: the block was seen there.
                unsafe { self.read_times(index, block)? };
            }
        }
        let is_free = is_free(&blocks, time).unwrap_or(false);
        let mut segments = self.segments.borrow_mut();
        if self.weight.get() > KEPT_TIMES {
            segments.clear();
            self.weight.set(0);
        } else {
            segments.insert(bits, blocks);
        }
        Ok(is_free)
    }

    /// The blocks of a segment, without their times.
    unsafe fn read(&self, index: &BlockIndex, segment: Option<pg_sys::Datum>) -> Vec<Block> {
        // SAFETY: the caller's promise; tables and index are opened and closed here.
        unsafe {
            let layout = &index.layout;
            let form = layout.time_column().form;
            let table = Open::with(layout.blocks, pg_sys::AccessShareLock);
            let by_segment = pg_sys::index_open(index.by_segment, pg_sys::AccessShareLock as i32);
            let slot = pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut());
            let mut snapshot = dirty();
            let mut scan_keys = index.scan_keys(segment, None);
            let count = scan_keys.len() as i32;
            let scan = pg_sys::index_beginscan(table.as_ptr(), by_segment, &raw mut snapshot, count, 0);
            pg_sys::index_rescan(scan, scan_keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
            let row = BlockRow { slot, columns: layout.block_columns() };
            let mut blocks = Vec::new();
            while pg_sys::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
                pgrx::check_for_interrupts!();
                pg_sys::slot_getallattrs(slot);
                blocks.push(Block {
                    first: datum::time_of(row.value(row.columns.first_time), form),
                    last: datum::time_of(row.value(row.columns.last_time), form),
                    rows: row.value(row.columns.row_count).value() as u32,
                    place: row.place(),
                    times: Times::Unread,
                });
            }
            pg_sys::index_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::index_close(by_segment, pg_sys::NoLock as i32);
            self.weight.set(self.weight.get() + BLOCK_WEIGHT * (1 + blocks.len()));
            blocks
        }
    }

    /// Reads the times of a block.
    unsafe fn read_times(&self, index: &BlockIndex, block: &mut Block) -> Result<()> {
        // SAFETY: the slot is one of the table's, dropped below.
        unsafe {
            let layout = &index.layout;
            let table = Open::with(layout.blocks, pg_sys::AccessShareLock);
            let slot = pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut());
            block.times = Times::Gone;
            if fetch(&table, block.place, slot) {
                let row = BlockRow { slot, columns: layout.block_columns() };
                let head = Head::read(layout, row)?;
                let directory = &head.directory;
                let is_same = (directory.first_time, directory.last_time, directory.rows)
                    == (block.first, block.last, block.rows);
                let entry = layout.time_column().number().and_then(|number| directory.entry(number));
                if !is_same {
                    // Another block has its place.
                } else if let Some(span) = block.last.checked_sub(block.first).filter(|span| *span > 0)
                    && block.rows > 1
                    && entry.is_some_and(|entry| entry.codec == Codec::Sequence)
                {
                    block.times = Times::Every(span / i64::from(block.rows - 1));
                } else {
                    let open = OpenBlock::open(layout, row, &head, &[], true)?;
                    self.weight.set(self.weight.get() + open.times.len());
                    block.times = Times::List(open.times.clone());
                    open.close();
                }
            }
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            Ok(())
        }
    }
}
