//! What a plan of sealed rows carries to its execution: what to give, in which order, which columns, which conditions.

use pgrx::{is_a, pg_sys};

use super::conditions::{Comparison, Condition};

/// Rows that a block is taken to have while nobody knows better.
pub(super) const ROWS_A_BLOCK: f64 = 1_000.0;
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
    /// A row for each block, with its segment alone ([`visible`](super::visible)).
    Blocks = 1,
    /// A row for the block of each segment that ends last, with the segment alone.
    NewestBlocks = 2,
}

impl Give {
    pub(super) fn of(code: i32) -> Self {
        match code {
            1 => Self::Blocks,
            2 => Self::NewestBlocks,
            _ => Self::Rows,
        }
    }

    /// In which order the blocks are read, whatever the path said.
    pub(super) fn order(self) -> Order {
        match self {
            Self::Rows => Order::Any,
            Self::Blocks => Order::Rising,
            Self::NewestBlocks => Order::Falling,
        }
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

/// Reads what [`plan`](super::plan::plan) put into the plan.
///
/// # Safety
/// The plan is one that [`plan`](super::plan::plan) made.
pub(super) unsafe fn of(plan: *mut pg_sys::ForeignScan) -> Carried {
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
