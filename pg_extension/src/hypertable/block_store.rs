//! Writing blocks: one row of the table of blocks each.

use headroom_core::block::{Block, Directory};
use pgrx::pg_sys;

use super::{datum, layout::Layout};
use crate::server::relation::Open;

thread_local! {
    // A backend has one thread.
    static CHANGES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    static CHANGED_IN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// How often this session has changed blocks.
pub(crate) fn changes() -> u64 {
    CHANGES.get()
}

/// Blocks have been written or deleted.
pub(crate) fn changed() {
    CHANGES.set(CHANGES.get() + 1);
    CHANGED_IN.set(transaction());
}

/// Whether this transaction, or a part of it that was undone, has changed blocks.
pub(crate) fn has_changed_in_this_transaction() -> bool {
    CHANGED_IN.get() == transaction()
}

/// The number of the transaction in this session.
fn transaction() -> u32 {
    // SAFETY: a variable of this backend.
    unsafe { (*pg_sys::MyProc).lxid }
}

/// An open table of blocks, for writing.
pub(crate) struct BlockStore<'a> {
    layout: &'a Layout,
    table: Open,
}

impl<'a> BlockStore<'a> {
    /// Opens it. The lock is that of any writer.
    pub(crate) fn open(layout: &'a Layout) -> Self {
        Self { layout, table: Open::with(layout.blocks, pg_sys::RowExclusiveLock) }
    }

    /// Writes a block of the segment with this value.
    ///
    /// # Safety
    /// The datum is one of the segment column's type; without a segment column it is not looked at.
    pub(crate) unsafe fn insert(&self, segment: pg_sys::Datum, directory: &Directory, block: &Block) {
        changed();
        let form = self.layout.time_column().form;
        let columns = self.layout.block_columns();
        let bytes = [
            (Some(columns.directory), &block.directory),
            (Some(columns.payload), &block.payload),
            (columns.rollup, &block.rollup),
            (columns.last_row, &block.last_row),
        ];
        // SAFETY: values of the columns' types at their places, null where a column was dropped; what is made is freed once
        // it is written.
        unsafe {
            let descriptor = (*self.table.as_ptr()).rd_att;
            let width = (*descriptor).natts as usize;
            let (mut values, mut nulls) = (vec![pg_sys::Datum::from(0); width], vec![true; width]);
            let mut put = |column: i16, value: pg_sys::Datum| {
                (values[column as usize - 1], nulls[column as usize - 1]) = (value, false);
            };
            if let Some(column) = columns.segment {
                put(column, segment);
            }
            put(columns.first_time, datum::datum_of_time(directory.first_time, form));
            put(columns.last_time, datum::datum_of_time(directory.last_time, form));
            put(columns.row_count, pg_sys::Datum::from(directory.rows as i32));
            let mut made = Vec::with_capacity(bytes.len());
            for (column, bytes) in bytes {
                let Some(column) = column else { continue };
                let value = bytea(bytes);
                put(column, value);
                made.push(value);
            }
            let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            pg_sys::CatalogTupleInsert(self.table.as_ptr(), tuple);
            pg_sys::heap_freetuple(tuple);
            for value in made {
                pg_sys::pfree(value.cast_mut_ptr());
            }
        }
    }
}

/// A bytea in the current memory context.
fn bytea(bytes: &[u8]) -> pg_sys::Datum {
    const HEADER: usize = 4;
    // SAFETY: the memory is as long as the header and the bytes.
    unsafe {
        let value = pg_sys::palloc(HEADER + bytes.len()).cast::<u8>();
        pgrx::set_varsize_4b(value.cast(), (HEADER + bytes.len()) as i32);
        value.add(HEADER).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        pg_sys::Datum::from(value)
    }
}
