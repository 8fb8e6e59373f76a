//! Sealing: rows of one segment become a block and leave the row store, in one transaction.
//!
//! The rows are read first ([`gather`](super::gather)) and packed ([`pack`](super::pack)). While they leave
//! ([`leave`](super::leave)) the table is locked against writers, not against readers: a writer can then neither change a
//! row that is being sealed nor enter a second row with its key. Readers see the rows in the one place or in the other,
//! by their snapshot.

use std::{cell::RefCell, rc::Rc};

use pgrx::{pg_guard, pg_sys, prelude::*, spi::quote_identifier};

use super::{
    catalogue, datum,
    gather::{Attribute, Gathered},
    layout::{self, Layout},
    leave::Leaving,
    pack::Packer,
    tables,
    tape::Tape,
    time_argument, writers,
};
use crate::server::{
    error::{Error, Kind, Result, or_raise},
    relation::{self, Open},
};

/// Blocks wait in memory for the lock up to so many bytes.
const MOST_WAITING: usize = 12 << 20;

extension_sql!(
    r#"
CREATE FUNCTION headroom.seal(relation regclass) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_all_wrapper';
COMMENT ON FUNCTION headroom.seal(regclass) IS
'Seals all rows of a hypertable, in this transaction; how many. Writers wait until it ends, readers do not';
CREATE FUNCTION headroom.seal(relation regclass, older_than "any") RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_older_wrapper';
COMMENT ON FUNCTION headroom.seal(regclass, "any") IS
'Seals the rows of a hypertable that are older than a time (or, given an interval, than now() minus it), in this transaction; how many. Writers wait until it ends, readers do not';
CREATE FUNCTION headroom.begin_sealing(relation regclass, older_than "any") RETURNS integer
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'begin_sealing_wrapper';
COMMENT ON FUNCTION headroom.begin_sealing(regclass, "any") IS
'Part of seal_by_slices: reads the rows that are older than a time and keeps a copy for this session; in how many slices they are to be sealed. Nobody waits';
CREATE FUNCTION headroom.seal_slice(relation regclass, slice integer) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_slice_wrapper';
COMMENT ON FUNCTION headroom.seal_slice(regclass, integer) IS
'Part of seal_by_slices: seals one slice, numbered from 0, of the rows that begin_sealing has read and that are still the same; how many. To be called in the order of the numbers, a transaction a slice: writers wait while its rows leave, less than about half a second';
CREATE PROCEDURE headroom.seal_by_slices(relation regclass, older_than anyelement)
    LANGUAGE plpgsql AS $$
DECLARE
    slices integer := headroom.begin_sealing(relation, older_than);
BEGIN
    COMMIT;
    FOR number IN 0 .. slices OPERATOR(pg_catalog.-) 1 LOOP
        PERFORM headroom.seal_slice(relation, number);
        COMMIT;
    END LOOP;
END $$;
COMMENT ON PROCEDURE headroom.seal_by_slices(regclass, anyelement) IS
'Seals the rows that are older than a time, in as many transactions as keep writers waiting for less than about half a second each. Rows that change meanwhile stay until the next sealing';
"#,
    name = "seal",
    requires = [seal_all, seal_older, begin_sealing, seal_slice]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_all(relation: pg_sys::Oid) -> i64 {
    or_raise(seal(relation, None))
}

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_older(relation: pg_sys::Oid, older_than: pgrx::AnyElement) -> i64 {
    or_raise(seal(relation, Some(older_than)))
}

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn begin_sealing(relation: pg_sys::Oid, older_than: pgrx::AnyElement) -> i32 {
    or_raise(begin(relation, older_than))
}

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_slice(relation: pg_sys::Oid, slice: i32) -> i64 {
    or_raise(next_slice(relation, slice))
}

/// Refuses on a standby, in a read-only transaction, and where an older snapshot hides what is there now.
pub(crate) fn refuse_where_nothing_can_be_written(function: &std::ffi::CStr) -> Result<()> {
    // SAFETY: raise an error on a standby and in a read-only transaction.
    unsafe {
        pg_sys::PreventCommandIfReadOnly(function.as_ptr());
        pg_sys::PreventCommandDuringRecovery(function.as_ptr());
    }
    // SAFETY: a setting of this transaction.
    if unsafe { pg_sys::XactIsoLevel } >= pg_sys::XACT_REPEATABLE_READ as i32 {
        return Err(Error::new(
            Kind::NotReady,
            "rows are sealed and unsealed in transactions of level READ COMMITTED alone",
        )
        .detail("An older snapshot does not show which rows are there now.")
        .hint("BEGIN ISOLATION LEVEL READ COMMITTED;"));
    }
    Ok(())
}

/// Seals in one transaction, under a lock that keeps writers away.
fn seal(oid: pg_sys::Oid, older_than: Option<pgrx::AnyElement>) -> Result<i64> {
    refuse_where_nothing_can_be_written(c"headroom.seal()")?;
    catalogue::require_own(oid)?;
    // Closed again at once, the lock stays: what is made beside the table cannot be made while it is open.
    drop(Open::with(oid, pg_sys::ShareRowExclusiveLock));
    refuse_published(oid)?;
    let layout = tables::layout_for_sealing(oid)?;
    let table = Open::with(oid, pg_sys::NoLock);
    let mut gathered = gather(&table, older_than)?;
    move_rows(&layout, &table, &mut gathered.tapes, || ())
}

/// Reads the rows that are older; they are kept for [`next_slice`].
fn begin(oid: pg_sys::Oid, older_than: pgrx::AnyElement) -> Result<i32> {
    refuse_where_nothing_can_be_written(c"headroom.begin_sealing()")?;
    catalogue::require_own(oid)?;
    refuse_published(oid)?;
    GATHERED.set(None);
    let gathered = gather(&Open::with(oid, pg_sys::AccessShareLock), Some(older_than))?;
    let slices = gathered.tapes.len().div_ceil(gathered.tapes_a_slice);
    forget_after_errors();
    GATHERED.set(Some(gathered));
    // The first makes the tables of sealed rows, which takes a lock, and nothing else.
    Ok(slices as i32 + 1)
}

fn gather(table: &Open, older_than: Option<pgrx::AnyElement>) -> Result<Gathered> {
    let names = catalogue::names(table.oid())?.ok_or_else(|| {
        Error::new(Kind::WrongObject, format!("{} is no hypertable", relation::name(table.oid())))
    })?;
    let (time, type_oid) = Attribute::of(table, &names.time)?;
    let older_than = older_than
        .map(|value| time_argument::of(&names.time, type_oid, value))
        .transpose()?
        .map(|limit| datum::time_of(limit, time.form));
    Gathered::read(table, &names, older_than)
}

/// Seals the next of the slices that [`begin`] has counted.
fn next_slice(oid: pg_sys::Oid, slice: i32) -> Result<i64> {
    refuse_where_nothing_can_be_written(c"headroom.seal_slice()")?;
    catalogue::require_own(oid)?;
    refuse_published(oid)?;
    let not_begun = || {
        let name = relation::name(oid);
        Error::new(Kind::NotReady, format!("this session has not begun to seal {name}, or has ended it"))
            .hint(format!("CALL headroom.seal_by_slices({}, …);", pgrx::spi::quote_literal(name)))
    };
    // Taken out while it is used: an error throws it away.
    let mut gathered = GATHERED.take().filter(|gathered| gathered.relation == oid).ok_or_else(not_begun)?;
    if slice == 0 {
        if Layout::of_hypertable(oid)?.is_none() {
            writers::keep_away(oid);
            tables::layout_for_sealing(oid)?;
        }
        GATHERED.set(Some(gathered));
        return Ok(0);
    }
    let layout = Layout::of_hypertable(oid)?.ok_or_else(not_begun)?;
    let table = Open::with(oid, pg_sys::AccessShareLock);
    gathered.require_same_table(&table)?;
    let count = gathered.tapes.len().min(gathered.tapes_a_slice);
    let mut tapes: Vec<Tape> = gathered.tapes.drain(..count).collect();
    let moved = move_rows(&layout, &table, &mut tapes, || writers::keep_away(oid))?;
    if !gathered.tapes.is_empty() {
        GATHERED.set(Some(gathered));
    }
    Ok(moved)
}

thread_local! {
    // A backend has one thread; this is what begin_sealing has read.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
    static IS_LISTENING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Asks the server, once, to be told of transactions that are undone: what was read is thrown away then.
fn forget_after_errors() {
    if !IS_LISTENING.replace(true) {
        // SAFETY: registers a function that lives as long as the library.
        unsafe { pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut()) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_ended(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    if event == pg_sys::XactEvent::XACT_EVENT_ABORT {
        GATHERED.set(None);
    }
}

/// A subscriber would take the move of a row for its deletion.
fn refuse_published(oid: pg_sys::Oid) -> Result<()> {
    let publication = Spi::get_one_with_args::<String>(
        "SELECT p.pubname::pg_catalog.text FROM pg_catalog.pg_publication p
         JOIN pg_catalog.pg_publication_tables t ON t.pubname OPERATOR(pg_catalog.=) p.pubname
         JOIN pg_catalog.pg_class c ON c.relname OPERATOR(pg_catalog.=) t.tablename
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace AND n.nspname OPERATOR(pg_catalog.=) t.schemaname
         WHERE c.oid OPERATOR(pg_catalog.=) $1 AND p.pubdelete
         UNION ALL SELECT NULL LIMIT 1",
        &[oid.into()],
    )?;
    match publication {
        None => Ok(()),
        Some(publication) => Err(Error::new(
            Kind::Unsupported,
            format!("rows of {} cannot be sealed: publication \"{publication}\" has it", relation::name(oid)),
        )
        .detail("Subscribers would delete every row that is sealed.")
        .hint(format!(
            "ALTER PUBLICATION {0} DROP TABLE {1}; or, where it is FOR ALL TABLES or a schema, make {0} anew without {1}.",
            quote_identifier(&publication),
            relation::name(oid)
        ))),
    }
}

/// Packs the rows of the tapes, calls `lock` and moves them; how many.
fn move_rows(layout: &Rc<Layout>, table: &Open, tapes: &mut [Tape], lock: impl Fn()) -> Result<i64> {
    let pack = || pack_and_move(layout, table, tapes, lock);
    let moved = if layout::has_text_form(layout) { datum::with_exact_text(pack) } else { pack() }?;
    if moved > 0 {
        // SAFETY: tells every session to forget what it knows of the tables.
        unsafe {
            pg_sys::CacheInvalidateRelcacheByRelid(layout.hypertable);
        }
        add_to_estimate(layout, moved);
    }
    Ok(moved)
}

fn pack_and_move(layout: &Layout, table: &Open, tapes: &mut [Tape], lock: impl Fn()) -> Result<i64> {
    // SAFETY: the table is open.
    let (descriptor, width) = unsafe {
        let descriptor = (*table.as_ptr()).rd_att;
        (descriptor, (*descriptor).natts as usize)
    };
    let (mut values, mut nulls) = (vec![pg_sys::Datum::from(0); width], vec![false; width]);
    let mut buffer = Vec::new();
    let mut leaving = Leaving::default();
    let mut moved = 0;
    for tape in tapes {
        let mut packer = Packer::new(layout, table)?;
        let mut done = |packed| {
            leaving.push(packed);
            if leaving.memory() > MOST_WAITING {
                lock();
                moved += leaving.move_all(layout, table)?;
            }
            Ok(())
        };
        while let Some((version, mut tuple)) = tape.read(&mut buffer)? {
            pgrx::check_for_interrupts!();
            // SAFETY: the tuple is one of this table's, and the arrays are as wide.
            unsafe {
                pg_sys::heap_deform_tuple(
                    &raw mut tuple,
                    descriptor,
                    values.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                );
                packer.take(version, &values, &nulls, tuple.t_len as usize, &mut done)?;
            }
        }
        packer.finish(&mut done)?;
    }
    lock();
    Ok(moved + leaving.move_all(layout, table)?)
}

/// Tells the planner, as ANALYZE does, how many rows more are sealed.
pub(crate) fn add_to_estimate(layout: &Layout, rows: i64) {
    let sealed = Open::with(layout.sealed, pg_sys::AccessShareLock);
    // SAFETY: the relation is open; only its row count changes.
    unsafe {
        let known = (*(*sealed.as_ptr()).rd_rel).reltuples.max(0.0);
        pg_sys::vac_update_relstats(
            sealed.as_ptr(),
            0,
            (f64::from(known) + rows as f64).max(0.0),
            0,
            false,
            pg_sys::InvalidTransactionId,
            pg_sys::InvalidTransactionId.into_inner().into(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            false,
        );
    }
}
