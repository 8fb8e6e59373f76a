//! How many rows a scan gives, which ways there are to read them and at what cost.

use std::ptr;

use pgrx::{PgList, pg_guard, pg_sys};

use super::{
    carried::{Give, Order, ROWS_A_BLOCK},
    conditions::{self, Comparison, Condition},
};
use crate::{
    hypertable::layout::Layout,
    server::{
        error::{Error, Kind, Result, or_raise},
        relation::{self, Open},
    },
};

/// What decoding costs per row, against `cpu_tuple_cost` for handing it on.
const DECODING: f64 = 0.3;

/// `GetForeignRelSize`: how many rows come out.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn size(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    sealed: pg_sys::Oid,
) {
    let layout = or_raise(Layout::of_sealed(sealed));
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        let blocks = Open::with(layout.blocks, pg_sys::AccessShareLock);
        let pages =
            pg_sys::RelationGetNumberOfBlocksInFork(blocks.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM);
        (*relation).pages = pages;
        if (*relation).tuples <= 0.0 && pages > 0 {
            let known = f64::from((*(*blocks.as_ptr()).rd_rel).reltuples);
            let heads = if known > 0.0 { known } else { 10.0 * f64::from(pages) };
            (*relation).tuples = heads * ROWS_A_BLOCK;
        }
        if pages == 0 {
            (*relation).tuples = 0.0;
        } else if !(**(*root).simple_rte_array.add((*relation).relid as usize)).tablesample.is_null() {
            // The server samples tables alone: it would take every sealed row.
            let name = relation::name(layout.hypertable);
            Error::new(
                Kind::Unsupported,
                format!("TABLESAMPLE of {name} is not possible: it has sealed rows"),
            )
            .hint("Take a part of the rows by a condition: WHERE random() < 0.1")
            .raise();
        }
        pg_sys::set_baserel_size_estimates(root, relation);
    }
}

/// `GetForeignPaths`: the ways to read.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn paths(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    sealed: pg_sys::Oid,
) {
    // SAFETY: the planner's own structures, while it plans.
    unsafe { or_raise(add_paths(root, relation, sealed)) }
}

unsafe fn add_paths(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    sealed: pg_sys::Oid,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let layout = Layout::of_sealed(sealed)?;
        let clauses = pg_sys::extract_actual_clauses((*relation).baserestrictinfo, false);
        let base = conditions::among(root, &layout, (*relation).relid, clauses);
        let add = |order: Order,
                   pathkeys: *mut pg_sys::List,
                   outer: pg_sys::Relids,
                   rows: f64,
                   known: &[Condition]| {
            let (startup, total) = cost(relation, &layout, rows, known, order);
            let path = pg_sys::create_foreignscan_path(
                root,
                relation,
                ptr::null_mut(),
                rows,
                startup,
                total,
                pathkeys,
                outer,
                ptr::null_mut(),
                pg_sys::lappend_int(ptr::null_mut(), order as i32),
            );
            pg_sys::add_path(relation, path.cast());
        };
        let lateral = (*relation).lateral_relids;
        add(Order::Any, ptr::null_mut(), lateral, (*relation).rows, &base);
        if lateral.is_null() && (*relation).consider_parallel {
            add_partial_path(root, relation, &layout, &base);
        }
        if lateral.is_null() {
            for (order, pathkeys) in orders(root, relation, &layout, &base) {
                add(order, pathkeys, ptr::null_mut(), (*relation).rows, &base);
            }
        }
        for outer in outer_relations(root, relation, &layout) {
            let info = pg_sys::get_baserel_parampathinfo(root, relation, outer);
            let all = pg_sys::extract_actual_clauses((*info).ppi_clauses, false);
            let mut known = conditions::among(root, &layout, (*relation).relid, all);
            known.extend_from_slice(&base);
            add(Order::Any, ptr::null_mut(), outer, (*info).ppi_rows, &known);
        }
        Ok(())
    }
}

