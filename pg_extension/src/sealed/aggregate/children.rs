//! The plans below the node: unsealed rows and blocks.

use pgrx::pg_sys;

use crate::{
    sealed::{block_row::BlockRow, scan, segments::Pull},
    server::error::{Error, Kind, Result},
};

/// The plans below the node.
#[derive(Clone, Copy)]
pub(super) struct Children {
    /// Unsealed rows; null when there are none to read.
    pub(super) rows: *mut pg_sys::PlanState,
    pub(super) blocks: *mut pg_sys::PlanState,
    /// The scan in `blocks`.
    pub(super) foreign: *mut pg_sys::ForeignScanState,
    pub(super) segment_in_row: usize,
}

impl Children {
    /// The bounds of the time, both included.
    pub(super) fn bounds(&self) -> (i64, i64) {
        // SAFETY: the node is part of the running plan.
        unsafe { scan::of(self.foreign) }.map_or((i64::MIN, i64::MAX), |scan| scan.bounds())
    }
}

impl Pull for Children {
    fn row(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        if self.rows.is_null() {
            return None;
        }
        pull(self.rows)
    }

    fn block(&mut self) -> Result<Option<BlockRow>> {
        if pull(self.blocks).is_none() {
            return Ok(None);
        }
        // SAFETY: the node is part of the running plan and stands on the block whose row has just come out.
        let row = unsafe { scan::of(self.foreign) }.and_then(|scan| scan.block());
        row.map(Some).ok_or_else(|| Error::new(Kind::Internal, "a block came from no scan of blocks"))
    }

    fn segment_in_row(&self) -> usize {
        self.segment_in_row
    }
}

/// The next row of a plan, deformed.
fn pull(plan: *mut pg_sys::PlanState) -> Option<*mut pg_sys::TupleTableSlot> {
    // SAFETY: a plan that was begun and has not ended.
    unsafe {
        let slot = pg_sys::ExecProcNode(plan);
        if slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
            return None;
        }
        pg_sys::slot_getallattrs(slot);
        Some(slot)
    }
}
