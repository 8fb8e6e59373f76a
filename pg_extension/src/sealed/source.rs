//! Which blocks a scan reads, in which order: an index scan where an index helps, else all of them.
//!
//! Blocks are seen under the query's own snapshot, so a scan sees a block exactly when it does not see its rows unsealed.

use std::ptr;

use pgrx::pg_sys;

use super::{block_row::BlockRow, carried::Order, conditions::Comparison, tip::Tips};
use crate::{
    hypertable::layout::{BlockColumns, Layout},
    server::{
        error::{Error, Kind, Result},
        memory, relation,
    },
};

/// A condition on a column of the table of blocks.
#[derive(Clone, Copy)]
pub(super) struct BlockKey {
    pub(super) column: i16,
    pub(super) comparison: Comparison,
    pub(super) function: pg_sys::Oid,
    pub(super) type_oid: pg_sys::Oid,
    pub(super) collation: pg_sys::Oid,
    pub(super) value: pg_sys::Datum,
    /// Whether the value is an array of which one element must be equal. An index looks for each of them; a scan
    /// without an index leaves the condition to whoever reads the rows.
    pub(super) is_array: bool,
}

/// An index of a table of blocks and the columns it is over.
pub(super) struct Index {
    pub(super) oid: pg_sys::Oid,
    pub(super) columns: Vec<i16>,
}

/// Without its indexes a table of blocks cannot be read in order.
pub(super) fn missing_index(blocks: pg_sys::Oid) -> Error {
    let name = relation::name(blocks);
    Error::new(Kind::NotReady, format!("an index of {name} is missing"))
        .detail("The order of blocks comes from it.")
        .hint(format!(
            "Make it as a dump has it in its section post-data: CREATE INDEX ON {name} (the segment columns, \
             last_time DESC, first_time) INCLUDE (last_row), and another on (the segment columns, first_time)."
        ))
}

/// A running scan over blocks. Ended by [`Source::end`]; after an error the server releases what it holds.
pub(super) struct Source {
    blocks: pg_sys::Relation,
    index: pg_sys::Relation,
    index_columns: Vec<i16>,
    table_scan: pg_sys::TableScanDesc,
    index_scan: pg_sys::IndexScanDesc,
    pub(super) slot: *mut pg_sys::TupleTableSlot,
    pub(super) columns: BlockColumns,
    /// Conditions that the index does not check.
    rest: Vec<(BlockKey, pg_sys::FmgrInfo)>,
    /// Where the scan began: what it allocates on its way must live as long as it does, not as long as a row.
    context: pg_sys::MemoryContext,
    /// Whether the slot stands on a block.
    pub(super) has_block: bool,
    /// What entries of the index tell; nothing when the blocks themselves are read.
    tips: Option<Tips>,
    /// Whether the slot holds the block itself.
    is_read: bool,
}

impl Source {
    /// Begins to read the blocks that meet the keys; entries of the index instead, where tips are wanted and it tells
    /// enough. To be called in the memory context of the query.
    pub(super) fn begin(
        layout: &Layout,
        order: Order,
        keys: &[BlockKey],
        snapshot: pg_sys::Snapshot,
        parallel: pg_sys::ParallelTableScanDesc,
        wants_tips: bool,
    ) -> Result<Self> {
        // SAFETY: the relations are opened here and closed in `end`; scan and slot belong to them.
        unsafe {
            let columns = layout.block_columns();
            let blocks = pg_sys::relation_open(layout.blocks, pg_sys::AccessShareLock as i32);
            let mut source = Self {
                blocks,
                index: ptr::null_mut(),
                index_columns: Vec::new(),
                table_scan: ptr::null_mut(),
                index_scan: ptr::null_mut(),
                slot: pg_sys::table_slot_create(blocks, ptr::null_mut()),
                columns,
                rest: Vec::new(),
                context: pg_sys::CurrentMemoryContext,
                has_block: false,
                tips: None,
                is_read: false,
            };
            if !parallel.is_null() {
                source.table_scan = pg_sys::table_beginscan_parallel(blocks, parallel);
            } else if let Some(index) = choose(blocks, columns, order, keys)? {
                source.index = pg_sys::index_open(index.oid, pg_sys::AccessShareLock as i32);
                source.index_columns = index.columns;
                if wants_tips {
                    source.tips = Tips::new(blocks, source.index, &source.index_columns, columns);
                }
                let count = source.index_keys(keys).len() as i32;
                source.index_scan = pg_sys::index_beginscan(blocks, source.index, snapshot, count, 0);
            } else {
                source.table_scan = pg_sys::table_beginscan(blocks, snapshot, 0, ptr::null_mut());
            }
            source.position(keys, true);
            Ok(source)
        }
    }

