//! UPDATE, DELETE and TRUNCATE of sealed rows: the block that has a row is unsealed first, in the same transaction,
//! then the row is changed in the heap.

use std::{collections::HashMap, rc::Rc};

use pgrx::{PgMemoryContexts, pg_guard, pg_sys, prelude::*};

use super::{
    block_row::{BlockRow, fetch},
    place,
    unseal::{self, Places, Unsealer},
    upsert::command_before,
};
use crate::{
    hypertable::{layout::Layout, row_store::RowStore},
    server::{
        error::{Error, Kind, Result, or_raise},
        memory,
        relation::{self, Open},
    },
};

/// What a statement that changes sealed rows keeps.
struct Change {
    layout: Rc<Layout>,
    unsealer: Option<Unsealer>,
    /// Open until the statement ends.
    blocks: Option<Open>,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where the `ctid` is in the rows of the plan below.
    ctid: i16,
    /// Where the rows are now of the blocks that this statement has unsealed.
    unsealed: HashMap<(u32, u16), Places>,
    context: pg_sys::MemoryContext,
}

/// `AddForeignUpdateTargets`: rows are told apart by their `ctid`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn add_targets(
    root: *mut pg_sys::PlannerInfo,
    index: pg_sys::Index,
    _entry: *mut pg_sys::RangeTblEntry,
    _target: pg_sys::Relation,
) {
    // SAFETY: the planner's own structures.
    unsafe {
        let attribute = pg_sys::SelfItemPointerAttributeNumber as i16;
        let var = pg_sys::makeVar(index as i32, attribute, pg_sys::TIDOID, -1, pg_sys::InvalidOid, 0);
        pg_sys::add_row_identity_var(root, var, index, c"ctid".as_ptr());
    }
}

/// `PlanForeignModify`: refuses what would be done to some rows only.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn plan(
    root: *mut pg_sys::PlannerInfo,
    plan: *mut pg_sys::ModifyTable,
    index: pg_sys::Index,
    _subplan: i32,
) -> *mut pg_sys::List {
    // SAFETY: the planner's own structures.
    unsafe {
        let entry = *(*root).simple_rte_array.add(index as usize);
        let layout = or_raise(Layout::of_sealed((*entry).relid));
        or_raise(refuse_row_triggers(&layout, (*plan).operation));
    }
    std::ptr::null_mut()
}

/// The hypertable's row triggers do not fire for rows of a table that inherits from it.
pub(super) fn refuse_row_triggers(layout: &Layout, operation: pg_sys::CmdType::Type) -> Result<()> {
    let table = Open::with(layout.hypertable, pg_sys::AccessShareLock);
    // SAFETY: the relation is open.
    let triggers = unsafe { (*table.as_ptr()).trigdesc.as_ref() };
    let Some(triggers) = triggers else { return Ok(()) };
    let (has, word) = if operation == pg_sys::CmdType::CMD_DELETE {
        (triggers.trig_delete_before_row || triggers.trig_delete_after_row, "DELETE")
    } else {
        (triggers.trig_update_before_row || triggers.trig_update_after_row, "UPDATE")
    };
    if !has {
        return Ok(());
    }
    let name = relation::name(layout.hypertable);
    Err(Error::new(
        Kind::Unsupported,
        format!("{word} of {name} is not possible: it has sealed rows and row triggers for {word}"),
    )
    .detail("The triggers would not fire for sealed rows.")
    .hint(format!("SELECT headroom.unseal({});", pgrx::spi::quote_literal(&name))))
}

/// `BeginForeignModify`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::ModifyTableState,
    target: *mut pg_sys::ResultRelInfo,
    _private: *mut pg_sys::List,
    _subplan: i32,
    flags: i32,
) {
    // SAFETY: the executor's own structures, in the memory context of the query.
    unsafe {
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0 {
            return;
        }
        let layout = or_raise(Layout::of_sealed((*(*target).ri_RelationDesc).rd_id));
        let below = (*(*node).ps.lefttree).plan;
        let ctid = pg_sys::ExecFindJunkAttributeInTlist((*below).targetlist, c"ctid".as_ptr());
        if ctid == 0 {
            Error::new(Kind::Internal, "the rows to be changed have no ctid").raise();
        }
        let blocks = Open::with(layout.blocks, pg_sys::RowExclusiveLock);
        let slot = pg_sys::table_slot_create(blocks.as_ptr(), std::ptr::null_mut());
        let change = Change {
            layout,
            unsealer: None,
            blocks: Some(blocks),
            slot,
            ctid,
            unsealed: HashMap::new(),
            context: pg_sys::CurrentMemoryContext,
        };
        // The query's memory drops it, after an error too.
        (*target).ri_FdwState =
            PgMemoryContexts::For(pg_sys::CurrentMemoryContext).leak_and_drop_on_delete(change).cast();
    }
}

