//! What is done to statements as they begin. Reading needs none of this: only statements that change sealed rows, and
//! those that leave them out by their own word.

use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::{aggregate, block_query, upsert, vacuum};
use crate::{
    hypertable::layout::Layout,
    server::{
        error::{Result, or_raise},
        relation,
    },
};

static mut NEXT_EXECUTOR_START: pg_sys::ExecutorStart_hook_type = None;
static mut NEXT_PATHS: pg_sys::set_rel_pathlist_hook_type = None;
static mut NEXT_UPPER_PATHS: pg_sys::create_upper_paths_hook_type = None;
static mut NEXT_UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// Puts them in place.
pub(crate) fn install() {
    aggregate::register();
    // SAFETY: called once, while the server loads the library; the variables belong to the server's one thread.
    unsafe {
        NEXT_EXECUTOR_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
        NEXT_PATHS = pg_sys::set_rel_pathlist_hook;
        pg_sys::set_rel_pathlist_hook = Some(paths);
        NEXT_UPPER_PATHS = pg_sys::create_upper_paths_hook;
        pg_sys::create_upper_paths_hook = Some(upper_paths);
        NEXT_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
    }
}

/// A statement begins.
#[pg_guard]
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, flags: i32) {
    // SAFETY: the executor's own structures.
    unsafe {
        let changes = flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 == 0
            && or_raise(changes_sealed_rows((*query).plannedstmt));
        if changes {
            // Room for one command between what the statement sees and what it writes: rows that it unseals are
            // inserted as of that one, so that its scans do not see them and its changes can touch them.
            pg_sys::GetCurrentCommandId(true);
            pg_sys::CommandCounterIncrement();
        }
        match NEXT_EXECUTOR_START {
            Some(next) => next(query, flags),
            None => pg_sys::standard_ExecutorStart(query, flags),
        }
        if changes {
            or_raise(prepare(query));
        }
    }
}

/// Whether a statement may change sealed rows: it updates or deletes in, or inserts with ON CONFLICT into, a
/// hypertable that has some.
unsafe fn changes_sealed_rows(statement: *mut pg_sys::PlannedStmt) -> Result<bool> {
    // SAFETY: the executor's own structures.
    unsafe {
        let targets = (*statement).resultRelations;
        let count = if targets.is_null() { 0 } else { (*targets).length };
        for i in 0..count {
            let index = pg_sys::list_nth_int(targets, i);
            let entry = pg_sys::list_nth((*statement).rtable, index - 1).cast::<pg_sys::RangeTblEntry>();
            if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                && (Layout::is_known_sealed((*entry).relid)
                    || Layout::of_hypertable((*entry).relid)?.is_some())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

unsafe fn prepare(query: *mut pg_sys::QueryDesc) -> Result<()> {
    // SAFETY: the executor's own structures, initialised and not yet run.
    unsafe {
        let before = crate::server::memory::enter((*(*query).estate).es_query_cxt);
        let instrument = (*(*query).estate).es_instrument;
        let top = (*query).planstate;
        if is_a(top.cast(), pg_sys::NodeTag::T_ModifyTableState) {
            upsert::prepare(top.cast(), instrument)?;
        }
        let others = (*(*query).estate).es_auxmodifytables;
        let count = if others.is_null() { 0 } else { (*others).length };
        for i in 0..count {
            upsert::prepare(pg_sys::list_nth(others, i).cast(), instrument)?;
        }
        crate::server::memory::enter(before);
        Ok(())
    }
}

/// The planner looks for paths over a relation: tells who asked for a hypertable alone what that leaves out, and leaves
/// the row store out where blocks alone were asked for.
#[pg_guard]
unsafe extern "C-unwind" fn paths(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    index: pg_sys::Index,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: the planner's own structures.
    unsafe {
        if let Some(next) = NEXT_PATHS {
            next(root, relation, index, entry);
        }
        if (*relation).reloptkind == pg_sys::RelOptKind::RELOPT_OTHER_MEMBER_REL
            && block_query::leaves_out(root, (*entry).relid)
        {
            pg_sys::mark_dummy_rel(relation);
        }
        if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
            && (*relation).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && !(*entry).inh
            && !query_is_ours()
            && let Some(layout) = or_raise(Layout::of_hypertable((*entry).relid))
        {
            warn("ONLY", &layout);
        }
    }
}

/// The planner looks for ways to group.
#[pg_guard]
unsafe extern "C-unwind" fn upper_paths(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut std::ffi::c_void,
) {
    // SAFETY: the planner's own structures.
    unsafe {
        if let Some(next) = NEXT_UPPER_PATHS {
            next(root, stage, input, output, extra);
        }
        aggregate::consider(root, stage, input, output, extra);
    }
}

/// Whether the statement is one of headroom's own, which mean what they say.
fn query_is_ours() -> bool {
    crate::server::own_query::is_running()
}

/// A warning that sealed rows are left out.
fn warn(word: &str, layout: &Layout) {
    let name = relation::name(layout.hypertable);
    pgrx::ereport!(
        pgrx::PgLogLevel::WARNING,
        pgrx::PgSqlErrorCode::ERRCODE_WARNING,
        format!("{word} means the rows of {name} that are not sealed"),
        match word {
            "ONLY" => format!("Leave ONLY out to get all rows of {name}."),
            _ => format!(
                "COPY (SELECT * FROM {name}) TO … gives all rows. A dump of the whole database holds the sealed rows as blocks."
            ),
        }
    );
}

/// Warns when the table has sealed rows.
///
/// # Safety
/// A name of the server's own parse tree.
unsafe fn warn_of_sealed_rows(word: &str, table: *mut pg_sys::RangeVar) {
    let (lock, missing_ok) = (pg_sys::AccessShareLock as i32, pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: the caller's promise.
    let oid =
        unsafe { pg_sys::RangeVarGetRelidExtended(table, lock, missing_ok, None, std::ptr::null_mut()) };
    if oid != pg_sys::InvalidOid
        && let Some(layout) = or_raise(Layout::of_hypertable(oid))
    {
        warn(word, &layout);
    }
}

/// A utility statement: `COPY table TO` and `TRUNCATE ONLY` mean the heap alone, `VACUUM` takes the blocks along.
#[expect(clippy::too_many_arguments, reason = "the server's signature")]
#[pg_guard]
unsafe extern "C-unwind" fn utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const std::ffi::c_char,
    is_read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the server's own structures.
    unsafe {
        let node = (*statement).utilityStmt;
        if is_a(node, pg_sys::NodeTag::T_CopyStmt) {
            let copy = node.cast::<pg_sys::CopyStmt>();
            if !(*copy).is_from && !(*copy).relation.is_null() {
                warn_of_sealed_rows("COPY … TO", (*copy).relation);
            }
        }
        if is_a(node, pg_sys::NodeTag::T_TruncateStmt) {
            let tables = (*node.cast::<pg_sys::TruncateStmt>()).relations;
            for table in PgList::<pg_sys::RangeVar>::from_pg(tables).iter_ptr().filter(|t| !(**t).inh) {
                warn_of_sealed_rows("ONLY", table);
            }
        }
        let statement = or_raise(vacuum::with_blocks(statement));
        match NEXT_UTILITY {
            Some(next) => {
                next(statement, text, is_read_only, context, parameters, environment, receiver, completion)
            }
            None => pg_sys::standard_ProcessUtility(
                statement,
                text,
                is_read_only,
                context,
                parameters,
                environment,
                receiver,
                completion,
            ),
        }
    }
}