    /// Whether entries of the index are read.
    pub(super) fn has_tips(&self) -> bool {
        self.tips.is_some()
    }

    /// Begins anew with other values in the same keys.
    pub(super) fn restart(&mut self, keys: &[BlockKey]) {
        // SAFETY: the scan is open.
        unsafe { self.position(keys, false) };
    }

    unsafe fn position(&mut self, keys: &[BlockKey], is_fresh: bool) {
        // SAFETY: the scan is open; functions are looked up by their identifiers.
        unsafe {
            pg_sys::ExecClearTuple(self.slot);
            let mut scan_keys = self.index_keys(keys);
            if !self.index_scan.is_null() {
                let count = scan_keys.len() as i32;
                if (*self.index_scan).numberOfKeys != count {
                    // A scan keeps the number of keys with which it began.
                    let snapshot = (*self.index_scan).xs_snapshot;
                    pg_sys::index_endscan(self.index_scan);
                    let before = memory::enter(self.context);
                    self.index_scan = pg_sys::index_beginscan(self.blocks, self.index, snapshot, count, 0);
                    memory::enter(before);
                }
                (*self.index_scan).xs_want_itup = self.tips.is_some();
                pg_sys::index_rescan(self.index_scan, scan_keys.as_mut_ptr(), count, ptr::null_mut(), 0);
            } else if !is_fresh {
                pg_sys::table_rescan(self.table_scan, ptr::null_mut());
            }
            self.rest = keys
                .iter()
                .filter(|key| !self.index_columns.contains(&key.column) && !key.is_array)
                .map(|key| {
                    let mut function = pg_sys::FmgrInfo::default();
                    pg_sys::fmgr_info(key.function, &raw mut function);
                    (*key, function)
                })
                .collect();
        }
    }

    /// The keys that the index checks, by rising column of the index.
    fn index_keys(&self, keys: &[BlockKey]) -> Vec<pg_sys::ScanKeyData> {
        let mut scan_keys = Vec::new();
        for (number, column) in self.index_columns.iter().enumerate() {
            for key in keys.iter().filter(|key| key.column == *column) {
                let mut scan_key = pg_sys::ScanKeyData::default();
                // SAFETY: fills the key; the function is a comparison of the index's family.
                unsafe {
                    pg_sys::ScanKeyEntryInitialize(
                        &raw mut scan_key,
                        if key.is_array { pg_sys::SK_SEARCHARRAY as i32 } else { 0 },
                        number as i16 + 1,
                        key.comparison.strategy() as u16,
                        key.type_oid,
                        key.collation,
                        pg_sys::RegProcedure::from(key.function),
                        key.value,
                    );
                }
                scan_keys.push(scan_key);
            }
        }
        scan_keys
    }

    /// Goes to the next block that meets the keys.
    pub(super) fn advance(&mut self) -> bool {
        // SAFETY: the scan is open.
        unsafe {
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            let before = memory::enter(self.context);
            self.has_block = loop {
                pgrx::check_for_interrupts!();
                let found = if self.index_scan.is_null() {
                    pg_sys::table_scan_getnextslot(self.table_scan, forward, self.slot)
                } else {
                    pg_sys::index_getnext_slot(self.index_scan, forward, self.slot)
                };
                if !found {
                    break false;
                }
                pg_sys::slot_getallattrs(self.slot);
                if self.meets_rest() {
                    break true;
                }
            };
            memory::enter(before);
            self.is_read = self.has_block;
            self.has_block
        }
    }

    /// Goes to the next entry of the index, which may be that of a block that is not to be seen.
    pub(super) fn step(&mut self) -> bool {
        let Some(tips) = &mut self.tips else { return self.advance() };
        // SAFETY: the scan is open and gives the entries of the index.
        unsafe {
            pgrx::check_for_interrupts!();
            let before = memory::enter(self.context);
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            self.has_block = !pg_sys::index_getnext_tid(self.index_scan, forward).is_null();
            if self.has_block {
                tips.take(self.index_scan);
            }
            memory::enter(before);
        }
        self.is_read = false;
        self.has_block
    }

    /// Goes on until it stands on an entry of a block that is to be seen, which is not read unless it must be.
    pub(super) fn step_until_seen(&mut self) -> bool {
        while self.has_block && !self.is_seen() {
            self.step();
        }
        self.has_block
    }

    fn is_seen(&mut self) -> bool {
        let Some(tips) = &mut self.tips else { return true };
        // SAFETY: the table is open, the scan stands on the entry.
        unsafe { tips.is_seen_by_all(self.blocks) || self.read() }
    }

