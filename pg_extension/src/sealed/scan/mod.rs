//! The rows of sealed blocks, one after the other.

mod end;
mod whole;

use std::{ptr, rc::Rc};

use pgrx::{PgMemoryContexts, pg_guard, pg_sys};

use super::{
    carried::{self, Carried, Give, Order},
    conditions::{self, Comparison, Condition, KeyCondition},
    open::{Head, OpenBlock},
    place,
    source::{BlockKey, Source},
};
use crate::{
    hypertable::{
        datum::{self, Collector, Datums},
        layout::{Form, Layout},
    },
    server::{
        error::{Result, or_raise},
        memory,
    },
};

/// What EXPLAIN ANALYZE tells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    /// Blocks that were decoded.
    pub(super) read: u64,
    /// Blocks whose summaries told that no row passes.
    pub(super) skipped: u64,
}

/// A block and where a scan stands in it.
struct Cursor {
    block: OpenBlock,
    /// The next row.
    next: usize,
    /// How many rows are left.
    left: usize,
}

/// A running scan.
pub(super) struct Scan {
    layout: Rc<Layout>,
    carried: Carried,
    expressions: *mut pg_sys::List,
    snapshot: pg_sys::Snapshot,
    context: pg_sys::MemoryContext,
    compare: Option<(pg_sys::FmgrInfo, pg_sys::Oid)>,
    pub(super) parallel: pg_sys::ParallelTableScanDesc,
    source: Option<Source>,
    is_running: bool,
    keys: Vec<KeyCondition>,
    from: i64,
    to: i64,
    needs_times: bool,
    cursors: Vec<Cursor>,
    segment: Option<Datums>,
    /// The segment behind which the source was sent to look.
    looked_up: Option<Datums>,
    /// The conditions on blocks with which the source began.
    block_keys: Vec<BlockKey>,
    /// Whether the block on which the source stands was given as a whole.
    has_given: bool,
    /// Whether nothing was given yet of a scan in order.
    is_fresh: bool,
    /// Whether the row at the end of the block on which the source stands was given.
    has_given_end: bool,
    pub(super) counters: Counters,
}

/// `BeginForeignScan`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn begin(node: *mut pg_sys::ForeignScanState, flags: i32) {
    // SAFETY: the executor's own structures, in the memory context of the query.
    unsafe {
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0 {
            return;
        }
        let estate = (*node).ss.ps.state;
        let foreign = (*node).ss.ps.plan.cast::<pg_sys::ForeignScan>();
        let sealed = (*(*node).ss.ss_currentRelation).rd_id;
        let layout = or_raise(Layout::of_sealed(sealed));
        let carried = carried::of(foreign);
        let compare = layout.segment_column().map(|column| {
            let entry = pg_sys::lookup_type_cache(column.type_oid, pg_sys::TYPECACHE_CMP_PROC_FINFO as i32);
            let mut function = pg_sys::FmgrInfo::default();
            pg_sys::fmgr_info((*entry).cmp_proc, &raw mut function);
            (function, column.collation)
        });
        let scan = Scan {
            carried,
            expressions: pg_sys::ExecInitExprList((*foreign).fdw_exprs, node.cast()),
            snapshot: (*estate).es_snapshot,
            context: pg_sys::CurrentMemoryContext,
            compare,
            parallel: ptr::null_mut(),
            source: None,
            is_running: false,
            keys: Vec::new(),
            from: i64::MIN,
            to: i64::MAX,
            needs_times: false,
            cursors: Vec::new(),
            segment: None,
            looked_up: None,
            block_keys: Vec::new(),
            has_given: false,
            is_fresh: true,
            has_given_end: false,
            counters: Counters::default(),
            layout,
        };
        (*node).fdw_state =
            PgMemoryContexts::For(pg_sys::CurrentMemoryContext).leak_and_drop_on_delete(scan).cast();
    }
}

/// The scan of this node.
///
/// # Safety
/// The node is one of ours; nobody else uses its scan meanwhile.
pub(super) unsafe fn of<'a>(node: *mut pg_sys::ForeignScanState) -> Option<&'a mut Scan> {
    // SAFETY: the caller's promise; the scan lives as long as the query's memory.
    unsafe { (*node).fdw_state.cast::<Scan>().as_mut() }
}

