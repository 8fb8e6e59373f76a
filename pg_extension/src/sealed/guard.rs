//! The guard: an access method for indexes that hold nothing.
//!
//! Every hypertable with sealed rows has one index of it. The server tells an index of every row that enters the
//! heap, by INSERT, COPY or UPDATE, without giving up COPY's batches as a row trigger would; the guard refuses a row
//! whose key a sealed row has. And the server loads this library when it opens the index: whoever plans a query over
//! the table has the library, whatever is preloaded.

use pgrx::{PgBox, PgMemoryContexts, pg_guard, pg_sys, prelude::*};

use super::keys::{self, Keys};
use crate::server::error::{Error, Kind, Result, or_raise};

extension_sql!(
    r#"
CREATE FUNCTION headroom.guard_handler(internal) RETURNS index_am_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'headroom_guard_handler';
COMMENT ON FUNCTION headroom.guard_handler(internal) IS 'For PostgreSQL: how the guard of sealed keys is told of new rows. Not to be called.';
CREATE ACCESS METHOD headroom_guard TYPE INDEX HANDLER headroom.guard_handler;
COMMENT ON ACCESS METHOD headroom_guard IS 'An index that holds nothing and refuses rows whose key a sealed row of the hypertable has';
CREATE OPERATOR CLASS headroom.timestamptz_guard DEFAULT FOR TYPE timestamptz USING headroom_guard AS OPERATOR 1 = (timestamptz, timestamptz);
CREATE OPERATOR CLASS headroom.timestamp_guard DEFAULT FOR TYPE timestamp USING headroom_guard AS OPERATOR 1 = (timestamp, timestamp);
CREATE OPERATOR CLASS headroom.date_guard DEFAULT FOR TYPE date USING headroom_guard AS OPERATOR 1 = (date, date);
CREATE OPERATOR CLASS headroom.int8_guard DEFAULT FOR TYPE int8 USING headroom_guard AS OPERATOR 1 = (int8, int8);
CREATE OPERATOR CLASS headroom.int4_guard DEFAULT FOR TYPE int4 USING headroom_guard AS OPERATOR 1 = (int4, int4);
CREATE OPERATOR CLASS headroom.int2_guard DEFAULT FOR TYPE int2 USING headroom_guard AS OPERATOR 1 = (int2, int2);
"#,
    name = "guard",
    requires = ["hypertables"]
);

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the handler is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_guard_handler() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// The functions of the access method.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_guard_handler(_call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: a node of the server's, made in the memory context of the call.
    let mut routine =
        unsafe { PgBox::<pg_sys::IndexAmRoutine>::alloc_node(pg_sys::NodeTag::T_IndexAmRoutine) };
    routine.amstrategies = 1;
    routine.amoptionalkey = true;
    routine.ampredlocks = true;
    routine.amcaninclude = true;
    routine.ambuild = Some(build);
    routine.ambuildempty = Some(build_empty);
    routine.aminsert = Some(insert);
    routine.ambulkdelete = Some(bulk_delete);
    routine.amvacuumcleanup = Some(vacuum_cleanup);
    routine.amcostestimate = Some(cost_estimate);
    routine.amoptions = Some(options);
    routine.amvalidate = Some(validate);
    routine.ambeginscan = Some(begin_scan);
    routine.amrescan = Some(rescan);
    routine.amendscan = Some(end_scan);
    pg_sys::Datum::from(routine.into_pg())
}

/// A row has entered the heap: refuses it when a sealed row has one of its keys.
#[expect(clippy::too_many_arguments, reason = "the server's signature")]
#[pg_guard]
unsafe extern "C-unwind" fn insert(
    index: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    is_null: *mut bool,
    _place: pg_sys::ItemPointer,
    heap: pg_sys::Relation,
    _check: pg_sys::IndexUniqueCheck::Type,
    _is_unchanged: bool,
    info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: the executor's own structures; the arrays have a value for each column of the index.
    unsafe { or_raise(refuse_sealed_key(index, values, is_null, heap, info)) };
    false
}

/// What a statement remembers of the table into which it inserts.
struct Remembered {
    keys: Option<std::rc::Rc<Keys>>,
    /// Where each column of the foreign table is among the columns of the index.
    columns: Vec<Option<usize>>,
}