    /// Reads the block of the entry; whether it is to be seen.
    unsafe fn read(&mut self) -> bool {
        if !self.is_read {
            // SAFETY: the scan stands on the entry.
            unsafe {
                let before = memory::enter(self.context);
                self.is_read = pg_sys::index_fetch_heap(self.index_scan, self.slot);
                if self.is_read {
                    pg_sys::slot_getallattrs(self.slot);
                }
                memory::enter(before);
            }
        }
        self.is_read
    }

    unsafe fn meets_rest(&mut self) -> bool {
        // SAFETY: the slot is deformed; no column of a table of blocks is null.
        unsafe {
            let values = (*self.slot).tts_values;
            self.rest.iter_mut().all(|(key, function)| {
                let value = *values.add(key.column as usize - 1);
                pg_sys::FunctionCall2Coll(function, key.collation, value, key.value).value() != 0
            })
        }
    }

    /// The value of a column of the block on which the scan stands: of its segment and times, when it has tips.
    pub(super) fn value(&self, column: i16) -> pg_sys::Datum {
        self.tip().value(column)
    }

    /// What is known of the block on which the scan stands: of one that was not read only what the index tells. Good
    /// until it goes on.
    pub(super) fn tip(&self) -> BlockRow {
        let slot = match &self.tips {
            Some(tips) if !self.is_read => tips.slot,
            _ => self.slot,
        };
        BlockRow { slot, columns: self.columns }
    }

    /// The block on which the scan stands, all of it; good until it goes on.
    pub(super) fn row(&mut self) -> Result<BlockRow> {
        // SAFETY: the scan stands on it.
        if self.tips.is_some() && !unsafe { self.read() } {
            return Err(Error::new(Kind::Internal, "a block that everybody sees is not there"));
        }
        Ok(BlockRow { slot: self.slot, columns: self.columns })
    }

    /// Ends the scan and closes the relations; locks stay.
    pub(super) fn end(self) {
        // SAFETY: everything was opened by `begin` and is released once.
        unsafe {
            if !self.index_scan.is_null() {
                pg_sys::index_endscan(self.index_scan);
            }
            if !self.table_scan.is_null() {
                pg_sys::table_endscan(self.table_scan);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            if let Some(tips) = self.tips {
                tips.end();
            }
            if !self.index.is_null() {
                pg_sys::index_close(self.index, pg_sys::NoLock as i32);
            }
            pg_sys::relation_close(self.blocks, pg_sys::NoLock as i32);
        }
    }
}

/// The index that gives the order or saves the most reading; nothing when all blocks are to be read.
unsafe fn choose(
    blocks: pg_sys::Relation,
    columns: BlockColumns,
    order: Order,
    keys: &[BlockKey],
) -> Result<Option<Index>> {
    // SAFETY: the relation is open.
    let indexes = unsafe { indexes(blocks) };
    let find = |wanted: &[i16]| indexes.iter().position(|index| index.columns.starts_with(wanted));
    let by_segment = |time: i16| -> Vec<i16> { columns.segment.into_iter().chain([time]).collect() };
    let is_on = |column: i16| keys.iter().any(|key| key.column == column);
    let found = match order {
        Order::Rising => find(&by_segment(columns.first_time)),
        Order::Falling => find(&by_segment(columns.last_time)),
        Order::Any if columns.segment.is_some_and(is_on) => find(&by_segment(columns.last_time)),
        Order::Any if is_on(columns.last_time) => find(&[columns.last_time]),
        Order::Any => None,
    };
    if found.is_none() && order != Order::Any {
        // SAFETY: the relation is open.
        return Err(missing_index(unsafe { (*blocks).rd_id }));
    }
    Ok(found.and_then(|i| indexes.into_iter().nth(i)))
}

/// The valid btree indexes of a table of blocks that are over all of it.
pub(super) unsafe fn indexes(blocks: pg_sys::Relation) -> Vec<Index> {
    // SAFETY: the list and the index's description are the server's own and stay while the relation is open.
    unsafe {
        let list = pg_sys::RelationGetIndexList(blocks);
        let count = if list.is_null() { 0 } else { (*list).length };
        let mut found = Vec::new();
        for i in 0..count {
            let oid = pg_sys::list_nth_oid(list, i);
            let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as i32);
            let form = (*index).rd_index;
            let is_plain = (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                && (*form).indisvalid
                && pg_sys::RelationGetIndexPredicate(index).is_null()
                && pg_sys::RelationGetIndexExpressions(index).is_null();
            if is_plain {
                let columns = (*form).indkey.values.as_slice((*form).indnkeyatts as usize).to_vec();
                found.push(Index { oid, columns });
            }
            pg_sys::index_close(index, pg_sys::NoLock as i32);
        }
        found
    }
}
