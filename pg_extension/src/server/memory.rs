//! Memory contexts: where the server's allocations live, and so how long.

use pgrx::pg_sys;

/// Makes `context` the one in which the server allocates; gives the one of before.
///
/// # Safety
/// The context lives, and the caller goes back to the former one before it returns.
pub(crate) unsafe fn enter(context: pg_sys::MemoryContext) -> pg_sys::MemoryContext {
    // SAFETY: a variable of this backend, which has one thread.
    unsafe {
        let before = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = context;
        before
    }
}
