//! The chosen way to read sealed rows, as a plan.

use std::ptr;

use pgrx::{pg_guard, pg_sys};

use super::{block_query, carried::Give, conditions};
use crate::{hypertable::layout::Layout, server::error::or_raise};

/// `GetForeignPlan`: the chosen way, as a plan.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn plan(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    sealed: pg_sys::Oid,
    path: *mut pg_sys::ForeignPath,
    target: *mut pg_sys::List,
    clauses: *mut pg_sys::List,
    outer: *mut pg_sys::Plan,
) -> *mut pg_sys::ForeignScan {
    let layout = or_raise(Layout::of_sealed(sealed));
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        let index = (*relation).relid;
        let clauses = pg_sys::extract_actual_clauses(clauses, false);
        let mut quals = clauses;
        let mut order = pg_sys::list_nth_int((*path).fdw_private, 0);
        let mut give = block_query::give(root);
        if give != Give::Rows {
            block_query::check(&layout, index, clauses);
            order = give.order() as i32;
        } else if (*(*path).fdw_private).length > 1 {
            give = Give::of(pg_sys::list_nth_int((*path).fdw_private, 1));
            // A block has one segment and many times: bounds of the time are left to whoever takes the block.
            quals = conditions::without_bounds(root, &layout, index, clauses);
        }
        let mut enforced = ptr::null_mut();
        if give == Give::Rows
            && (*(*root).parse).commandType == pg_sys::CmdType::CMD_SELECT
            && (*root).rowMarks.is_null()
        {
            (enforced, quals) = conditions::enforced(root, &layout, index, clauses);
        }
        let needed = needed(&layout, relation, quals, target);
        let (mut expressions, mut encoded) = (ptr::null_mut(), ptr::null_mut());
        let mut oids = ptr::null_mut();
        for (number, condition) in conditions::among(root, &layout, index, clauses).into_iter().enumerate() {
            expressions = pg_sys::lappend(expressions, condition.expression.cast());
            let is_array = i32::from(condition.is_array);
            for value in [condition.position as i32, condition.comparison.strategy(), number as i32, is_array]
            {
                encoded = pg_sys::lappend_int(encoded, value);
            }
            for oid in [condition.type_oid, condition.family, condition.left_type, condition.collation] {
                oids = pg_sys::lappend_oid(oids, oid);
            }
        }
        let how = pg_sys::lappend_int(pg_sys::lappend_int(ptr::null_mut(), order), give as i32);
        let mut private = pg_sys::lappend(ptr::null_mut(), how.cast());
        for list in [needed, encoded, oids] {
            private = pg_sys::lappend(private, list.cast());
        }
        pg_sys::make_foreignscan(target, quals, index, expressions, private, ptr::null_mut(), enforced, outer)
    }
}

/// The positions of the columns that the query looks at.
unsafe fn needed(
    layout: &Layout,
    relation: *mut pg_sys::RelOptInfo,
    clauses: *mut pg_sys::List,
    target: *mut pg_sys::List,
) -> *mut pg_sys::List {
    // SAFETY: the planner's own structures, while it plans.
    unsafe {
        let mut attributes = ptr::null_mut();
        let index = (*relation).relid;
        for list in [(*(*relation).reltarget).exprs, clauses, target] {
            pg_sys::pull_varattnos(list.cast(), index, &raw mut attributes);
        }
        let offset = pg_sys::FirstLowInvalidHeapAttributeNumber;
        let is_used = |attribute: i32| pg_sys::bms_is_member(attribute - offset, attributes);
        let mut list = ptr::null_mut();
        for position in 0..layout.columns.len() {
            if is_used(0) || is_used(position as i32 + 1) {
                list = pg_sys::lappend_int(list, position as i32);
            }
        }
        list
    }
}
