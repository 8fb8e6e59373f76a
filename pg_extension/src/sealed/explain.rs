//! What EXPLAIN tells of a scan.

use pgrx::{pg_guard, pg_sys};

use super::{
    carried::{self, Order},
    scan,
};

/// `ExplainForeignScan`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: the executor's own structures.
    unsafe {
        let carried = carried::of((*node).ss.ps.plan.cast());
        let order = match carried.order {
            Order::Any => None,
            Order::Rising => Some(c"rising time"),
            Order::Falling => Some(c"falling time"),
        };
        if let Some(order) = order {
            pg_sys::ExplainPropertyText(c"Order".as_ptr(), order.as_ptr(), explain);
        }
        let plan = (*node).ss.ps.plan;
        let enforced = (*plan.cast::<pg_sys::ForeignScan>()).fdw_recheck_quals;
        if !enforced.is_null() {
            let context =
                pg_sys::set_deparse_context_plan((*explain).deparse_cxt, plan, std::ptr::null_mut());
            let is_qualified = (*explain).verbose || (*(*explain).rtable).length > 1;
            let conditions = pg_sys::make_ands_explicit(enforced);
            let text = pg_sys::deparse_expression(conditions.cast(), context, is_qualified, false);
            pg_sys::ExplainPropertyText(c"Block Cond".as_ptr(), text, explain);
        }
        if (*explain).analyze
            && let Some(scan) = scan::of(node)
        {
            let counters = scan.counters;
            let tell = |label: &std::ffi::CStr, count: u64| {
                pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), count as i64, explain);
            };
            tell(c"Blocks Read", counters.read);
            tell(c"Blocks Skipped", counters.skipped);
        }
    }
}
