//! Running a query and taking its rows as they come, without keeping them.

use std::{ffi::CString, ptr};

use pgrx::{pg_guard, pg_sys};

use super::error::{Error, Kind, Result};

/// A receiver of rows, as the executor knows it, with the closure behind it.
#[repr(C)]
struct Receiver<'a> {
    base: pg_sys::DestReceiver,
    take: &'a mut dyn FnMut(*mut pg_sys::TupleTableSlot),
}

thread_local! {
    // A backend has one thread.
    static RUNNING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a query of our own is being run.
pub(crate) fn is_running() -> bool {
    RUNNING.get()
}

struct Running(bool);

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Runs a query and calls `take` for every row, with the slot deformed.
pub(crate) fn each_row(
    sql: &str,
    arguments: &[(pg_sys::Oid, pg_sys::Datum)],
    mut take: impl FnMut(*mut pg_sys::TupleTableSlot),
) -> Result<()> {
    let _running = Running(RUNNING.replace(true));
    let sql = CString::new(sql).map_err(|_| Error::new(Kind::Internal, "a query has a zero byte"))?;
    let mut types: Vec<_> = arguments.iter().map(|(oid, _)| *oid).collect();
    let mut receiver = Receiver {
        base: pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(startup),
            rShutdown: Some(nothing),
            rDestroy: Some(nothing),
            mydest: pg_sys::CommandDest::DestNone,
        },
        take: &mut take,
    };
    // SAFETY: everything given lives until the query has run; an error unwinds through here and the server cleans up.
    unsafe {
        let fails =
            |what: &str| Error::new(Kind::Internal, format!("headroom's own query could not be {what}"));
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(fails("begun"));
        }
        let plan = pg_sys::SPI_prepare(sql.as_ptr(), types.len() as i32, types.as_mut_ptr());
        if plan.is_null() {
            return Err(fails("prepared"));
        }
        let parameters = pg_sys::makeParamList(arguments.len() as i32);
        if !parameters.is_null() {
            let slots = (*parameters).params.as_mut_slice(arguments.len());
            for (slot, (oid, value)) in slots.iter_mut().zip(arguments) {
                slot.value = *value;
                slot.isnull = false;
                slot.pflags = pg_sys::PARAM_FLAG_CONST as u16;
                slot.ptype = *oid;
            }
        }
        let options = pg_sys::SPIExecuteOptions {
            params: if arguments.is_empty() { ptr::null_mut() } else { parameters },
            dest: (&raw mut receiver).cast(),
            ..Default::default()
        };
        let done = pg_sys::SPI_execute_plan_extended(plan, &options);
        pg_sys::SPI_finish();
        if done < 0 {
            return Err(fails("run"));
        }
    }
    Ok(())
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: the executor gives back the receiver that each_row gave it.
    unsafe {
        pg_sys::slot_getallattrs(slot);
        ((*receiver.cast::<Receiver<'_>>()).take)(slot);
    }
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn startup(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: i32,
    _row: pg_sys::TupleDesc,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn nothing(_receiver: *mut pg_sys::DestReceiver) {}
