//! A row of a table of blocks.

use pgrx::pg_sys;

use crate::{hypertable::layout::BlockColumns, server::relation::Open};

/// A row of a table of blocks, in a slot that is deformed.
#[derive(Clone, Copy)]
pub(super) struct BlockRow {
    pub(super) slot: *mut pg_sys::TupleTableSlot,
    pub(super) columns: BlockColumns,
}

impl BlockRow {
    /// The value of a column. No column of a table of blocks is null; one that an index has told has not all of them
    /// ([`Source::row`](super::source::Source::row)).
    pub(super) fn value(&self, column: i16) -> pg_sys::Datum {
        // SAFETY: the slot is deformed.
        unsafe { *(*self.slot).tts_values.add(column as usize - 1) }
    }

    /// Whether all columns are there.
    pub(super) fn is_whole(&self) -> bool {
        // SAFETY: as above.
        unsafe { !*(*self.slot).tts_isnull.add(self.columns.directory as usize - 1) }
    }

    /// Where the block is.
    pub(super) fn place(&self) -> pg_sys::ItemPointerData {
        // SAFETY: the slot holds a tuple of the table.
        unsafe { (*self.slot).tts_tid }
    }
}

/// Reads the block at a place into the slot, whatever snapshot sees it; whether there is one.
///
/// # Safety
/// The slot is one of the table's.
pub(super) unsafe fn fetch(
    blocks: &Open,
    mut place: pg_sys::ItemPointerData,
    slot: *mut pg_sys::TupleTableSlot,
) -> bool {
    // SAFETY: the caller's promise; the server's own snapshot that sees everything.
    unsafe {
        let any = &raw mut pg_sys::SnapshotAnyData;
        let found = pg_sys::table_tuple_fetch_row_version(blocks.as_ptr(), &raw mut place, any, slot);
        if found {
            pg_sys::slot_getallattrs(slot);
        }
        found
    }
}
