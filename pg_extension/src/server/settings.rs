//! The settings named `headroom.*`.

/// Defines the settings and keeps the prefix: a misspelt `headroom.…` is refused from here on.
pub(crate) fn define() {
    // SAFETY: called once, while the server loads the library, with a name that lives for ever.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"headroom".as_ptr()) };
}
