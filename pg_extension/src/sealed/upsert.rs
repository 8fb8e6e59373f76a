//! `INSERT … ON CONFLICT` against sealed keys.
//!
//! The server looks for conflicts in the heap's indexes alone. So a statement with that clause gets, for its own
//! run, one more row trigger, which fires after all others: with `DO NOTHING` it leaves out a row whose key is sealed,
//! with `DO UPDATE` it unseals the block that has the key, and the server then finds the conflict itself.

use std::{ffi::CStr, rc::Rc};

use pgrx::{PgMemoryContexts, pg_guard, pg_sys, prelude::*};

use super::{
    block_row::{BlockRow, fetch},
    keys,
    unseal::{self, Unsealer},
};
use crate::{
    hypertable::layout::Layout,
    server::{
        error::{Error, Kind, Result, or_raise},
        relation::Open,
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.meet_sealed_key() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'headroom_meet_sealed_key';
COMMENT ON FUNCTION headroom.meet_sealed_key() IS 'For headroom itself: what INSERT … ON CONFLICT does about sealed keys. Not to be made a trigger.';
"#,
    name = "meet_sealed_key",
    requires = ["hypertables"]
);

/// Gives a statement that begins, and inserts with `ON CONFLICT` into a hypertable with sealed rows, the trigger.
///
/// # Safety
/// The node has been initialised and has not run.
pub(super) unsafe fn prepare(node: *mut pg_sys::ModifyTableState, instrument: i32) -> Result<()> {
    // SAFETY: the caller's promise; everything new lives in the memory context of the query.
    unsafe {
        let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
        if (*node).operation != pg_sys::CmdType::CMD_INSERT
            || (*plan).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_NONE
        {
            return Ok(());
        }
        let target = (*node).resultRelInfo;
        let table = (*(*target).ri_RelationDesc).rd_id;
        if Layout::of_hypertable(table)?.is_none() || !keys::of(table)?.is_some_and(|keys| keys.has_any()) {
            return Ok(());
        }
        let function = own_function()?;
        let arguments = pg_sys::palloc0(2 * size_of::<*mut i8>()).cast::<*mut std::ffi::c_char>();
        let action: &CStr = match (*plan).onConflictAction {
            pg_sys::OnConflictAction::ONCONFLICT_NOTHING => c"nothing",
            _ => c"update",
        };
        *arguments = pg_sys::pstrdup(action.as_ptr());
        // The trigger is told of the node by its address: it runs in this process while the node lives.
        let address = std::ffi::CString::new(format!("{}", node as usize))
            .map_err(|_| Error::new(Kind::Internal, "an address has a zero byte"))?;
        *arguments.add(1) = pg_sys::pstrdup(address.as_ptr());
        let ours = pg_sys::Trigger {
            tgname: pg_sys::pstrdup(c"headroom".as_ptr()),
            tgfoid: function,
            tgtype: (pg_sys::TRIGGER_TYPE_ROW | pg_sys::TRIGGER_TYPE_BEFORE | pg_sys::TRIGGER_TYPE_INSERT)
                as i16,
            tgenabled: pg_sys::TRIGGER_FIRES_ALWAYS as std::ffi::c_char,
            tgisinternal: true,
            tgnargs: 2,
            tgargs: arguments,
            ..Default::default()
        };
        append(target, ours, instrument);
        Ok(())
    }
}

unsafe fn append(target: *mut pg_sys::ResultRelInfo, trigger: pg_sys::Trigger, instrument: i32) {
    // SAFETY: the description is the query's own copy; the arrays are as long as it says.
    unsafe {
        if (*target).ri_TrigDesc.is_null() {
            (*target).ri_TrigDesc = pg_sys::palloc0(size_of::<pg_sys::TriggerDesc>()).cast();
        }
        let description = (*target).ri_TrigDesc;
        let before = (*description).numtriggers as usize;
        let count = before + 1;
        let triggers = pg_sys::palloc0(count * size_of::<pg_sys::Trigger>()).cast::<pg_sys::Trigger>();
        if before > 0 {
            triggers.copy_from_nonoverlapping((*description).triggers, before);
        }
        triggers.add(before).write(trigger);
        (*description).triggers = triggers;
        (*description).numtriggers = count as i32;
        (*description).trig_insert_before_row = true;
        // Nothing has been put into these yet: the statement has not run.
        (*target).ri_TrigFunctions = pg_sys::palloc0(count * size_of::<pg_sys::FmgrInfo>()).cast();
        (*target).ri_TrigWhenExprs = pg_sys::palloc0(count * size_of::<*mut pg_sys::ExprState>()).cast();
        if instrument != 0 {
            (*target).ri_TrigInstrument = pg_sys::InstrAlloc(count as i32, instrument, false);
        }
    }
}

fn own_function() -> Result<pg_sys::Oid> {
    // SAFETY: look-ups in the server's caches.
    let found = unsafe {
        let mut name = pgrx::PgList::<pg_sys::Node>::new();
        name.push(pg_sys::makeString(pg_sys::pstrdup(c"headroom".as_ptr())).cast());
        name.push(pg_sys::makeString(pg_sys::pstrdup(c"meet_sealed_key".as_ptr())).cast());
        pg_sys::LookupFuncName(name.into_pg(), 0, std::ptr::null(), true)
    };
    if found == pg_sys::InvalidOid {
        return Err(Error::new(
            Kind::Undefined,
            "headroom's own function headroom.meet_sealed_key() is missing",
        )
        .hint("ALTER EXTENSION headroom UPDATE;"));
    }
    Ok(found)
}

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the trigger is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_meet_sealed_key() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// The trigger.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_meet_sealed_key(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: a trigger is called with its data; only `prepare` makes triggers of this function with these arguments.
    unsafe {
        let context = (*call).context;
        if context.is_null() || !pgrx::is_a(context, pg_sys::NodeTag::T_TriggerData) {
            misused().raise();
        }
        let data = context.cast::<pg_sys::TriggerData>();
        let trigger = (*data).tg_trigger;
        if (*trigger).tgoid != pg_sys::InvalidOid || (*trigger).tgnargs != 2 {
            misused().raise();
        }
        let keeps = or_raise(meet(data, &*statement(call, data)));
        pg_sys::Datum::from(if keeps { (*data).tg_trigtuple } else { std::ptr::null_mut() })
    }
}

