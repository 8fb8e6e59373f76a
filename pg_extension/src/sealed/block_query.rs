//! A query over a hypertable that is to give a row a block instead of all rows ([`visible`](super::visible)): what the
//! planner is told of it while it makes the plan, and whether that can be.

use std::cell::Cell;

use pgrx::pg_sys;

use super::{carried::Give, conditions};
use crate::hypertable::layout::Layout;

/// The query whose plan is being made, and what became of it.
#[derive(Clone, Copy)]
struct Planned {
    query: *mut pg_sys::Query,
    hypertable: pg_sys::Oid,
    sealed: pg_sys::Oid,
    give: Give,
    is_refused: bool,
}

thread_local! {
    // A backend has one thread.
    static PLANNED: Cell<Option<Planned>> = const { Cell::new(None) };
}

/// Puts back what was planned before, also after an error.
struct Planning(Option<Planned>);

impl Drop for Planning {
    fn drop(&mut self) {
        PLANNED.set(self.0);
    }
}

/// What the query of `root` asks of a scan of sealed rows.
///
/// # Safety
/// The planner's own structure.
pub(super) unsafe fn give(root: *mut pg_sys::PlannerInfo) -> Give {
    // SAFETY: the caller's promise.
    PLANNED.get().filter(|planned| planned.query == unsafe { (*root).parse }).map_or(Give::Rows, |p| p.give)
}

/// Whether the query of `root` wants nothing of this child of the hypertable: of the row store it does not, and with
/// other children the blocks are not everything.
///
/// # Safety
/// The planner's own structure.
pub(super) unsafe fn leaves_out(root: *mut pg_sys::PlannerInfo, child: pg_sys::Oid) -> bool {
    // SAFETY: the caller's promise.
    let Some(planned) = PLANNED.get().filter(|planned| planned.query == unsafe { (*root).parse }) else {
        return false;
    };
    if child != planned.hypertable && child != planned.sealed {
        PLANNED.set(Some(Planned { is_refused: true, ..planned }));
    }
    child == planned.hypertable
}

/// Notes whether these clauses can be checked once a block.
///
/// # Safety
/// The clauses are those of a scan of the relation `index` of the query that is planned.
pub(super) unsafe fn check(layout: &Layout, index: u32, clauses: *mut pg_sys::List) {
    let Some(planned) = PLANNED.get() else { return };
    // SAFETY: the caller's promise.
    let can = unsafe { conditions::is_of_segment(layout, index, clauses.cast()) };
    PLANNED.set(Some(Planned { is_refused: planned.is_refused || !can, ..planned }));
}

/// Makes the plan of a query over the hypertable that is to give blocks; nothing where it cannot.
pub(super) fn planned<P>(
    query: *mut pg_sys::Query,
    layout: &Layout,
    give: Give,
    plan: impl FnOnce() -> P,
) -> Option<P> {
    let (hypertable, sealed) = (layout.hypertable, layout.sealed);
    let planned = Planned { query, hypertable, sealed, give, is_refused: false };
    let _planning = Planning(PLANNED.replace(Some(planned)));
    let plan = plan();
    let is_refused = PLANNED.get().is_none_or(|planned| planned.is_refused);
    (!is_refused).then_some(plan)
}