/// `IterateForeignScan`: the next row in the node's slot, or the empty slot.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn iterate(
    node: *mut pg_sys::ForeignScanState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures.
    unsafe {
        let slot = (*node).ss.ss_ScanTupleSlot;
        let Some(scan) = of(node) else { return pg_sys::ExecClearTuple(slot) };
        if !scan.is_running {
            or_raise(scan.start((*node).ss.ps.ps_ExprContext));
        }
        if scan.carried.give != Give::Rows {
            if or_raise(scan.next_block()) {
                scan.fill_segment(slot);
            } else {
                pg_sys::ExecClearTuple(slot);
            }
            return slot;
        }
        let found = match scan.carried.order {
            Order::Any => or_raise(scan.next_any()),
            order => {
                if std::mem::replace(&mut scan.is_fresh, false) && or_raise(scan.give_end(slot, order)) {
                    return slot;
                }
                or_raise(scan.next_ordered(order))
            }
        };
        match found {
            Some((cursor, row)) => scan.fill(slot, cursor, row),
            None => {
                pg_sys::ExecClearTuple(slot);
            }
        }
        slot
    }
}

/// `ReScanForeignScan`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        if let Some(scan) = of(node) {
            scan.is_running = false;
            scan.close_cursors();
        }
    }
}

/// `EndForeignScan`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn end(node: *mut pg_sys::ForeignScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        if let Some(scan) = of(node) {
            scan.close_cursors();
            if let Some(source) = scan.source.take() {
                source.end();
            }
        }
    }
}

impl Scan {
    fn close_cursors(&mut self) {
        for cursor in self.cursors.drain(..) {
            cursor.block.close();
        }
    }

    /// Evaluates the conditions and goes to the first block.
    unsafe fn start(&mut self, econtext: *mut pg_sys::ExprContext) -> Result<()> {
        self.is_running = true;
        self.keys.clear();
        (self.from, self.to) = (i64::MIN, i64::MAX);
        let mut block_keys = Vec::new();
        for i in 0..self.carried.conditions.len() {
            let condition = self.carried.conditions[i];
            let mut is_null = false;
            // SAFETY: the expressions were initialised for this node; values live in the query's memory below.
            let value = unsafe {
                let state = pg_sys::list_nth(self.expressions, i as i32).cast::<pg_sys::ExprState>();
                let before = memory::enter(self.context);
                let value = pg_sys::ExecEvalExpr(state, econtext, &raw mut is_null);
                memory::enter(before);
                value
            };
            if is_null {
                // No comparison with null is true.
                self.stop();
                return Ok(());
            }
            self.apply(&condition, value, &mut block_keys);
        }
        self.needs_times = self.carried.order != Order::Any || self.from != i64::MIN || self.to != i64::MAX;
        // Who wants blocks in the order in which they end may want the first one's last row alone.
        let wants_tips = match self.carried.give {
            Give::NewestBlocks => true,
            Give::Rows => self.carried.order == Order::Falling && self.keys.is_empty(),
            Give::Blocks => false,
        };
        // SAFETY: relations, scan and slot are to live as long as the query.
        unsafe {
            let before = memory::enter(self.context);
            match &mut self.source {
                Some(source) => source.restart(&block_keys),
                None => {
                    self.source = Some(Source::begin(
                        &self.layout,
                        self.carried.order,
                        &block_keys,
                        self.snapshot,
                        self.parallel,
                        wants_tips,
                    )?);
                }
            }
            memory::enter(before);
        }
        if let Some(source) = &mut self.source {
            source.step();
            source.step_until_seen();
        }
        self.block_keys = block_keys;
        self.has_given = false;
        (self.is_fresh, self.has_given_end) = (true, false);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(source) = &mut self.source {
            source.has_block = false;
        }
    }