unsafe fn refuse_sealed_key(
    index: pg_sys::Relation,
    values: *mut pg_sys::Datum,
    is_null: *mut bool,
    heap: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
) -> Result<()> {
    // SAFETY: the caller's promise; what is remembered lives as long as the index's description in this statement.
    unsafe {
        if keys::is_moving() {
            return Ok(());
        }
        if (*info).ii_AmCache.is_null() {
            let remembered = remember(heap, info)?;
            (*info).ii_AmCache =
                PgMemoryContexts::For((*info).ii_Context).leak_and_drop_on_delete(remembered).cast();
        }
        let remembered = &*(*info).ii_AmCache.cast::<Remembered>();
        let Some(known) = &remembered.keys else { return Ok(()) };
        let value = |position: usize| match remembered.columns.get(position).copied().flatten() {
            Some(column) => (*values.add(column), *is_null.add(column)),
            None => (pg_sys::Datum::from(0), true),
        };
        match known.find(value, |_| true)? {
            None => Ok(()),
            Some(found) => Err(violated(found.index, index)),
        }
    }
}

unsafe fn remember(heap: pg_sys::Relation, info: *mut pg_sys::IndexInfo) -> Result<Remembered> {
    // SAFETY: the executor's own structures.
    unsafe {
        let Some(known) = keys::of((*heap).rd_id)? else {
            return Ok(Remembered { keys: None, columns: Vec::new() });
        };
        let count = (*info).ii_NumIndexAttrs as usize;
        let attributes = &(&(*info).ii_IndexAttrNumbers)[..count];
        let columns = known
            .positions()
            .iter()
            .map(|target| {
                let attribute = i16::try_from((*target)? + 1).ok()?;
                attributes.iter().position(|a| *a == attribute)
            })
            .collect();
        Ok(Remembered { keys: known.has_any().then_some(known), columns })
    }
}

/// The error that the unique index itself would have raised.
fn violated(unique: pg_sys::Oid, guard: pg_sys::Relation) -> Error {
    // SAFETY: look-ups in the server's caches.
    let name = unsafe {
        let name = pg_sys::get_rel_name(unique);
        if name.is_null() {
            String::new()
        } else {
            std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    };
    let _ = guard;
    Error::new(Kind::UniqueViolation, format!("duplicate key value violates unique constraint \"{name}\""))
        .detail("A sealed row has the key already.")
}

#[pg_guard]
unsafe extern "C-unwind" fn build(
    _heap: pg_sys::Relation,
    _index: pg_sys::Relation,
    _info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: memory of the server's, all zero: no tuple was seen and none is in the index.
    unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBuildResult>()).cast() }
}

#[pg_guard]
unsafe extern "C-unwind" fn build_empty(_index: pg_sys::Relation) {}

#[pg_guard]
unsafe extern "C-unwind" fn bulk_delete(
    _info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
    _callback: pg_sys::IndexBulkDeleteCallback,
    _state: *mut std::ffi::c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    if stats.is_null() {
        // SAFETY: memory of the server's.
        return unsafe { pg_sys::palloc0(size_of::<pg_sys::IndexBulkDeleteResult>()).cast() };
    }
    stats
}

#[pg_guard]
unsafe extern "C-unwind" fn vacuum_cleanup(
    _info: *mut pg_sys::IndexVacuumInfo,
    stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    stats
}

/// The planner never gets a path over it, since it cannot be scanned; should it ask, it is told that it is dear.
#[expect(clippy::too_many_arguments, reason = "the server's signature")]
#[pg_guard]
unsafe extern "C-unwind" fn cost_estimate(
    _root: *mut pg_sys::PlannerInfo,
    _path: *mut pg_sys::IndexPath,
    _loops: f64,
    startup: *mut pg_sys::Cost,
    total: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: the planner's own variables.
    unsafe {
        *startup = 1e10;
        *total = 1e10;
        *selectivity = 1.0;
        *correlation = 0.0;
        *pages = 0.0;
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn options(_options: pg_sys::Datum, _validate: bool) -> *mut pg_sys::bytea {
    std::ptr::null_mut()
}

#[pg_guard]
unsafe extern "C-unwind" fn validate(_class: pg_sys::Oid) -> bool {
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn begin_scan(
    _index: pg_sys::Relation,
    _keys: i32,
    _orders: i32,
) -> pg_sys::IndexScanDesc {
    Error::new(Kind::Unsupported, "a guard of sealed keys cannot be scanned: it holds nothing").raise()
}

#[pg_guard]
unsafe extern "C-unwind" fn rescan(
    _scan: pg_sys::IndexScanDesc,
    _keys: pg_sys::ScanKey,
    _count: i32,
    _orders: pg_sys::ScanKey,
    _order_count: i32,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn end_scan(_scan: pg_sys::IndexScanDesc) {}
