//! The launcher: a process connected to no database, so that it keeps none from being dropped. It starts a short-lived worker
//! in each database and never runs a job itself, so no job can end it. It starts after recovery: not on a standby.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use pgrx::{
    GucContext, GucFlags, GucRegistry, GucSetting,
    bgworkers::{
        BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, DynamicBackgroundWorker,
        SignalWakeFlags,
    },
    pg_sys,
    prelude::*,
};

use super::free_space;

/// Seconds between two looks.
static INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(30);
/// Whether anything starts by itself.
static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Defines the settings of jobs, and registers the launcher where the server preloads the library.
pub(crate) fn register() {
    GucRegistry::define_bool_guc(
        c"headroom.jobs",
        c"Lets jobs start by themselves.",
        c"CALL headroom.run_job runs a job by hand in any case.",
        &ENABLED,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"headroom.job_interval",
        c"Time between two looks for jobs that are due.",
        c"A short-lived process looks in each database.",
        &INTERVAL,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    free_space::define();
    // SAFETY: a variable of the server's, read while it loads the library.
    if !unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        return;
    }
    BackgroundWorkerBuilder::new("headroom launcher")
        .set_type("headroom launcher")
        .set_library("headroom")
        .set_function("headroom_job_launcher")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(10)))
        .load();
}

/// Entry of the process.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn headroom_job_launcher(_argument: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(None, None);
    let mut workers: HashMap<pg_sys::Oid, DynamicBackgroundWorker> = HashMap::new();
    // The end of a worker wakes the launcher too; that is no reason to look again before the interval has passed.
    let mut next = Instant::now();
    while BackgroundWorker::wait_latch(Some(next.saturating_duration_since(Instant::now()))) {
        if BackgroundWorker::sighup_received() {
            // SAFETY: between two transactions, as the server asks for it.
            unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + Duration::from_secs(INTERVAL.get().unsigned_abs().into());
        workers.retain(|_, worker| worker.pid().is_ok());
        if !ENABLED.get() {
            continue;
        }
        for database in BackgroundWorker::transaction(databases) {
            if workers.contains_key(&database) {
                continue;
            }
            let started = BackgroundWorkerBuilder::new("headroom jobs")
                .set_type("headroom jobs")
                .set_library("headroom")
                .set_function("headroom_job_worker")
                .enable_spi_access()
                .set_argument(Some(pg_sys::Datum::from(database.to_u32())))
                .set_notify_pid(process_id())
                .load_dynamic();
            match started {
                Ok(worker) => {
                    workers.insert(database, worker);
                }
                Err(_) => pgrx::log!("headroom: no process is free for jobs: raise max_worker_processes"),
            }
        }
    }
}

fn process_id() -> i32 {
    // SAFETY: a variable of this process.
    unsafe { pg_sys::MyProcPid }
}

/// The databases that can be joined, templates left out: a process in one would keep it from being copied.
fn databases() -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: a shared catalogue, open to a process without a database, scanned as autovacuum's launcher does; what is read
    // of a tuple is copied while the scan stands on it.
    unsafe {
        let catalogue = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(catalogue, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let header = (*tuple).t_data;
            let form =
                header.cast::<u8>().add((*header).t_hoff.into()).cast::<pg_sys::FormData_pg_database>();
            if (*form).datallowconn && !(*form).datistemplate {
                found.push((*form).oid);
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(catalogue, pg_sys::AccessShareLock as i32);
    }
    found
}