    /// Turns a condition into what it says of blocks and of rows in them.
    fn apply(&mut self, condition: &Condition, value: pg_sys::Datum, block_keys: &mut Vec<BlockKey>) {
        let columns = self.layout.block_columns();
        let mut on_block = |column: i16, comparison: Comparison| {
            if let Some(function) = conditions::function(condition, comparison) {
                block_keys.push(BlockKey {
                    column,
                    comparison,
                    function,
                    type_oid: condition.type_oid,
                    collation: condition.collation,
                    value,
                    is_array: condition.is_array,
                });
            }
        };
        if Some(condition.position) == self.layout.segment {
            if let Some(column) = columns.segment {
                on_block(column, condition.comparison);
            }
            return;
        }
        let Some(column) = self.layout.column(condition.position) else { return };
        let has_key = conditions::has_key(column.form, condition.type_oid, column.type_oid);
        if condition.position != self.layout.time {
            if has_key {
                let key = conditions::key(value, condition.type_oid);
                self.keys.push(KeyCondition {
                    position: condition.position,
                    comparison: condition.comparison,
                    key,
                });
            }
            return;
        }
        let key = has_key.then(|| conditions::key(value, condition.type_oid));
        if matches!(condition.comparison, Comparison::Less | Comparison::LessOrEqual | Comparison::Equal) {
            let strict = condition.comparison == Comparison::Less;
            on_block(columns.first_time, if strict { Comparison::Less } else { Comparison::LessOrEqual });
            if let Some(key) = key {
                self.to = self.to.min(if strict { key.saturating_sub(1) } else { key });
            }
        }
        if matches!(
            condition.comparison,
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::Equal
        ) {
            let strict = condition.comparison == Comparison::Greater;
            on_block(
                columns.last_time,
                if strict { Comparison::Greater } else { Comparison::GreaterOrEqual },
            );
            if let Some(key) = key {
                self.from = self.from.max(if strict { key.saturating_add(1) } else { key });
            }
        }
    }

    /// Whether the block on which the source stands is of the segment that was remembered.
    fn is_same_segment(&mut self) -> bool {
        let (Some(source), Some((function, collation)), Some(open)) =
            (&self.source, &mut self.compare, &self.segment)
        else {
            return true;
        };
        let Some(column) = source.columns.segment else { return true };
        let (open, value) = (open.values[0], source.value(column));
        let is_by_value = self.layout.segment_column().is_some_and(|column| column.form.is_by_value());
        if is_by_value && open.value() == value.value() {
            return true;
        }
        // SAFETY: the comparison of the segment's type, and two values of it.
        unsafe { pg_sys::FunctionCall2Coll(function, *collation, open, value).value() as i32 == 0 }
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
    fn next_any(&mut self) -> Result<Option<(usize, usize)>> {
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
    fn next_ordered(&mut self, order: Order) -> Result<Option<(usize, usize)>> {
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

    /// Keeps the segment of the open blocks: the page it is read from may go.
    fn remember_segment(&mut self, value: Option<pg_sys::Datum>) -> Result<()> {
        let (Some(value), Some(column)) = (value, self.layout.segment_column()) else { return Ok(()) };
        if column.form.is_by_value() {
            self.segment = Some(Datums::same(value, false, 1));
            return Ok(());
        }
        let mut one = Collector::new(column);
        // SAFETY: a value of the segment's type; what the server makes of it is to live as long as the query.
        self.segment = Some(unsafe {
            let before = memory::enter(self.context);
            one.push(value, false);
            let copy = Datums::of(one.take(), column);
            memory::enter(before);
            copy?
        });
        Ok(())
    }

    /// Fills the slot with a row.
    unsafe fn fill(&self, slot: *mut pg_sys::TupleTableSlot, cursor: usize, row: usize) {
        let block = &self.cursors[cursor].block;
        // SAFETY: the slot has the foreign table's columns; every wanted position is one of them.
        unsafe {
            blank(slot);
            for (column, position) in block.columns.iter().zip(&self.carried.needed) {
                *(*slot).tts_values.add(*position) = column.values[row];
                *(*slot).tts_isnull.add(*position) = column.nulls.as_ref().is_some_and(|nulls| nulls[row]);
            }
            (*slot).tts_tid = place::of_row(block.place, row);
        }
    }
}

/// Makes the slot hold a row of nulls, unless it holds one that this scan has filled.
unsafe fn blank(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: the caller's slot; its arrays have a place for each column.
    unsafe {
        let empty = pg_sys::TTS_FLAG_EMPTY as u16;
        if (*slot).tts_flags & pg_sys::TTS_FLAG_SHOULDFREE as u16 != 0 || (*slot).tts_flags & empty != 0 {
            pg_sys::ExecClearTuple(slot);
            let natts = (*(*slot).tts_tupleDescriptor).natts as usize;
            for i in 0..natts {
                *(*slot).tts_values.add(i) = pg_sys::Datum::from(0);
                *(*slot).tts_isnull.add(i) = true;
            }
            (*slot).tts_nvalid = natts as i16;
            (*slot).tts_flags &= !empty;
        }
    }
}
