//! A query of our own whose rows are taken one at a time. It is planned and run as the caller, under the caller's
//! snapshot: what two cursors of one function see belongs together.

use std::{
    ffi::{CStr, CString},
    ptr,
};

use pgrx::pg_sys;

use super::{
    error::{Error, Kind, Result},
    memory, own_query,
};

/// A running query. To be closed; after an error the server releases what it holds.
pub(crate) struct Cursor {
    description: *mut pg_sys::QueryDesc,
}

impl Cursor {
    /// Plans a query and begins to run it.
    pub(crate) fn open(sql: &str, arguments: &[(pg_sys::Oid, pg_sys::Datum)]) -> Result<Self> {
        let cursor = Self::open_if(sql, arguments, |_, plan| Some(plan()))?;
        cursor.ok_or_else(|| Error::new(Kind::Internal, "a query has no plan"))
    }

    /// Plans a query and begins to run it, unless `planned` gives no plan. It is told the query, by whose pointer the
    /// planner's hooks know it, and what plans it.
    pub(crate) fn open_if(
        sql: &str,
        arguments: &[(pg_sys::Oid, pg_sys::Datum)],
        planned: impl FnOnce(
            *mut pg_sys::Query,
            &mut dyn FnMut() -> *mut pg_sys::PlannedStmt,
        ) -> Option<*mut pg_sys::PlannedStmt>,
    ) -> Result<Option<Self>> {
        let text = CString::new(sql).map_err(|_| Error::new(Kind::Internal, "a query has a zero byte"))?;
        let types: Vec<_> = arguments.iter().map(|(oid, _)| *oid).collect();
        own_query::run(|| Self::begin(&text, arguments, &types, planned))
    }

    fn begin(
        text: &CStr,
        arguments: &[(pg_sys::Oid, pg_sys::Datum)],
        types: &[pg_sys::Oid],
        planned: impl FnOnce(
            *mut pg_sys::Query,
            &mut dyn FnMut() -> *mut pg_sys::PlannedStmt,
        ) -> Option<*mut pg_sys::PlannedStmt>,
    ) -> Result<Option<Self>> {
        // SAFETY: everything is made in the current memory context, where the function that asks lives, and a snapshot
        // is active while any function runs.
        unsafe {
            let text = pg_sys::pstrdup(text.as_ptr());
            let parsed = pg_sys::list_nth(pg_sys::pg_parse_query(text), 0);
            let count = types.len() as i32;
            let rewritten = pg_sys::pg_analyze_and_rewrite_fixedparams(
                parsed.cast(),
                text,
                types.as_ptr(),
                count,
                ptr::null_mut(),
            );
            let query = pg_sys::list_nth(rewritten, 0).cast::<pg_sys::Query>();
            let parameters = parameters(arguments);
            let mut plan = || pg_sys::pg_plan_query(query, text, 0, parameters);
            let Some(plan) = planned(query, &mut plan) else { return Ok(None) };
            let description = pg_sys::CreateQueryDesc(
                plan,
                text,
                pg_sys::GetActiveSnapshot(),
                ptr::null_mut(),
                ptr::null_mut(),
                parameters,
                ptr::null_mut(),
                0,
            );
            pg_sys::ExecutorStart(description, 0);
            Ok(Some(Self { description }))
        }
    }

    /// The running plan.
    pub(crate) fn top(&self) -> *mut pg_sys::PlanState {
        // SAFETY: the executor has begun.
        unsafe { (*self.description).planstate }
    }

    /// The next row, deformed; good until the one after it is asked for.
    pub(crate) fn next(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        // SAFETY: the executor has begun and not ended; each row's own memory is emptied before the next.
        unsafe {
            let estate = (*self.description).estate;
            let before = memory::enter((*estate).es_query_cxt);
            if let Some(row) = (*estate).es_per_tuple_exprcontext.as_ref() {
                pg_sys::MemoryContextReset(row.ecxt_per_tuple_memory);
            }
            let slot = pg_sys::ExecProcNode((*self.description).planstate);
            memory::enter(before);
            if slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
                return None;
            }
            pg_sys::slot_getallattrs(slot);
            Some(slot)
        }
    }

    /// Ends the query.
    pub(crate) fn close(self) {
        // SAFETY: begun once, ended once.
        unsafe {
            pg_sys::ExecutorFinish(self.description);
            pg_sys::ExecutorEnd(self.description);
            pg_sys::FreeQueryDesc(self.description);
        }
    }
}

/// Values for the parameters of a query; null when it has none.
///
/// # Safety
/// The values are of their types and live until the query has run.
unsafe fn parameters(arguments: &[(pg_sys::Oid, pg_sys::Datum)]) -> pg_sys::ParamListInfo {
    if arguments.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: the list has as many parameters as it was made for.
    unsafe {
        let parameters = pg_sys::makeParamList(arguments.len() as i32);
        let slots = (*parameters).params.as_mut_slice(arguments.len());
        for (slot, (oid, value)) in slots.iter_mut().zip(arguments) {
            slot.value = *value;
            slot.isnull = false;
            slot.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            slot.ptype = *oid;
        }
        parameters
    }
}
