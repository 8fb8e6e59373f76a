//! Which sealed row has a key: asked of every row that enters a hypertable with a unique key.
//!
//! A writer holds its lock on the hypertable until its transaction ends, and sealing waits for that. So what one
//! transaction has seen of the blocks stays true while it runs, but for what it seals and unseals itself: the latest
//! sealed time is looked up once, and rows that are newer need no look at any block.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use pgrx::pg_sys;

use super::{
    block_index::dirty,
    block_row::BlockRow,
    keys::{Keys, UniqueIndex},
    open::{Head, OpenBlock},
};
use crate::{
    hypertable::{block_store, datum},
    server::{error::Result, memory, relation::Open},
};

/// A sealed row that has the key.
pub(super) struct Found {
    /// The unique index whose key it is.
    pub(super) index: pg_sys::Oid,
    /// Where its block is.
    pub(super) block: pg_sys::ItemPointerData,
}

/// What a transaction has seen of the blocks of one hypertable.
#[derive(Default)]
struct Seen {
    transaction: (u32, pg_sys::SubTransactionId, u64),
    /// The latest sealed time; nothing when no row is sealed.
    latest: Option<i64>,
    /// Times of blocks by their place.
    times: HashMap<(u32, u16), Rc<Vec<i64>>>,
    rows: usize,
}

/// Times of so many rows are kept at most: 16 MB.
const KEPT_ROWS: usize = 2 << 20;

thread_local! {
    // A backend has one thread; this is its memory.
    static SEEN: RefCell<HashMap<pg_sys::Oid, Seen>> = RefCell::default();
}

impl Keys {
    /// The sealed row that has a key of the row with these values, when there is one. `value` gives datum and null of
    /// a column by its position in the foreign table; `is_asked` tells which unique indexes to look at.
    ///
    /// # Safety
    /// The datums are of the columns' types.
    pub(super) unsafe fn find(
        &self,
        value: impl Fn(usize) -> (pg_sys::Datum, bool),
        is_asked: impl Fn(pg_sys::Oid) -> bool,
    ) -> Result<Option<Found>> {
        let layout = &self.index.layout;
        let (datum, is_null) = value(layout.time);
        if is_null {
            return Ok(None);
        }
        let time = datum::time_of(datum, layout.time_column().form);
        if self.latest().is_none_or(|latest| latest < time) {
            return Ok(None);
        }
        let segment = layout.segment.map(|position| value(position).0);
        // SAFETY: the caller's promise.
        if unsafe { self.known_times.has_none(&self.index, segment, time)? } {
            return Ok(None);
        }
        let asked: Vec<_> = self
            .unique
            .iter()
            // Nulls are distinct: a key with one is nobody else's.
            .filter(|unique| is_asked(unique.oid) && !unique.all.iter().any(|position| value(*position).1))
            .collect();
        if asked.is_empty() {
            return Ok(None);
        }
        loop {
            // SAFETY: the caller's promise.
            match unsafe { self.probe(&asked, segment, datum, time, &value)? } {
                Probed::Nothing => return Ok(None),
                Probed::Found(found) => return Ok(Some(found)),
                Probed::Wait(transaction) => {
                    // SAFETY: waits until the transaction that changes the block has ended; can be cancelled.
                    unsafe {
                        pg_sys::XactLockTableWait(
                            transaction,
                            std::ptr::null_mut(),
                            std::ptr::null_mut(),
                            pg_sys::XLTW_Oper::XLTW_None,
                        );
                    }
                    block_store::changed();
                }
            }
        }
    }

    /// The latest time of a sealed row.
    fn latest(&self) -> Option<i64> {
        // SAFETY: variables of this backend.
        let now =
            unsafe { ((*pg_sys::MyProc).lxid, pg_sys::GetCurrentSubTransactionId(), block_store::changes()) };
        let hypertable = self.index.layout.hypertable;
        let known = SEEN.with_borrow(|seen| {
            seen.get(&hypertable).filter(|seen| seen.transaction == now).map(|seen| seen.latest)
        });
        if let Some(latest) = known {
            return latest;
        }
        // SAFETY: tables and index are opened and closed here.
        let latest = unsafe { self.read_latest() };
        SEEN.with_borrow_mut(|seen| {
            seen.insert(hypertable, Seen { transaction: now, latest, ..Seen::default() });
        });
        latest
    }

    unsafe fn read_latest(&self) -> Option<i64> {
        // SAFETY: the caller's promise: everything is closed again.
        unsafe {
            let blocks = Open::with(self.index.layout.blocks, pg_sys::AccessShareLock);
            let index = pg_sys::index_open(self.index.by_time, pg_sys::AccessShareLock as i32);
            let slot = pg_sys::table_slot_create(blocks.as_ptr(), std::ptr::null_mut());
            let mut snapshot = dirty();
            let scan = pg_sys::index_beginscan(blocks.as_ptr(), index, &raw mut snapshot, 0, 0);
            pg_sys::index_rescan(scan, std::ptr::null_mut(), 0, std::ptr::null_mut(), 0);
            // The index by last time alone rises; the one by last time, falling, that stands in for it without a
            // segment column falls.
            let direction = if self.index.layout.segment.is_some() {
                pg_sys::ScanDirection::BackwardScanDirection
            } else {
                pg_sys::ScanDirection::ForwardScanDirection
            };
            let latest = pg_sys::index_getnext_slot(scan, direction, slot).then(|| {
                pg_sys::slot_getallattrs(slot);
                let row = BlockRow { slot, columns: self.index.layout.block_columns() };
                datum::time_of(row.value(row.columns.last_time), self.index.layout.time_column().form)
            });
            pg_sys::index_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::index_close(index, pg_sys::NoLock as i32);
            latest
        }
    }

