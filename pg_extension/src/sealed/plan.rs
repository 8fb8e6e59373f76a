//! The chosen way to read sealed rows, as a plan, and what the plan carries to its execution.

use std::ptr;

use pgrx::{is_a, pg_guard, pg_sys};

use super::{
    conditions::{self, Comparison, Condition},
    visible,
};
use crate::{hypertable::layout::Layout, server::error::or_raise};

/// In which order a scan gives its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// In none.
    Any = 0,
    /// By segment, then by rising time.
    Rising = 1,
    /// By segment, then by falling time.
    Falling = 2,
}

impl Order {
    pub(super) fn of(code: i32) -> Self {
        match code {
            1 => Self::Rising,
            2 => Self::Falling,
            _ => Self::Any,
        }
    }
}

/// What a scan gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Give {
    /// The rows of the blocks.
    Rows = 0,
    /// A row for each block, with its segment alone ([`visible`]).
    Blocks = 1,
    /// A row for the block of each segment that ends last, with the segment alone.
    NewestBlocks = 2,
}

impl Give {
    fn of(code: i32) -> Self {
        match code {
            1 => Self::Blocks,
            2 => Self::NewestBlocks,
            _ => Self::Rows,
        }
    }

    /// In which order the blocks are read, whatever the path said.
    fn order(self) -> Order {
        match self {
            Self::Rows => Order::Any,
            Self::Blocks => Order::Rising,
            Self::NewestBlocks => Order::Falling,
        }
    }
}

/// Rows that a block is taken to have while nobody knows better.
pub(super) const ROWS_A_BLOCK: f64 = 1_000.0;
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
        let mut give = visible::give(root);
        if give != Give::Rows {
            visible::check(&layout, index, clauses);
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

/// What a plan carries to its execution.
pub(super) struct Carried {
    pub(super) order: Order,
    pub(super) give: Give,
    pub(super) needed: Vec<usize>,
    /// Conditions and which of the plan's expressions is their other side.
    pub(super) conditions: Vec<Condition>,
}

/// Reads what [`plan`] put into the plan.
///
/// # Safety
/// The plan is one that [`plan`] made.
pub(super) unsafe fn carried(plan: *mut pg_sys::ForeignScan) -> Carried {
    // SAFETY: the caller's promise; a missing list is an empty one.
    unsafe {
        let private = (*plan).fdw_private;
        let ints = |which: i32| -> Vec<i32> {
            let list = pg_sys::list_nth(private, which).cast::<pg_sys::List>();
            let length = if list.is_null() { 0 } else { (*list).length };
            (0..length).map(|i| pg_sys::list_nth_int(list, i)).collect()
        };
        let oids: Vec<pg_sys::Oid> = {
            let list = pg_sys::list_nth(private, 3).cast::<pg_sys::List>();
            let length = if list.is_null() { 0 } else { (*list).length };
            (0..length).map(|i| pg_sys::list_nth_oid(list, i)).collect()
        };
        let expressions = (*plan).fdw_exprs;
        let conditions = ints(2)
            .chunks_exact(4)
            .zip(oids.chunks_exact(4))
            .filter_map(|(numbers, oids)| {
                Some(Condition {
                    position: numbers[0] as usize,
                    comparison: Comparison::of(numbers[1])?,
                    expression: pg_sys::list_nth(expressions, numbers[2]).cast(),
                    type_oid: oids[0],
                    family: oids[1],
                    left_type: oids[2],
                    collation: oids[3],
                    is_array: numbers[3] != 0,
                })
            })
            .collect();
        debug_assert!(!is_a(plan.cast(), pg_sys::NodeTag::T_Invalid));
        let how = ints(0);
        Carried {
            order: Order::of(how.first().copied().unwrap_or(0)),
            give: Give::of(how.get(1).copied().unwrap_or(0)),
            needed: ints(1).into_iter().map(|i| i as usize).collect(),
            conditions,
        }
    }
}