/// `EndForeignModify`. After an error it is not called: the server then releases what was opened.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn end(_estate: *mut pg_sys::EState, target: *mut pg_sys::ResultRelInfo) {
    // SAFETY: made by `begin`; its memory goes with the query's.
    unsafe {
        let Some(change) = (*target).ri_FdwState.cast::<Change>().as_mut() else { return };
        (*target).ri_FdwState = std::ptr::null_mut();
        if let Some(unsealer) = change.unsealer.take() {
            unsealer.close();
        }
        pg_sys::ExecDropSingleTupleTableSlot(change.slot);
        change.blocks = None;
    }
}

/// `ExecForeignDelete`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn delete(
    estate: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    below: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures.
    unsafe {
        let change = &mut *(*target).ri_FdwState.cast::<Change>();
        let mut row = or_raise(change.unsealed_row(estate, below));
        if !(*target).ri_projectReturning.is_null() {
            or_raise(change.old_row(row, slot));
        }
        let mut failure = pg_sys::TM_FailureData::default();
        let rows = or_raise(change.open());
        let result = pg_sys::table_tuple_delete(
            rows.table().as_ptr(),
            &raw mut row,
            (*estate).es_output_cid,
            (*estate).es_snapshot,
            std::ptr::null_mut(),
            true,
            &raw mut failure,
            false,
        );
        if change.done(result, &failure, estate) { slot } else { std::ptr::null_mut() }
    }
}

/// `ExecForeignUpdate`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn update(
    estate: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    below: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures.
    unsafe {
        let change = &mut *(*target).ri_FdwState.cast::<Change>();
        let mut row = or_raise(change.unsealed_row(estate, below));
        // For a foreign table the server leaves policies and constraints to us.
        if !(*target).ri_WithCheckOptions.is_null() {
            pg_sys::ExecWithCheckOptions(pg_sys::WCOKind::WCO_RLS_UPDATE_CHECK, target, slot, estate);
        }
        pg_sys::slot_getallattrs(slot);
        let rows = or_raise(change.open());
        let new =
            rows.fill(|position| (*(*slot).tts_values.add(position), *(*slot).tts_isnull.add(position)));
        rows.check_constraints(new);
        let mut failure = pg_sys::TM_FailureData::default();
        let mut lock = pg_sys::LockTupleMode::LockTupleExclusive;
        let mut has_new_entries = false;
        let result = pg_sys::table_tuple_update(
            rows.table().as_ptr(),
            &raw mut row,
            new,
            (*estate).es_output_cid,
            (*estate).es_snapshot,
            std::ptr::null_mut(),
            true,
            &raw mut failure,
            &raw mut lock,
            &raw mut has_new_entries,
        );
        if result == pg_sys::TM_Result::TM_Ok && has_new_entries {
            rows.insert_index_entries(new, true);
        }
        if !change.done(result, &failure, estate) {
            return std::ptr::null_mut();
        }
        if !(*target).ri_WithCheckOptions.is_null() {
            pg_sys::ExecWithCheckOptions(pg_sys::WCOKind::WCO_VIEW_CHECK, target, slot, estate);
        }
        slot
    }
}

impl Change {
    /// The unsealer and its row store, opened when they are needed first.
    fn open(&mut self) -> Result<&mut RowStore> {
        if self.unsealer.is_none() {
            // SAFETY: what it allocates is to live as long as the statement.
            unsafe {
                let before = memory::enter(self.context);
                let opened = Unsealer::open(&self.layout);
                memory::enter(before);
                self.unsealer = Some(opened?);
            }
        }
        self.unsealer
            .as_mut()
            .map(Unsealer::rows)
            .ok_or_else(|| Error::new(Kind::Internal, "the row store is not open"))
    }

