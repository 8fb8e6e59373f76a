//! The path beside the server's own: the row store's scan and the scan of blocks under one node that aggregates.

use std::{ffi::CStr, ptr};

use pgrx::{PgList, is_a, pg_guard, pg_sys};

use super::{
    node,
    recognise::Table,
    spec::{Spec, What},
};
use crate::{
    hypertable::layout::Layout,
    sealed::{
        carried::{Give, Order, ROWS_A_BLOCK},
        conditions, paths,
    },
    server::error::{Result, or_raise},
};

/// Rows that a day of a block is taken to have.
const ROWS_A_DAY: f64 = 24.0;

const NAME: &CStr = c"HeadroomAggregate";

/// The methods of a node hold pointers to functions and a name, which live as long as the library.
struct Methods<T>(T);
// SAFETY: never changed.
unsafe impl<T> Sync for Methods<T> {}

static PATH: Methods<pg_sys::CustomPathMethods> = Methods(pg_sys::CustomPathMethods {
    CustomName: NAME.as_ptr(),
    PlanCustomPath: Some(make_plan),
    ReparameterizeCustomPathByChild: None,
});
static SCAN: Methods<pg_sys::CustomScanMethods> = Methods(pg_sys::CustomScanMethods {
    CustomName: NAME.as_ptr(),
    CreateCustomScanState: Some(node::make_state),
});

/// Tells the server of the node, once.
pub(in crate::sealed) fn register() {
    // SAFETY: the methods live for ever.
    unsafe { pg_sys::RegisterCustomScanMethods(&raw const SCAN.0) };
}

/// `create_upper_paths_hook`: adds the path when a query groups a hypertable and nothing else.
///
/// # Safety
/// The planner's own structures.
pub(in crate::sealed) unsafe fn consider(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    extra: *mut std::ffi::c_void,
) {
    if stage != pg_sys::UpperRelationKind::UPPERREL_GROUP_AGG || extra.is_null() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let having = (*extra.cast::<pg_sys::GroupPathExtraData>()).havingQual.cast::<pg_sys::List>();
        or_raise(add_path(root, input, output, having));
    }
}

/// The children of a hypertable in a query.
struct Children {
    rows: *mut pg_sys::RelOptInfo,
    sealed: *mut pg_sys::RelOptInfo,
}

unsafe fn children(
    root: *mut pg_sys::PlannerInfo,
    input: *mut pg_sys::RelOptInfo,
    layout: &Layout,
) -> Option<Children> {
    let mut found = Children { rows: ptr::null_mut(), sealed: ptr::null_mut() };
    // SAFETY: the planner's own structures.
    unsafe {
        for appended in PgList::<pg_sys::AppendRelInfo>::from_pg((*root).append_rel_list).iter_ptr() {
            if (*appended).parent_relid != (*input).relid {
                continue;
            }
            let child = (*appended).child_relid as usize;
            let relation = (**(*root).simple_rte_array.add(child)).relid;
            let place = if relation == layout.hypertable {
                &mut found.rows
            } else if relation == layout.sealed {
                &mut found.sealed
            } else {
                return None;
            };
            *place = *(*root).simple_rel_array.add(child);
        }
    }
    (!found.rows.is_null() && !found.sealed.is_null()).then_some(found)
}

