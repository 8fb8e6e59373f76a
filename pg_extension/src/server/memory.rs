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

/// A new context under the current one.
pub(crate) fn child(name: &'static std::ffi::CStr) -> pg_sys::MemoryContext {
    // SAFETY: the server's own allocator; the name lives for ever.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}
