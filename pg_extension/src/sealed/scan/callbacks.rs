//! What the executor calls: a scan begins, gives a row, starts again, ends.

use std::ptr;

use pgrx::{PgMemoryContexts, pg_guard, pg_sys};

use super::{Counters, Scan, of};
use crate::{
    hypertable::layout::Layout,
    sealed::carried::{self, Give, Order},
    server::error::or_raise,
};

/// `BeginForeignScan`.
#[pg_guard]
pub(in crate::sealed) unsafe extern "C-unwind" fn begin(node: *mut pg_sys::ForeignScanState, flags: i32) {
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

/// `IterateForeignScan`: the next row in the node's slot, or the empty slot.
#[pg_guard]
pub(in crate::sealed) unsafe extern "C-unwind" fn iterate(
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
pub(in crate::sealed) unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::ForeignScanState) {
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
pub(in crate::sealed) unsafe extern "C-unwind" fn end(node: *mut pg_sys::ForeignScanState) {
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
