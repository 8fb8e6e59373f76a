//! As whom something runs: the catalogue and a hypertable's blocks belong to owners that are not the caller.

use pgrx::pg_sys;

/// Runs `body` as this role, for name look-ups and permission checks alike.
///
/// The caller has checked what its user may do. When `body` raises an error, the server itself puts the user back
/// while it aborts the (sub)transaction. SQL run here names every function and operator with its schema: the search
/// path is still the user's.
pub(crate) fn run_as<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    run_with(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE, body)
}

/// As [`run_as`], for code of the role's own that somebody mightier runs: it leaves nothing behind that would run later as
/// that other, such as a deferred trigger.
pub(crate) fn run_restricted<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    run_with(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION, body)
}

fn run_with<T>(role: pg_sys::Oid, flags: u32, body: impl FnOnce() -> T) -> T {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both calls only read and write the backend's own variables.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut context);
        pg_sys::SetUserIdAndSecContext(role, context | flags as i32);
    }
    let value = body();
    // SAFETY: as above, back to what it was.
    unsafe { pg_sys::SetUserIdAndSecContext(user, context) };
    value
}

/// Whether the current user owns this relation (or is a member of the owner, or superuser).
pub(crate) fn owns(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up by identifier.
    unsafe { pg_sys::pg_class_ownercheck(relation, pg_sys::GetUserId()) }
}
