//! Writing rows into a hypertable's own heap and its indexes, below the executor: rows that leave their block.

use pgrx::pg_sys;

use super::layout::Layout;
use crate::server::{
    error::{Error, Kind, Result},
    relation::{self, Open},
};

/// An open row store, for writing.
pub(crate) struct RowStore {
    table: Open,
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where each column of the foreign table is in the hypertable.
    positions: Vec<Option<usize>>,
}

impl RowStore {
    /// Opens it. The lock is that of any writer. What it allocates lives in the current memory context.
    pub(crate) fn open(layout: &Layout) -> Result<Self> {
        let table = Open::with(layout.hypertable, pg_sys::RowExclusiveLock);
        let positions = positions(layout, &table)?;
        // SAFETY: the executor's own structures for one relation, closed again when this value is dropped.
        unsafe {
            let estate = pg_sys::CreateExecutorState();
            let result = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(result, table.as_ptr(), 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let slot = pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut());
            Ok(Self { table, estate, result, slot, positions })
        }
    }

    /// The table.
    pub(crate) fn table(&self) -> &Open {
        &self.table
    }

    /// Where each column of the foreign table is in the hypertable.
    pub(crate) fn positions(&self) -> &[Option<usize>] {
        &self.positions
    }

    /// Puts a row into the slot of the table and gives it. `value` gives datum and null of a column of the foreign
    /// table, by position.
    pub(crate) fn fill(
        &mut self,
        value: impl Fn(usize) -> (pg_sys::Datum, bool),
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the slot has the hypertable's columns.
        unsafe {
            pg_sys::ExecClearTuple(self.slot);
            pg_sys::ExecStoreAllNullTuple(self.slot);
            for (position, target) in self.positions.iter().enumerate() {
                let Some(target) = target else { continue };
                let (datum, is_null) = value(position);
                *(*self.slot).tts_values.add(*target) = datum;
                *(*self.slot).tts_isnull.add(*target) = is_null;
            }
            (*self.slot).tts_tableOid = self.table.oid();
        }
        self.slot
    }

    /// Inserts a row as of this command; gives its place. `value` is as for [`Self::fill`]. Constraints are not checked
    /// anew: the row has passed them.
    ///
    /// # Safety
    /// The datums are of the columns' types.
    pub(crate) unsafe fn insert(
        &mut self,
        command: pg_sys::CommandId,
        value: impl Fn(usize) -> (pg_sys::Datum, bool),
    ) -> pg_sys::ItemPointerData {
        let slot = self.fill(value);
        // SAFETY: the caller's promise; the executor's structures are open.
        unsafe {
            pg_sys::table_tuple_insert(self.table.as_ptr(), slot, command, 0, std::ptr::null_mut());
            self.insert_index_entries(slot, false);
            (*slot).tts_tid
        }
    }

    /// Refuses a row that breaks a constraint of the hypertable, as the server does.
    ///
    /// # Safety
    /// The slot holds a row of the table.
    pub(crate) unsafe fn check_constraints(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the caller's promise.
        unsafe {
            if !(*(*self.table.as_ptr()).rd_att).constr.is_null() {
                pg_sys::ExecConstraints(self.result, slot, self.estate);
            }
        }
    }

    /// Makes the index entries of a row that stands in the heap.
    ///
    /// # Safety
    /// The slot holds a row of the table with its place.
    pub(crate) unsafe fn insert_index_entries(&mut self, slot: *mut pg_sys::TupleTableSlot, is_update: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            if (*self.result).ri_NumIndices > 0 {
                let recheck = pg_sys::ExecInsertIndexTuples(
                    self.result,
                    slot,
                    self.estate,
                    is_update,
                    false,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                );
                debug_assert!(recheck.is_null(), "a hypertable has no deferrable keys");
                let context = (*self.estate).es_per_tuple_exprcontext;
                if !context.is_null() {
                    pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
                }
            }
        }
    }

    /// Closes it. Not in a destructor: after an error the server has released everything already.
    pub(crate) fn close(self) {
        // SAFETY: opened by `open`, closed once.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::FreeExecutorState(self.estate);
        }
    }
}

/// Where each column of the foreign table is in the hypertable: by name, since dropped columns count differently.
pub(crate) fn positions(layout: &Layout, hypertable: &Open) -> Result<Vec<Option<usize>>> {
    let find = |name: &str| {
        hypertable.attributes().iter().position(|a| !a.attisdropped && relation::text_of(&a.attname) == name)
    };
    layout
        .columns
        .iter()
        .map(|column| match column {
            None => Ok(None),
            Some(column) => match find(&column.name) {
                Some(position) => Ok(Some(position)),
                None => Err(Error::new(
                    Kind::WrongObject,
                    format!(
                        "column \"{}\" of {} is not one of {}",
                        column.name,
                        relation::name(layout.sealed),
                        relation::name(layout.hypertable)
                    ),
                )
                .hint(format!(
                    "ALTER FOREIGN TABLE {} DROP COLUMN {};",
                    relation::name(layout.sealed),
                    pgrx::spi::quote_identifier(&column.name)
                ))),
            },
        })
        .collect()
}