    /// Where the row of the plan's row is in the heap; its block is unsealed when it is not yet.
    unsafe fn unsealed_row(
        &mut self,
        estate: *mut pg_sys::EState,
        below: *mut pg_sys::TupleTableSlot,
    ) -> Result<pg_sys::ItemPointerData> {
        // SAFETY: the plan's row has a ctid at that place, which our scan made.
        unsafe {
            let mut is_null = false;
            let ctid = pg_sys::slot_getattr(below, self.ctid.into(), &raw mut is_null);
            if is_null {
                return Err(Error::new(Kind::Internal, "the row to be changed has no ctid"));
            }
            let (block, row) = place::block_and_row(*ctid.cast_mut_ptr::<pg_sys::ItemPointerData>());
            let key = unseal::page_and_line(block);
            if !self.unsealed.contains_key(&key)
                && let Some(places) =
                    unseal::by_another_part(self.layout.blocks, key, command_before(estate)?)
            {
                self.unsealed.insert(key, places);
            }
            if !self.unsealed.contains_key(&key) {
                let command = command_before(estate)?;
                self.open()?;
                let closed = || Error::new(Kind::Internal, "the table of blocks is closed");
                if !fetch(self.blocks.as_ref().ok_or_else(closed)?, block, self.slot) {
                    return Err(Error::new(Kind::Serialization, "a sealed row has gone").hint("Try again."));
                }
                let row = BlockRow { slot: self.slot, columns: self.layout.block_columns() };
                if let Some(unsealer) = &mut self.unsealer {
                    unsealer.unseal(row, command, command, |_| true)?;
                    let places = Rc::new(unsealer.places().to_vec());
                    unseal::tell_other_parts(estate, self.layout.blocks, key, command, &places);
                    self.unsealed.insert(key, places);
                }
                pg_sys::ExecClearTuple(self.slot);
            }
            let places = self.unsealed.get(&key);
            places
                .and_then(|places| places.get(row).copied().flatten())
                .ok_or_else(|| Error::new(Kind::Internal, "the row to be changed is not in its block"))
        }
    }

    /// Puts the row as it was into the slot, for RETURNING.
    unsafe fn old_row(
        &mut self,
        mut row: pg_sys::ItemPointerData,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Result<()> {
        let rows = self.open()?;
        // SAFETY: the slot has the foreign table's columns; the row stands in the heap.
        unsafe {
            let old = pg_sys::table_slot_create(rows.table().as_ptr(), std::ptr::null_mut());
            let any = &raw mut pg_sys::SnapshotAnyData;
            if !pg_sys::table_tuple_fetch_row_version(rows.table().as_ptr(), &raw mut row, any, old) {
                return Err(Error::new(Kind::Internal, "a row that was unsealed is not there"));
            }
            pg_sys::slot_getallattrs(old);
            pg_sys::ExecClearTuple(slot);
            pg_sys::ExecStoreAllNullTuple(slot);
            for (position, target) in rows.positions().iter().enumerate() {
                if let Some(target) = target {
                    *(*slot).tts_values.add(position) = *(*old).tts_values.add(*target);
                    *(*slot).tts_isnull.add(position) = *(*old).tts_isnull.add(*target);
                }
            }
            // The copy stays when the other slot goes.
            pg_sys::ExecMaterializeSlot(slot);
            pg_sys::ExecDropSingleTupleTableSlot(old);
        }
        Ok(())
    }

    /// Whether the change was made; false when this statement itself has changed the row before.
    fn done(
        &self,
        result: pg_sys::TM_Result::Type,
        failure: &pg_sys::TM_FailureData,
        estate: *mut pg_sys::EState,
    ) -> bool {
        // SAFETY: the executor's own structure.
        let command = unsafe { (*estate).es_output_cid };
        match result {
            pg_sys::TM_Result::TM_Ok => true,
            // As the server does with rows of a table: a join may name a row twice.
            pg_sys::TM_Result::TM_SelfModified if failure.cmax == command => false,
            _ => Error::new(
                Kind::Serialization,
                format!("a row of {} was changed meanwhile", relation::name(self.layout.hypertable)),
            )
            .hint("Try again.")
            .raise(),
        }
    }
}

/// `ExecForeignTruncate`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn truncate(
    relations: *mut pg_sys::List,
    _behavior: pg_sys::DropBehavior::Type,
    _restarts: bool,
) {
    // SAFETY: the server's list of open relations.
    unsafe {
        let count = if relations.is_null() { 0 } else { (*relations).length };
        for i in 0..count {
            let sealed = pg_sys::list_nth(relations, i).cast::<pg_sys::RelationData>();
            let layout = or_raise(Layout::of_sealed((*sealed).rd_id));
            let owner = relation::owner(layout.blocks);
            let sql = format!("TRUNCATE TABLE {}", relation::name(layout.blocks));
            or_raise(crate::server::identity::run_as(owner, || Spi::run(&sql)).map_err(Error::from));
        }
    }
}
