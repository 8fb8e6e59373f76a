//! As whom something runs: the catalogue and a hypertable's blocks belong to owners that are not the caller.

use pgrx::pg_sys;

/// Runs `body` as this role, for name look-ups and permission checks alike, with the system's search path: no function or
/// operator that a user has put before the system's runs as somebody mightier.
///
/// The caller has checked what its user may do. When `body` raises an error, the server itself puts user and search path
/// back while it aborts the (sub)transaction. SQL run here names its tables with their schemas.
pub(crate) fn run_as<T>(role: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    with_system_path(|| run_with(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE, body))
}

/// As [`run_as`], as the owner of a table on which every policy is to be passed over, forced ones too. Its triggers run as
/// the owner, and leave nothing behind.
pub(crate) fn run_as_owner<T>(owner: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let flags = pg_sys::SECURITY_LOCAL_USERID_CHANGE
        | pg_sys::SECURITY_RESTRICTED_OPERATION
        | pg_sys::SECURITY_NOFORCE_RLS;
    with_system_path(|| run_with(owner, flags, body))
}

fn with_system_path<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: a nest level of settings, closed below; when `body` raises an error the server closes it.
    let level = unsafe {
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            c"pg_catalog, pg_temp".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        level
    };
    let value = body();
    // SAFETY: the level opened above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    value
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