fn misused() -> Error {
    Error::new(Kind::WrongObject, "headroom.meet_sealed_key() is not to be called").hint("DROP TRIGGER …;")
}

/// What the trigger remembers while its statement runs.
struct Statement {
    updates: bool,
    node: *mut pg_sys::ModifyTableState,
    known: Option<Rc<keys::Keys>>,
}

/// The statement of this call: made at the first one, kept with the server's description of the function.
unsafe fn statement(call: pg_sys::FunctionCallInfo, data: *mut pg_sys::TriggerData) -> *const Statement {
    // SAFETY: as the trigger's; the description lives as long as the statement.
    unsafe {
        let function = (*call).flinfo;
        if (*function).fn_extra.is_null() {
            let arguments = (*(*data).tg_trigger).tgargs;
            let address = CStr::from_ptr(*arguments.add(1)).to_str().ok();
            let address = address.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
            let made = Statement {
                updates: CStr::from_ptr(*arguments) == c"update",
                node: address as *mut pg_sys::ModifyTableState,
                known: or_raise(keys::of((*(*data).tg_relation).rd_id)),
            };
            (*function).fn_extra =
                PgMemoryContexts::For((*function).fn_mcxt).leak_and_drop_on_delete(made).cast();
        }
        (*function).fn_extra.cast()
    }
}

/// Whether the row is to be inserted.
unsafe fn meet(data: *mut pg_sys::TriggerData, statement: &Statement) -> Result<bool> {
    // SAFETY: as the trigger's.
    unsafe {
        let Statement { updates, node, known: Some(known) } = statement else { return Ok(true) };
        let (updates, node) = (*updates, *node);
        let slot = (*data).tg_trigslot;
        pg_sys::slot_getallattrs(slot);
        let value = |position: usize| match known.positions()[position] {
            Some(target) => (*(*slot).tts_values.add(target), *(*slot).tts_isnull.add(target)),
            None => (pg_sys::Datum::from(0), true),
        };
        let arbiters = (*(*node).ps.plan.cast::<pg_sys::ModifyTable>()).arbiterIndexes;
        let is_arbiter = |index| arbiters.is_null() || pg_sys::list_member_oid(arbiters, index);
        let Some(found) = known.find(value, is_arbiter)? else { return Ok(true) };
        let estate = (*node).ps.state;
        if !updates {
            // The row is left out, but only after it has passed what the server checks before it looks for conflicts.
            let target = (*node).resultRelInfo;
            if !(*target).ri_WithCheckOptions.is_null() {
                pg_sys::ExecWithCheckOptions(pg_sys::WCOKind::WCO_RLS_INSERT_CHECK, target, slot, estate);
            }
            if !(*(*(*target).ri_RelationDesc).rd_att).constr.is_null() {
                pg_sys::ExecConstraints(target, slot, estate);
            }
            return Ok(false);
        }
        let command = command_before(estate)?;
        let blocks = Open::with(known.index.layout.blocks, pg_sys::RowExclusiveLock);
        let slot = pg_sys::table_slot_create(blocks.as_ptr(), std::ptr::null_mut());
        if fetch(&blocks, found.block, slot) {
            let mut unsealer = Unsealer::open(&known.index.layout)?;
            let row = BlockRow { slot, columns: known.index.layout.block_columns() };
            unsealer.unseal(row, command, command, |_| true)?;
            let places = Rc::new(unsealer.places().to_vec());
            let place = unseal::page_and_line(found.block);
            unseal::tell_other_parts(estate, known.index.layout.blocks, place, command, &places);
            unsealer.close();
        }
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        Ok(true)
    }
}

/// The command before the one that the statement writes as: what is inserted as of it is invisible to the statement's
/// snapshot and can be changed by the statement. The hook at the statement's start has made room for it.
///
/// # Safety
/// The state is that of a running statement.
pub(super) unsafe fn command_before(estate: *mut pg_sys::EState) -> Result<pg_sys::CommandId> {
    // SAFETY: the caller's promise.
    unsafe {
        let (writes, sees) = ((*estate).es_output_cid, (*(*estate).es_snapshot).curcid);
        if writes > sees {
            return Ok(writes - 1);
        }
        Err(Error::new(Kind::NotReady, "sealed rows cannot be changed by this statement")
            .detail("headroom's library was loaded after the statement had begun.")
            .hint("Try again, or LOAD 'headroom'; best, add headroom to shared_preload_libraries."))
    }
}
