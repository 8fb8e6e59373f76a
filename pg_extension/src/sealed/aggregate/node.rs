//! The node as the executor knows it: begun, asked for the next group, begun anew, ended, explained.

use std::{ffi::CStr, ptr};

use pgrx::{PgMemoryContexts, pg_guard, pg_sys};

use super::{children::Children, run::Aggregation, spec::Spec};
use crate::{
    hypertable::layout::Layout,
    sealed::visible,
    server::error::{Error, Kind, or_raise},
};

/// A node, as the server knows it, with what runs behind it.
#[repr(C)]
struct Node {
    base: pg_sys::CustomScanState,
    aggregation: *mut Aggregation,
}

struct Methods(pg_sys::CustomExecMethods);
// SAFETY: never changed.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods(pg_sys::CustomExecMethods {
    CustomName: c"HeadroomAggregate".as_ptr(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(execute),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain),
});

/// `CreateCustomScanState`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn make_state(_plan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: memory of the server's, all zero, with the head that it wants.
    unsafe {
        let node = pg_sys::palloc0(size_of::<Node>()).cast::<Node>();
        (*node).base.ss.ps.type_ = pg_sys::NodeTag::T_CustomScanState;
        (*node).base.methods = &raw const METHODS.0;
        node.cast()
    }
}

/// `BeginCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    flags: i32,
) {
    // SAFETY: the executor's own structures, in the memory context of the query.
    unsafe {
        let plan = (*node).ss.ps.plan.cast::<pg_sys::CustomScan>();
        let count = (*(*plan).custom_plans).length;
        for i in 0..count {
            let child = pg_sys::ExecInitNode(pg_sys::list_nth((*plan).custom_plans, i).cast(), estate, flags);
            (*node).custom_ps = pg_sys::lappend((*node).custom_ps, child.cast());
        }
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0 {
            return;
        }
        let encoded = pg_sys::list_nth((*plan).custom_private, 0).cast::<pg_sys::List>();
        let length = if encoded.is_null() { 0 } else { (*encoded).length };
        let integers: Vec<i32> = (0..length).map(|i| pg_sys::list_nth_int(encoded, i)).collect();
        let broken = || Error::new(Kind::Internal, "a plan of an aggregation is not one of ours");
        let spec = or_raise(Spec::decode(&integers).ok_or_else(broken));
        let child = |i: i32| pg_sys::list_nth((*node).custom_ps, i).cast::<pg_sys::PlanState>();
        let foreign = or_raise(visible::find(child(0)).ok_or_else(broken));
        let sealed = (*(*foreign).ss.ss_currentRelation).rd_id;
        let children = Children {
            rows: if count > 1 { child(1) } else { ptr::null_mut() },
            blocks: child(0),
            foreign,
            segment_in_row: 0,
        };
        let aggregation = Aggregation::new(or_raise(Layout::of_sealed(sealed)), spec, children);
        (*node.cast::<Node>()).aggregation =
            PgMemoryContexts::For(pg_sys::CurrentMemoryContext).leak_and_drop_on_delete(aggregation);
    }
}

/// `ExecCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn execute(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures.
    unsafe { pg_sys::ExecScan(&raw mut (*node).ss, Some(next), Some(recheck)) }
}

#[pg_guard]
unsafe extern "C-unwind" fn recheck(
    _node: *mut pg_sys::ScanState,
    _slot: *mut pg_sys::TupleTableSlot,
) -> bool {
    true
}

/// The next group in the node's slot, or the empty slot.
#[pg_guard]
unsafe extern "C-unwind" fn next(node: *mut pg_sys::ScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures; the slot has a column for each key and function.
    unsafe {
        let slot = (*node).ss_ScanTupleSlot;
        pg_sys::ExecClearTuple(slot);
        let aggregation = &mut *(*node.cast::<Node>()).aggregation;
        if or_raise(aggregation.advance()) {
            or_raise(aggregation.fill(slot));
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        slot
    }
}

/// `ReScanCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        let children = (*node).custom_ps;
        let count = if children.is_null() { 0 } else { (*children).length };
        for i in 0..count {
            let child = pg_sys::list_nth(children, i).cast::<pg_sys::PlanState>();
            if !(*node).ss.ps.chgParam.is_null() {
                pg_sys::UpdateChangedParamSet(child, (*node).ss.ps.chgParam);
            }
            pg_sys::ExecReScan(child);
        }
        pg_sys::ExecScanReScan(&raw mut (*node).ss);
        if let Some(aggregation) = (*node.cast::<Node>()).aggregation.as_mut() {
            aggregation.restart();
        }
    }
}

/// `EndCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        let children = (*node).custom_ps;
        let count = if children.is_null() { 0 } else { (*children).length };
        for i in 0..count {
            pg_sys::ExecEndNode(pg_sys::list_nth(children, i).cast());
        }
    }
}

/// `ExplainCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    _ancestors: *mut pg_sys::List,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: the executor's own structures.
    unsafe {
        if let (true, Some(aggregation)) = ((*explain).analyze, (*node.cast::<Node>()).aggregation.as_ref()) {
            let tell = |label: &CStr, count: u64| {
                pg_sys::ExplainPropertyInteger(label.as_ptr(), ptr::null(), count as i64, explain);
            };
            let counters = aggregation.counters();
            tell(c"Blocks Answered from Summaries", counters.from_heads);
            tell(c"Blocks Answered by Day", counters.by_day);
            tell(c"Blocks Decoded", counters.decoded);
        }
    }
}