unsafe fn add_path(
    root: *mut pg_sys::PlannerInfo,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    having: *mut pg_sys::List,
) -> Result<()> {
    // SAFETY: the planner's own structures.
    unsafe {
        let query = (*root).parse;
        if (*input).reloptkind != pg_sys::RelOptKind::RELOPT_BASEREL
            || (*input).rtekind != pg_sys::RTEKind::RTE_RELATION
            || !(*input).lateral_relids.is_null()
            || !(*query).groupingSets.is_null()
            || (*query).hasTargetSRFs
            || (*query).hasWindowFuncs
            || !(*query).rowMarks.is_null()
        {
            return Ok(());
        }
        let entry = *(*root).simple_rte_array.add((*input).relid as usize);
        if !(*entry).inh || !(*entry).tablesample.is_null() {
            return Ok(());
        }
        let Some(layout) = Layout::of_hypertable((*entry).relid)? else { return Ok(()) };
        let Some(children) = children(root, input, &layout) else { return Ok(()) };
        if pg_sys::is_dummy_rel(children.sealed) || !conditions_fit(root, &layout, children.sealed) {
            return Ok(());
        }
        let rows = (!pg_sys::is_dummy_rel(children.rows))
            .then(|| ((*children.rows).relid, (*(*children.rows).reltarget).exprs));
        let table = Table { layout: &layout, index: (*input).relid, rows };
        let Some((spec, scanned)) = recognise(root, &table, output, having) else { return Ok(()) };
        let is_ordered = spec.is_by_segment();
        if spec.functions.iter().any(|f| matches!(f.what, What::First | What::Last)) && !is_ordered {
            // Of equal times of several segments the server takes whichever it meets.
            return Ok(());
        }
        let groups = PgList::<pg_sys::Path>::from_pg((*output).pathlist)
            .iter_ptr()
            .map(|path| (*path).rows)
            .next()
            .unwrap_or(1.0);
        // Groups of one segment are kept at a time; those of all segments must fit.
        let bytes = groups * (64 + 48 * spec.functions.len()) as f64;
        if !is_ordered && bytes > f64::from(pg_sys::work_mem) * 1024.0 {
            return Ok(());
        }
        let Some(paths) = child_paths(root, input, &layout, &children, is_ordered) else { return Ok(()) };
        let blocks = ((*children.sealed).rows / ROWS_A_BLOCK).max(1.0);
        // A block whose rows are cut by buckets is decoded, the others are answered from their heads or by day.
        let decoded = match spec.buckets() {
            Some(buckets) if !buckets.are_whole_days() => (*children.sealed).rows,
            Some(_) => (*children.sealed).rows / ROWS_A_DAY,
            None => 0.0,
        };
        let path = pg_sys::palloc0(size_of::<pg_sys::CustomPath>()).cast::<pg_sys::CustomPath>();
        (*path).path.type_ = pg_sys::NodeTag::T_CustomPath;
        (*path).path.pathtype = pg_sys::NodeTag::T_CustomScan;
        (*path).path.parent = output;
        (*path).path.pathtarget = (*output).reltarget;
        (*path).path.rows = groups;
        let read = paths.iter().map(|path| (**path).total_cost).sum::<f64>();
        (*path).path.total_cost = read
            + blocks * pg_sys::cpu_tuple_cost
            + decoded * pg_sys::cpu_operator_cost
            + groups * pg_sys::cpu_tuple_cost;
        (*path).path.startup_cost = if is_ordered { 0.0 } else { (*path).path.total_cost };
        (*path).flags = pg_sys::CUSTOMPATH_SUPPORT_PROJECTION;
        for child in paths {
            (*path).custom_paths = pg_sys::lappend((*path).custom_paths, child.cast());
        }
        let mut encoded = ptr::null_mut();
        for integer in spec.encode() {
            encoded = pg_sys::lappend_int(encoded, integer);
        }
        for part in [encoded, scanned, having] {
            (*path).custom_private = pg_sys::lappend((*path).custom_private, part.cast());
        }
        (*path).methods = &raw const PATH.0;
        pg_sys::add_path(output, (&raw mut (*path).path).cast());
        Ok(())
    }
}

/// Whether every condition can be checked once a block, or is a bound of the time.
unsafe fn conditions_fit(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    sealed: *mut pg_sys::RelOptInfo,
) -> bool {
    // SAFETY: the planner's own structures.
    unsafe {
        PgList::<pg_sys::RestrictInfo>::from_pg((*sealed).baserestrictinfo).iter_ptr().all(|info| {
            let clause = (*info).clause;
            !(*info).pseudoconstant
                && (conditions::is_bound(root, layout, (*sealed).relid, clause)
                    || conditions::is_of_segment(layout, (*sealed).relid, clause.cast()))
        })
    }
}

/// What the query computes and the columns of the node's rows; nothing when it is anything else.
unsafe fn recognise(
    root: *mut pg_sys::PlannerInfo,
    table: &Table<'_>,
    output: *mut pg_sys::RelOptInfo,
    having: *mut pg_sys::List,
) -> Option<(Spec, *mut pg_sys::List)> {
    // SAFETY: the planner's own structures.
    unsafe {
        let mut spec = Spec::default();
        let mut columns: *mut pg_sys::List = ptr::null_mut();
        let add = |columns: *mut pg_sys::List, expression: *mut pg_sys::Expr| {
            let number = if columns.is_null() { 1 } else { (*columns).length + 1 };
            pg_sys::lappend(
                columns,
                pg_sys::makeTargetEntry(expression, number as i16, ptr::null_mut(), false).cast(),
            )
        };
        let is_there = |columns: *mut pg_sys::List, expression: *mut std::ffi::c_void| {
            PgList::<pg_sys::TargetEntry>::from_pg(columns)
                .iter_ptr()
                .any(|entry| pg_sys::equal((*entry).expr.cast(), expression))
        };
        for clause in PgList::<pg_sys::SortGroupClause>::from_pg((*(*root).parse).groupClause).iter_ptr() {
            let expression = pg_sys::get_sortgroupclause_expr(clause, (*root).processed_tlist);
            let key = table.key(expression.cast())?;
            if spec.keys.contains(&key) {
                continue;
            }
            if spec.buckets().is_some() && key != super::spec::Key::Segment {
                return None;
            }
            spec.keys.push(key);
            columns = add(columns, expression.cast());
        }
        let mut parts =
            PgList::<pg_sys::Expr>::from_pg((*(*output).reltarget).exprs).iter_ptr().collect::<Vec<_>>();
        if pg_sys::contain_subplans(having.cast()) {
            return None;
        }
        parts.extend(PgList::<pg_sys::Expr>::from_pg(having).iter_ptr());
        for part in parts {
            if is_there(columns, part.cast()) {
                continue;
            }
            let flags = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
            let found = pg_sys::pull_var_clause(part.cast(), flags as i32);
            for node in PgList::<pg_sys::Expr>::from_pg(found).iter_ptr() {
                if is_there(columns, node.cast()) {
                    continue;
                }
                if !is_a(node.cast(), pg_sys::NodeTag::T_Aggref) {
                    return None;
                }
                spec.functions.push(table.function(node.cast())?);
                columns = add(columns, node);
            }
        }
        spec.segment_in_row = in_row(table, table.layout.segment, spec.is_by_segment())?;
        let needs_time = spec.buckets().is_some()
            || spec.functions.iter().any(|f| matches!(f.what, What::First | What::Last));
        spec.time_in_row = in_row(table, Some(table.layout.time), needs_time)?;
        Some((spec, columns))
    }
}