    unsafe fn probe(
        &self,
        asked: &[&UniqueIndex],
        segment: Option<pg_sys::Datum>,
        datum: pg_sys::Datum,
        time: i64,
        value: &impl Fn(usize) -> (pg_sys::Datum, bool),
    ) -> Result<Probed> {
        // SAFETY: the caller's promise; tables and index are opened and closed here.
        unsafe {
            let layout = &self.index.layout;
            let columns = layout.block_columns();
            let blocks = Open::with(layout.blocks, pg_sys::AccessShareLock);
            let index = pg_sys::index_open(self.index.by_segment, pg_sys::AccessShareLock as i32);
            let slot = pg_sys::table_slot_create(blocks.as_ptr(), std::ptr::null_mut());
            let mut snapshot = dirty();
            let mut scan_keys = self.index.scan_keys(segment, Some(datum));
            let count = scan_keys.len() as i32;
            let scan = pg_sys::index_beginscan(blocks.as_ptr(), index, &raw mut snapshot, count, 0);
            pg_sys::index_rescan(scan, scan_keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
            let row = BlockRow { slot, columns };
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            let mut probed = Probed::Nothing;
            while pg_sys::index_getnext_slot(scan, forward, slot) {
                pgrx::check_for_interrupts!();
                pg_sys::slot_getallattrs(slot);
                let form = layout.time_column().form;
                if datum::time_of(row.value(columns.first_time), form) > time {
                    continue;
                }
                let writer = [snapshot.xmin, snapshot.xmax]
                    .into_iter()
                    .find(|transaction| *transaction != pg_sys::InvalidTransactionId);
                if let Some(found) = self.look_into(row, asked, time, value)? {
                    probed = match writer {
                        Some(writer) => Probed::Wait(writer),
                        None => Probed::Found(found),
                    };
                    break;
                }
            }
            pg_sys::index_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::index_close(index, pg_sys::NoLock as i32);
            Ok(probed)
        }
    }

    unsafe fn look_into(
        &self,
        row: BlockRow,
        asked: &[&UniqueIndex],
        time: i64,
        value: &impl Fn(usize) -> (pg_sys::Datum, bool),
    ) -> Result<Option<Found>> {
        let times = self.times(row)?;
        let from = times.partition_point(|t| *t < time);
        let to = times.partition_point(|t| *t <= time);
        if from == to {
            return Ok(None);
        }
        for unique in asked {
            // SAFETY: the caller's promise.
            let has =
                unique.others.is_empty() || unsafe { self.others_are_equal(row, unique, from..to, value)? };
            if has {
                return Ok(Some(Found { index: unique.oid, block: row.place() }));
            }
        }
        Ok(None)
    }

    /// The times of a block's rows.
    fn times(&self, row: BlockRow) -> Result<Rc<Vec<i64>>> {
        let at = row.place();
        let place = (u32::from(at.ip_blkid.bi_hi) << 16 | u32::from(at.ip_blkid.bi_lo), at.ip_posid);
        let hypertable = self.index.layout.hypertable;
        let known =
            SEEN.with_borrow(|seen| seen.get(&hypertable).and_then(|seen| seen.times.get(&place).cloned()));
        if let Some(times) = known {
            return Ok(times);
        }
        let head = Head::read(&self.index.layout, row)?;
        let block = OpenBlock::open(&self.index.layout, row, &head, &[], true)?;
        let times = Rc::new(block.times.clone());
        block.close();
        SEEN.with_borrow_mut(|seen| {
            let seen = seen.entry(hypertable).or_default();
            if seen.rows > KEPT_ROWS {
                seen.times.clear();
                seen.rows = 0;
            }
            seen.rows += times.len();
            seen.times.insert(place, Rc::clone(&times));
        });
        Ok(times)
    }

    unsafe fn others_are_equal(
        &self,
        row: BlockRow,
        unique: &UniqueIndex,
        rows: std::ops::Range<usize>,
        value: &impl Fn(usize) -> (pg_sys::Datum, bool),
    ) -> Result<bool> {
        // SAFETY: the caller's promise; memory of the comparison is given back at once.
        unsafe {
            let scratch = pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"headroom key".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            );
            let before = memory::enter(scratch);
            let wanted: Vec<usize> = unique.others.iter().map(|other| other.position).collect();
            let head = Head::read(&self.index.layout, row)?;
            let block = OpenBlock::open(&self.index.layout, row, &head, &wanted, false)?;
            let has = rows.into_iter().any(|number| {
                unique.others.iter().zip(&block.columns).all(|(other, column)| {
                    let is_null = column.nulls.as_ref().is_some_and(|nulls| nulls[number]);
                    let (datum, _) = value(other.position);
                    !is_null
                        && pg_sys::OidFunctionCall2Coll(
                            other.equal,
                            other.collation,
                            column.values[number],
                            datum,
                        )
                        .value() as u8
                            != 0
                })
            });
            block.close();
            memory::enter(before);
            pg_sys::MemoryContextDelete(scratch);
            Ok(has)
        }
    }
}

enum Probed {
    Nothing,
    Found(Found),
    /// Another transaction is changing the block that has the key.
    Wait(pg_sys::TransactionId),
}
