//! Rows into the slot of the scan's node.

use pgrx::pg_sys;

use super::Scan;
use crate::sealed::place;

impl Scan {
    /// Fills the slot with a row.
    ///
    /// # Safety
    /// The slot is the node's; the cursor is open and has the row.
    pub(super) unsafe fn fill(&self, slot: *mut pg_sys::TupleTableSlot, cursor: usize, row: usize) {
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
///
/// # Safety
/// The slot is the node's.
pub(super) unsafe fn blank(slot: *mut pg_sys::TupleTableSlot) {
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