/// Where a column of the layout stands among those of the row store's scan; 0 when it is not needed.
unsafe fn in_row(table: &Table<'_>, position: Option<usize>, is_needed: bool) -> Option<usize> {
    let (true, Some((index, scanned))) = (is_needed, table.rows) else { return Some(0) };
    let rows = Table { index, ..*table };
    // SAFETY: the planner's own structures.
    unsafe {
        PgList::<pg_sys::Expr>::from_pg(scanned)
            .iter_ptr()
            .position(|expression| rows.position(expression) == position)
    }
}

/// The scan of blocks and that of the row store, by rising segment when that is needed.
unsafe fn child_paths(
    root: *mut pg_sys::PlannerInfo,
    input: *mut pg_sys::RelOptInfo,
    layout: &Layout,
    children: &Children,
    is_ordered: bool,
) -> Option<Vec<*mut pg_sys::Path>> {
    // SAFETY: the planner's own structures.
    unsafe {
        let order = if is_ordered { Order::Rising } else { Order::Any };
        let mut paths = vec![paths::path_of_blocks(root, children.sealed, layout, order, Give::Blocks)];
        if pg_sys::is_dummy_rel(children.rows) {
            return Some(paths);
        }
        let mut path = (*children.rows).cheapest_total_path;
        if path.is_null() || !(*path).param_info.is_null() {
            return None;
        }
        if is_ordered && !is_one_segment(root, layout, children.sealed) {
            let segment = layout.segment?;
            let key = PgList::<pg_sys::PathKey>::from_pg((*root).group_pathkeys).iter_ptr().find(|key| {
                let members = PgList::<pg_sys::EquivalenceMember>::from_pg((*(**key).pk_eclass).ec_members);
                members.iter_ptr().any(|member| {
                    let table = Table { layout, index: (*input).relid, rows: None };
                    table.position((*member).em_expr) == Some(segment)
                })
            })?;
            let rising = pg_sys::make_canonical_pathkey(root, (*key).pk_eclass, (*key).pk_opfamily, 1, false);
            let keys = pg_sys::lappend(ptr::null_mut(), rising.cast());
            if !pg_sys::pathkeys_contained_in(keys, (*path).pathkeys) {
                path = pg_sys::create_sort_path(root, children.rows, path, keys, -1.0).cast();
            }
        }
        paths.push(path);
        Some(paths)
    }
}

/// Whether the conditions leave one segment.
unsafe fn is_one_segment(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    sealed: *mut pg_sys::RelOptInfo,
) -> bool {
    // SAFETY: the planner's own structures.
    unsafe {
        let clauses = pg_sys::extract_actual_clauses((*sealed).baserestrictinfo, false);
        let known = conditions::among(root, layout, (*sealed).relid, clauses);
        layout.segment.is_some_and(|segment| known.iter().any(|condition| condition.fixes(segment)))
    }
}

/// `PlanCustomPath`.
#[pg_guard]
unsafe extern "C-unwind" fn make_plan(
    _root: *mut pg_sys::PlannerInfo,
    _output: *mut pg_sys::RelOptInfo,
    path: *mut pg_sys::CustomPath,
    target: *mut pg_sys::List,
    _clauses: *mut pg_sys::List,
    plans: *mut pg_sys::List,
) -> *mut pg_sys::Plan {
    // SAFETY: a node of the server's, filled as it wants it.
    unsafe {
        let scan = pg_sys::palloc0(size_of::<pg_sys::CustomScan>()).cast::<pg_sys::CustomScan>();
        let part = |i: i32| pg_sys::list_nth((*path).custom_private, i).cast::<pg_sys::List>();
        (*scan).scan.plan.type_ = pg_sys::NodeTag::T_CustomScan;
        (*scan).scan.plan.targetlist = target;
        (*scan).scan.plan.qual = part(2);
        (*scan).flags = (*path).flags;
        (*scan).custom_plans = plans;
        (*scan).custom_private = pg_sys::lappend(ptr::null_mut(), part(0).cast());
        (*scan).custom_scan_tlist = part(1);
        (*scan).methods = &raw const SCAN.0;
        (&raw mut (*scan).scan.plan).cast()
    }
}
