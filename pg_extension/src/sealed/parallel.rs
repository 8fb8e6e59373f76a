//! A scan that several processes share: each takes the next blocks of the table, as with any heap.

use pgrx::{pg_guard, pg_sys};

use super::scan;
use crate::{
    hypertable::layout::Layout,
    server::{error::or_raise, relation::Open},
};

/// `IsForeignScanParallelSafe`: blocks are rows of a heap, and nothing of a scan is kept outside of its process.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn is_safe(
    _root: *mut pg_sys::PlannerInfo,
    _relation: *mut pg_sys::RelOptInfo,
    _entry: *mut pg_sys::RangeTblEntry,
) -> bool {
    true
}

/// The table of blocks of this node's foreign table.
unsafe fn blocks(node: *mut pg_sys::ForeignScanState) -> Open {
    // SAFETY: the executor's own structure, with its relation open.
    let sealed = unsafe { (*(*node).ss.ss_currentRelation).rd_id };
    Open::with(or_raise(Layout::of_sealed(sealed)).blocks, pg_sys::AccessShareLock)
}

/// `EstimateDSMForeignScan`: how much memory the processes share.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn estimate(
    node: *mut pg_sys::ForeignScanState,
    _context: *mut pg_sys::ParallelContext,
) -> pg_sys::Size {
    // SAFETY: the executor's own structures.
    unsafe {
        let blocks = blocks(node);
        pg_sys::table_parallelscan_estimate(blocks.as_ptr(), (*(*node).ss.ps.state).es_snapshot)
    }
}

/// `InitializeDSMForeignScan`: the leader describes the scan.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn initialize(
    node: *mut pg_sys::ForeignScanState,
    _context: *mut pg_sys::ParallelContext,
    shared: *mut std::ffi::c_void,
) {
    // SAFETY: the executor's own structures; the shared memory is as long as was estimated.
    unsafe {
        let blocks = blocks(node);
        let snapshot = (*(*node).ss.ps.state).es_snapshot;
        pg_sys::table_parallelscan_initialize(blocks.as_ptr(), shared.cast(), snapshot);
        if let Some(scan) = scan::of(node) {
            scan.parallel = shared.cast();
        }
    }
}

/// `ReInitializeDSMForeignScan`: from the start again.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn reinitialize(
    node: *mut pg_sys::ForeignScanState,
    _context: *mut pg_sys::ParallelContext,
    shared: *mut std::ffi::c_void,
) {
    // SAFETY: as above.
    unsafe { pg_sys::table_parallelscan_reinitialize(blocks(node).as_ptr(), shared.cast()) };
}

/// `InitializeWorkerForeignScan`: a worker joins.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn initialize_worker(
    node: *mut pg_sys::ForeignScanState,
    _contents: *mut pg_sys::shm_toc,
    shared: *mut std::ffi::c_void,
) {
    // SAFETY: as above.
    unsafe {
        if let Some(scan) = scan::of(node) {
            scan.parallel = shared.cast();
        }
    }
}