/// Adds the way in which several processes share the blocks, when there are enough.
unsafe fn add_partial_path(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    layout: &Layout,
    base: &[Condition],
) {
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        // A block's payload lies beside the table, about twenty pages for each page of heads.
        let pages = f64::from((*relation).pages) * 20.0;
        let workers =
            pg_sys::compute_parallel_worker(relation, pages, -1.0, pg_sys::max_parallel_workers_per_gather);
        if workers <= 0 {
            return;
        }
        // As the server reckons: the leader helps less the more workers there are.
        let leader = if pg_sys::parallel_leader_participation { 1.0 - 0.3 * f64::from(workers) } else { 0.0 };
        let share = f64::from(workers) + leader.max(0.0);
        let rows = ((*relation).rows / share).max(1.0);
        let (startup, total) = cost(relation, layout, (*relation).rows, base, Order::Any);
        let path = pg_sys::create_foreignscan_path(
            root,
            relation,
            ptr::null_mut(),
            rows,
            startup,
            startup + (total - startup) / share,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            pg_sys::lappend_int(ptr::null_mut(), Order::Any as i32),
        );
        (*path).path.parallel_aware = true;
        (*path).path.parallel_workers = workers;
        pg_sys::add_partial_path(relation, path.cast());
    }
}

/// The way in which blocks are given as a whole, under conditions that are bounds of the time or on the segment alone.
///
/// # Safety
/// The planner's own structures.
pub(super) unsafe fn path_of_blocks(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    layout: &Layout,
    order: Order,
    give: Give,
) -> *mut pg_sys::Path {
    // SAFETY: the caller's promise.
    unsafe {
        let clauses = pg_sys::extract_actual_clauses((*relation).baserestrictinfo, false);
        let known = conditions::among(root, layout, (*relation).relid, clauses);
        let blocks = ((*relation).rows / ROWS_A_BLOCK).max(1.0);
        let (startup, _) = cost(relation, layout, blocks, &known, order);
        let how = pg_sys::lappend_int(ptr::null_mut(), order as i32);
        // A block's head and payload are about three pages, near each other.
        let total = startup + blocks * 3.0 * pg_sys::seq_page_cost;
        pg_sys::create_foreignscan_path(
            root,
            relation,
            ptr::null_mut(),
            blocks,
            startup,
            total,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            pg_sys::lappend_int(how, give as i32),
        )
        .cast()
    }
}

/// What it costs to read `rows` rows under these conditions.
unsafe fn cost(
    relation: *mut pg_sys::RelOptInfo,
    layout: &Layout,
    rows: f64,
    known: &[Condition],
    order: Order,
) -> (f64, f64) {
    // SAFETY: the planner's own structures and settings.
    unsafe {
        let tuples = (*relation).tuples.max(1.0);
        let blocks = (tuples / ROWS_A_BLOCK).max(1.0);
        let fixed = |position: usize| {
            known.iter().any(|c| c.position == position && c.comparison == Comparison::Equal)
        };
        let bounded = known.iter().any(|c| c.position == layout.time);
        let has_segment = layout.segment.is_some_and(fixed);
        // Whole blocks are decoded: one segment's at least one, and in a range of time its part and one more.
        let share = (rows / tuples).clamp(0.0, 1.0);
        let read = if has_segment || bounded { (blocks * share).max(1.0) + 1.0 } else { blocks };
        let decoded = (read * ROWS_A_BLOCK).min(tuples);
        let look_up = 4.0 * pg_sys::cpu_operator_cost + pg_sys::random_page_cost;
        let startup = if has_segment || bounded || order != Order::Any { look_up } else { 0.0 };
        let merging = if order == Order::Any { 0.0 } else { pg_sys::cpu_operator_cost };
        // A block's head and payload are about three pages, near each other.
        let reading = read * 3.0 * pg_sys::seq_page_cost;
        let per_row = pg_sys::cpu_tuple_cost * DECODING + merging;
        let quals = (*relation).baserestrictcost.per_tuple;
        let total = startup + reading + decoded * (per_row + quals) + rows * pg_sys::cpu_tuple_cost;
        (startup + (*relation).baserestrictcost.startup, total + (*relation).baserestrictcost.startup)
    }
}

