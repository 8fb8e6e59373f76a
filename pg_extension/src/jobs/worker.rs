//! Runs what is due in one database, a transaction a step, and ends.

use pgrx::{
    bgworkers::BackgroundWorker,
    pg_sys::{self, panic::CaughtError},
    prelude::*,
};

use super::run;
use crate::server::{error::or_raise, identity};

// Of the server: not among pgrx's bindings, or not as a function that a signal can call.
unsafe extern "C-unwind" {
    fn enable_timeout_after(id: i32, delay_ms: i32);
    fn disable_timeout(id: i32, keep_indicator: bool);
    fn die(signal: i32);
}
/// STATEMENT_TIMEOUT of the server's TimeoutId; its handler cancels what runs, as a statement's own timeout does.
const STATEMENT_TIMEOUT: i32 = 3;

/// Entry of the process that the launcher starts, with the database's identifier.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn headroom_job_worker(database: pg_sys::Datum) {
    // SAFETY: the beginning of a process of the server's, as its documentation asks for it: SIGTERM ends the process where
    // the server looks for it, SIGINT stays what cancels a statement.
    unsafe {
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(database.value() as u32)), None);
    let due = BackgroundWorker::transaction(due).unwrap_or_default();
    for (job, max_runtime_ms) in due {
        if BackgroundWorker::transaction(is_to_be_dropped) {
            return;
        }
        run_one(job, max_runtime_ms);
    }
}

/// Jobs that are due, the longest waiting first, with their longest step in milliseconds. `None` where the extension is not.
fn due() -> Option<Vec<(i32, i32)>> {
    system_path(due_jobs)
}

/// The worker is mighty, and the database's owner can set its search path.
fn system_path<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: a variable of this backend.
    identity::run_as(unsafe { pg_sys::GetUserId() }, body)
}

fn due_jobs() -> Option<Vec<(i32, i32)>> {
    let there = Spi::get_one::<bool>("SELECT pg_catalog.to_regclass('headroom.jobs') IS NOT NULL");
    if !matches!(there, Ok(Some(true))) {
        return None;
    }
    let found = Spi::connect(|client| {
        let rows = client.select(
            "SELECT job_id, least(extract(epoch FROM max_runtime) * 1000, 2147483647)::integer FROM headroom.jobs
              WHERE scheduled AND parked_at IS NULL AND next_start <= pg_catalog.now() ORDER BY next_start, job_id",
            None,
            &[],
        )?;
        rows.map(|row| Ok((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or(i32::MAX))))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
    });
    found.ok()
}

/// Whether somebody waits to drop this database: then this process gets out of the way.
fn is_to_be_dropped() -> bool {
    let waits = system_path(|| {
        Spi::get_one::<bool>(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'object' AND classid = 'pg_catalog.pg_database'::regclass
                AND mode = 'AccessExclusiveLock'
                AND objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))",
        )
    });
    matches!(waits, Ok(Some(true)))
}

fn run_one(job: i32, max_runtime_ms: i32) {
    let Ok(run_id) = attempt(0, || or_raise(run::begin(job))) else { return };
    let all = || -> std::result::Result<i64, Failed> {
        let steps = attempt(max_runtime_ms, || or_raise(run::steps(job)))?;
        let mut rows = 0;
        for step in 0..steps {
            if step > 0 && attempt(0, is_to_be_dropped)? {
                break;
            }
            rows += attempt(max_runtime_ms, || or_raise(run::run_step(job, step)))?;
        }
        Ok(rows)
    };
    let noted = match all() {
        Ok(rows) => attempt(0, || or_raise(run::end_well(job, run_id, rows))),
        Err(Failed { sqlstate, message }) => {
            let name = attempt(0, || run::name_of(job)).unwrap_or_default();
            pgrx::log!("headroom: job {job} ({name}) did not end well: {message} ({sqlstate})");
            attempt(0, || or_raise(run::end_badly(job, run_id, &sqlstate, &message)))
        }
    };
    if let Err(Failed { message, .. }) = noted {
        pgrx::log!("headroom: what came of job {job} could not be noted: {message}");
    }
}

/// How a transaction failed.
struct Failed {
    sqlstate: String,
    message: String,
}

/// Runs it in a transaction of its own, for at most so many milliseconds (0: as long as it takes). An error undoes the
/// transaction and is given back; the process goes on.
fn attempt<T>(
    max_ms: i32,
    body: impl FnOnce() -> T + std::panic::UnwindSafe + std::panic::RefUnwindSafe,
) -> std::result::Result<T, Failed> {
    let done = PgTryBuilder::new(|| {
        Ok(BackgroundWorker::transaction(|| {
            if max_ms > 0 {
                // SAFETY: the timeout was registered when the process joined its database.
                unsafe { enable_timeout_after(STATEMENT_TIMEOUT, max_ms) };
            }
            body()
        }))
    })
    .catch_others(|error| Err(failed(&error)))
    .catch_rust_panic(|error| Err(failed(&error)))
    .execute();
    // SAFETY: as above; an aborted transaction is cleaned up as the server's own loop does.
    unsafe {
        disable_timeout(STATEMENT_TIMEOUT, false);
        if done.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
    }
    done
}

fn failed(error: &CaughtError) -> Failed {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    Failed { sqlstate: code_of(report.sql_error_code() as i32), message: report.message().to_owned() }
}

/// The five characters of an SQLSTATE from the server's number: six bits each.
fn code_of(mut number: i32) -> String {
    let mut code = String::new();
    for _ in 0..5 {
        code.push(char::from((number & 0x3f) as u8 + b'0'));
        number >>= 6;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn codes_are_packed_six_bits_a_character() {
        let pack = |code: &str| code.bytes().rev().fold(0, |n, b| (n << 6) | i32::from(b - b'0'));
        for code in ["53100", "22023", "XX000", "RM001"] {
            assert_eq!(code_of(pack(code)), code);
        }
    }
}
