//! What EXPLAIN tells of a scan.

use pgrx::{pg_guard, pg_sys};

use super::{
    plan::{self, Order},
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
        let carried = plan::carried((*node).ss.ps.plan.cast());
        let order = match carried.order {
            Order::Any => None,
            Order::Rising => Some(c"rising time"),
            Order::Falling => Some(c"falling time"),
        };
        if let Some(order) = order {
            pg_sys::ExplainPropertyText(c"Order".as_ptr(), order.as_ptr(), explain);
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