/// The orders that the query can use and the blocks' indexes can give.
unsafe fn orders(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    layout: &Layout,
    base: &[Condition],
) -> Vec<(Order, *mut pg_sys::List)> {
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        let wanted = (*root).query_pathkeys;
        let keys: Vec<_> = PgList::<pg_sys::PathKey>::from_pg(wanted).iter_ptr().collect();
        let direction = |key: *mut pg_sys::PathKey, position: usize| -> Option<Order> {
            let column = layout.column(position)?;
            let class = (*key).pk_eclass;
            if (*class).ec_has_volatile
                || (*class).ec_collation != column.collation
                || Some((*key).pk_opfamily) != conditions::default_family(column.type_oid)
            {
                return None;
            }
            let is_ours =
                PgList::<pg_sys::EquivalenceMember>::from_pg((*class).ec_members).iter_ptr().any(|member| {
                    conditions::column(layout, (*relation).relid, (*member).em_expr) == Some(position)
                });
            match (is_ours, (*key).pk_strategy) {
                (true, 1) => Some(Order::Rising),
                (true, 5) => Some(Order::Falling),
                _ => None,
            }
        };
        let take = |count: usize| pg_sys::list_copy_head(wanted, count as i32);
        let is_fixed = match layout.segment {
            None => true,
            Some(segment) => base.iter().any(|c| c.fixes(segment)),
        };
        let Some(first) = keys.first() else { return Vec::new() };
        if is_fixed && let Some(order) = direction(*first, layout.time) {
            return vec![(order, take(1))];
        }
        if let Some(segment) = layout.segment
            && direction(*first, segment) == Some(Order::Rising)
        {
            if let Some(order) = keys.get(1).and_then(|key| direction(*key, layout.time)) {
                return vec![(order, take(2))];
            }
            return vec![(Order::Rising, take(1))];
        }
        Vec::new()
    }
}

/// The sets of other relations whose values can tell the segment: for nested loops with one look-up a row.
unsafe fn outer_relations(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    layout: &Layout,
) -> Vec<pg_sys::Relids> {
    let Some(segment) = layout.segment else { return Vec::new() };
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        let mut clauses: Vec<*mut pg_sys::RestrictInfo> =
            PgList::<pg_sys::RestrictInfo>::from_pg((*relation).joininfo)
                .iter_ptr()
                .filter(|info| pg_sys::join_clause_is_movable_to(*info, relation))
                .collect();
        if (*relation).has_eclass_joins {
            let mut wanted = Wanted { layout, position: segment };
            let implied = pg_sys::generate_implied_equalities_for_column(
                root,
                relation,
                Some(is_wanted),
                (&raw mut wanted).cast(),
                (*relation).lateral_referencers,
            );
            clauses.extend(PgList::<pg_sys::RestrictInfo>::from_pg(implied).iter_ptr());
        }
        let mut found: Vec<pg_sys::Relids> = Vec::new();
        for info in clauses {
            let condition = conditions::one(root, layout, (*relation).relid, (*info).clause);
            if !condition.is_some_and(|c| c.fixes(segment)) {
                continue;
            }
            let outer = pg_sys::bms_union((*info).clause_relids, (*relation).lateral_relids);
            let outer = pg_sys::bms_del_member(outer, (*relation).relid as i32);
            if !outer.is_null()
                && !pg_sys::bms_is_empty(outer)
                && !found.iter().any(|f| pg_sys::bms_equal(*f, outer))
            {
                found.push(outer);
            }
        }
        found
    }
}

struct Wanted<'a> {
    layout: &'a Layout,
    position: usize,
}

/// Asked by the planner: is this member of an equivalence class our column?
#[pg_guard]
unsafe extern "C-unwind" fn is_wanted(
    _root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    _class: *mut pg_sys::EquivalenceClass,
    member: *mut pg_sys::EquivalenceMember,
    argument: *mut std::ffi::c_void,
) -> bool {
    // SAFETY: the argument is what outer_relations gave.
    unsafe {
        let wanted = &*argument.cast::<Wanted<'_>>();
        conditions::column(wanted.layout, (*relation).relid, (*member).em_expr) == Some(wanted.position)
    }
}
