//! Keeping writers away for a moment, without making them wait for long.

use pgrx::pg_sys;

/// How often it is tried without waiting in the queue, where new writers would wait behind us.
const TRIES: u32 = 100;
const PAUSE_MICROSECONDS: i64 = 10_000;
/// How long we wait in the queue, milliseconds; then SQLSTATE 55P03. After the shorter time the server looks who is in the
/// way, and ends it when it is an autovacuum, which would not have ended by itself: a table that was just filled has one.
const QUEUE: [(&std::ffi::CStr, &std::ffi::CStr); 2] =
    [(c"lock_timeout", c"500"), (c"deadlock_timeout", c"100")];

/// Locks a hypertable against writers, not against readers, until the transaction ends. Writers that run already may go
/// on for as long as they like: new ones wait behind us for half a second at most.
pub(super) fn keep_away(table: pg_sys::Oid) {
    let lock = pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE;
    for _ in 0..TRIES {
        pgrx::check_for_interrupts!();
        // SAFETY: the caller holds a weaker lock, so the relation stays.
        unsafe {
            if pg_sys::ConditionalLockRelationOid(table, lock) {
                return;
            }
            pg_sys::pg_usleep(PAUSE_MICROSECONDS);
        }
    }
    // SAFETY: a nest level of settings, closed below; when waiting raises an error the server closes it.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, milliseconds) in QUEUE {
            pg_sys::set_config_option(
                name.as_ptr(),
                milliseconds.as_ptr(),
                // Not everybody may set the second for themselves.
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        pg_sys::LockRelationOid(table, lock);
        pg_sys::AtEOXact_GUC(true, level);
    }
}
