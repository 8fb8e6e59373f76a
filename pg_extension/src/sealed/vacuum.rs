//! `VACUUM` of a hypertable takes its blocks along: what reads no block asks the visibility map of the table of blocks.

use std::ptr;

use pgrx::{PgList, is_a, pg_sys};

use crate::{hypertable::layout::Layout, server::error::Result};

/// The statement with the tables of blocks of the hypertables that it names; the statement itself where there are none.
/// `FULL` is left as it is: it writes a table anew, which nobody asked of the blocks.
///
/// # Safety
/// The server's own statement, which may be one that it keeps: it is copied before it is changed.
pub(super) unsafe fn with_blocks(statement: *mut pg_sys::PlannedStmt) -> Result<*mut pg_sys::PlannedStmt> {
    // SAFETY: the caller's promise; nodes are looked at as what their tags say they are.
    unsafe {
        let node = (*statement).utilityStmt;
        if !is_a(node, pg_sys::NodeTag::T_VacuumStmt) {
            return Ok(statement);
        }
        let vacuum = node.cast::<pg_sys::VacuumStmt>();
        let is_full = PgList::<pg_sys::DefElem>::from_pg((*vacuum).options).iter_ptr().any(|option| {
            std::ffi::CStr::from_ptr((*option).defname) == c"full" && pg_sys::defGetBoolean(option)
        });
        if !(*vacuum).is_vacuumcmd || is_full {
            return Ok(statement);
        }
        let mut blocks = Vec::new();
        for table in PgList::<pg_sys::VacuumRelation>::from_pg((*vacuum).rels).iter_ptr() {
            if (*table).relation.is_null() {
                continue;
            }
            let (lock, missing_ok) = (pg_sys::NoLock as i32, pg_sys::RVROption::RVR_MISSING_OK);
            let oid =
                pg_sys::RangeVarGetRelidExtended((*table).relation, lock, missing_ok, None, ptr::null_mut());
            if oid != pg_sys::InvalidOid
                && let Some(layout) = Layout::of_hypertable(oid)?
            {
                blocks.push(layout.blocks);
            }
        }
        if blocks.is_empty() {
            return Ok(statement);
        }
        let copy = pg_sys::copyObjectImpl(statement.cast()).cast::<pg_sys::PlannedStmt>();
        let vacuum = (*copy).utilityStmt.cast::<pg_sys::VacuumStmt>();
        for oid in blocks {
            let table = pg_sys::makeVacuumRelation(ptr::null_mut(), oid, ptr::null_mut());
            (*vacuum).rels = pg_sys::lappend((*vacuum).rels, table.cast());
        }
        Ok(copy)
    }
}
