//! The wrapper, its server, and which function answers which question of PostgreSQL's.

use pgrx::{PgBox, pg_sys, prelude::*};

use super::{explain, modify, parallel, paths, plan, sample, scan};

extension_sql!(
    r#"
CREATE FUNCTION headroom.sealed_rows_handler() RETURNS fdw_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'headroom_sealed_rows_handler';
COMMENT ON FUNCTION headroom.sealed_rows_handler() IS 'For PostgreSQL: how the foreign tables of sealed rows are read. Not to be called.';
CREATE FOREIGN DATA WRAPPER headroom HANDLER headroom.sealed_rows_handler;
COMMENT ON FOREIGN DATA WRAPPER headroom IS 'Shows the sealed rows of a hypertable as a foreign table that inherits from it';
CREATE SERVER headroom FOREIGN DATA WRAPPER headroom;
COMMENT ON SERVER headroom IS 'This database''s own blocks of sealed rows';
GRANT USAGE ON FOREIGN SERVER headroom TO PUBLIC;
"#,
    name = "sealed_rows_wrapper",
    requires = ["hypertables"]
);

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the handler is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_sealed_rows_handler() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// The functions that read sealed rows.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_sealed_rows_handler(
    _call: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: a node of the server's, made in the memory context of the call.
    let mut routine = unsafe { PgBox::<pg_sys::FdwRoutine>::alloc_node(pg_sys::NodeTag::T_FdwRoutine) };
    routine.GetForeignRelSize = Some(paths::size);
    routine.GetForeignPaths = Some(paths::paths);
    routine.GetForeignPlan = Some(plan::plan);
    routine.BeginForeignScan = Some(scan::begin);
    routine.IterateForeignScan = Some(scan::iterate);
    routine.ReScanForeignScan = Some(scan::rescan);
    routine.EndForeignScan = Some(scan::end);
    routine.ExplainForeignScan = Some(explain::scan);
    routine.AnalyzeForeignTable = Some(sample::analyze);
    routine.IsForeignScanParallelSafe = Some(parallel::is_safe);
    routine.EstimateDSMForeignScan = Some(parallel::estimate);
    routine.InitializeDSMForeignScan = Some(parallel::initialize);
    routine.ReInitializeDSMForeignScan = Some(parallel::reinitialize);
    routine.InitializeWorkerForeignScan = Some(parallel::initialize_worker);
    routine.AddForeignUpdateTargets = Some(modify::add_targets);
    routine.PlanForeignModify = Some(modify::plan);
    routine.BeginForeignModify = Some(modify::begin);
    routine.ExecForeignUpdate = Some(modify::update);
    routine.ExecForeignDelete = Some(modify::delete);
    routine.EndForeignModify = Some(modify::end);
    routine.ExecForeignTruncate = Some(modify::truncate);
    pg_sys::Datum::from(routine.into_pg())
}
