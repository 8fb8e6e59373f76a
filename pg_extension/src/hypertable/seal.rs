//! Sealing: rows of one segment become a block and leave the row store, in one transaction.
//!
//! The table is locked against writers, not against readers, while rows are moved: a writer can then neither change a
//! row that is being sealed nor enter a second row with its key. Readers see the rows in the one place or in the other,
//! by their snapshot.

use std::rc::Rc;

use headroom_core::block::{self, Column, Directory, codec::Effort};
use pgrx::{PgMemoryContexts, pg_sys, prelude::*, spi::quote_identifier};

use super::{
    block_store::BlockStore,
    catalogue,
    datum::{self, Collector},
    layout::{self, Layout, Role},
    tables, time_argument,
};
use crate::server::{
    error::{Error, Kind, Result, or_raise},
    identity, query,
    relation::{self, Open},
};

/// A block is closed with so many rows, unless it is the segment's last.
const ROWS: usize = 2_000;
/// The last block of a segment takes up to so many, so that no small one is left over.
const MOST_ROWS: usize = 3_000;
/// A block is closed when its values take so much memory, however few they are.
const MOST_BYTES: usize = 16 << 20;

extension_sql!(
    r#"
CREATE FUNCTION headroom.seal(relation regclass) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_all_wrapper';
COMMENT ON FUNCTION headroom.seal(regclass) IS
'Seals all rows of a hypertable, in this transaction; how many. Writers wait until it ends, readers do not';
CREATE FUNCTION headroom.seal(relation regclass, older_than "any") RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_older_wrapper';
COMMENT ON FUNCTION headroom.seal(regclass, "any") IS
'Seals the rows of a hypertable that are older than a time (or, given an interval, than now() minus it), in this transaction; how many';
CREATE FUNCTION headroom.seal(relation regclass, older_than "any", slice integer, slices integer) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'seal_slice_wrapper';
COMMENT ON FUNCTION headroom.seal(regclass, "any", integer, integer) IS
'Seals one slice, numbered from 0, of so many slices of the segments that have rows older than a time: a transaction a slice keeps writers waiting only briefly';
CREATE FUNCTION headroom.slices_to_seal(relation regclass) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'slices_to_seal_wrapper';
COMMENT ON FUNCTION headroom.slices_to_seal(regclass) IS
'Into how many slices sealing should be cut so that one takes less than about half a second';
CREATE PROCEDURE headroom.seal_by_slices(relation regclass, older_than anyelement)
    LANGUAGE plpgsql AS $$
DECLARE
    slices integer := headroom.slices_to_seal(relation);
BEGIN
    FOR number IN 0 .. slices OPERATOR(pg_catalog.-) 1 LOOP
        PERFORM headroom.seal(relation, older_than, number, slices);
        COMMIT;
    END LOOP;
END $$;
COMMENT ON PROCEDURE headroom.seal_by_slices(regclass, anyelement) IS
'Seals the rows that are older than a time, in as many transactions as keep writers waiting for less than about half a second each';
"#,
    name = "seal",
    requires = [seal_all, seal_older, seal_slice, slices_to_seal]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_all(relation: pg_sys::Oid) -> i64 {
    or_raise(seal(relation, None, Slice::WHOLE))
}

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_older(relation: pg_sys::Oid, older_than: pgrx::AnyElement) -> i64 {
    or_raise(seal(relation, Some(older_than), Slice::WHOLE))
}

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn seal_slice(relation: pg_sys::Oid, older_than: pgrx::AnyElement, slice: i32, slices: i32) -> i64 {
    or_raise(Slice::new(slice, slices).and_then(|slice| seal(relation, Some(older_than), slice)))
}

/// Rows of a slice, about: sealing so many takes less than half a second.
const SLICE_ROWS: f64 = 250_000.0;

#[pg_extern(stable, parallel_safe, sql = false)]
fn slices_to_seal(relation: pg_sys::Oid) -> i32 {
    or_raise(catalogue::require_own(relation));
    let open = Open::with(relation, pg_sys::AccessShareLock);
    // SAFETY: the relation is open; what the planner takes for its number of rows.
    let rows = unsafe {
        let (mut pages, mut rows, mut visible) = (0, 0.0, 0.0);
        pg_sys::estimate_rel_size(
            open.as_ptr(),
            std::ptr::null_mut(),
            &raw mut pages,
            &raw mut rows,
            &raw mut visible,
        );
        rows
    };
    (rows / SLICE_ROWS).ceil().clamp(1.0, 10_000.0) as i32
}

/// Which of the segments are sealed by one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    number: i32,
    of: i32,
}

impl Slice {
    const WHOLE: Self = Self { number: 0, of: 1 };

    fn new(number: i32, of: i32) -> Result<Self> {
        if of < 1 || !(0..of).contains(&number) {
            return Err(Error::new(Kind::OutOfRange, format!("there is no slice {number} of {of}"))
                .hint("Slices are numbered from 0; there is at least one."));
        }
        Ok(Self { number, of })
    }

    /// The condition on the segment that chooses the slice; nothing when it is everything.
    fn condition(self, layout: &Layout) -> Result<Option<String>> {
        if self == Self::WHOLE {
            return Ok(None);
        }
        let hash = layout.segment_column().and_then(|column| {
            // SAFETY: the server's cache of types; the entry lives as long as the backend.
            let function = unsafe {
                let flags = pg_sys::TYPECACHE_HASH_PROC as i32;
                (*pg_sys::lookup_type_cache(column.type_oid, flags)).hash_proc
            };
            (function != pg_sys::InvalidOid).then_some((column, function))
        });
        let Some((column, function)) = hash else {
            // What cannot be cut is the first slice.
            return Ok(Some(if self.number == 0 { "true".to_owned() } else { "false".to_owned() }));
        };
        let name = Spi::get_one_with_args::<String>(
            "SELECT pg_catalog.quote_ident(n.nspname) OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(p.proname)
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
             WHERE p.oid OPERATOR(pg_catalog.=) $1",
            &[function.into()],
        )?;
        let name = name.ok_or_else(|| Error::new(Kind::Internal, "a hash function has no name"))?;
        let value = format!("{name}({})", quote_identifier(&column.name));
        let Self { number, of } = self;
        // The remainder of a negative hash is negative.
        Ok(Some(format!(
            "(({value}::pg_catalog.int8 OPERATOR(pg_catalog.+) 2147483648) OPERATOR(pg_catalog.%) {of}) OPERATOR(pg_catalog.=) {number}"
        )))
    }
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

fn seal(oid: pg_sys::Oid, older_than: Option<pgrx::AnyElement>, slice: Slice) -> Result<i64> {
    refuse_where_nothing_can_be_written(c"headroom.seal()")?;
    catalogue::require_own(oid)?;
    // Closed again at once, the lock stays: what is made beside the table cannot be made while it is open.
    drop(Open::with(oid, pg_sys::ShareRowExclusiveLock));
    refuse_published(oid)?;
    let layout = tables::layout_for_sealing(oid)?;
    let hypertable = Open::with(oid, pg_sys::NoLock);
    let older_than = older_than.map(|value| time_argument::of(&layout, value)).transpose()?;
    if layout::has_text_form(&layout) {
        datum::with_exact_text(|| move_rows(&hypertable, &layout, older_than, slice))
    } else {
        move_rows(&hypertable, &layout, older_than, slice)
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
            "ALTER PUBLICATION {} DROP TABLE {};",
            quote_identifier(publication),
            relation::name(oid)
        ))),
    }
}

fn move_rows(
    hypertable: &Open,
    layout: &Rc<Layout>,
    older_than: Option<pg_sys::Datum>,
    slice: Slice,
) -> Result<i64> {
    let mut sealer = Sealer::new(layout);
    let columns: Vec<_> = layout.columns.iter().flatten().map(|c| quote_identifier(&c.name)).collect();
    let time = quote_identifier(&layout.time_column().name);
    let mut sql =
        format!("SELECT ctid, {} FROM ONLY {}", columns.join(", "), relation::name(layout.hypertable));
    let older = older_than.map(|_| format!("{time} OPERATOR(pg_catalog.<) $1"));
    let conditions: Vec<_> = older.into_iter().chain(slice.condition(layout)?).collect();
    if !conditions.is_empty() {
        sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    let segment =
        layout.segment_column().map(|c| format!("{}, ", quote_identifier(&c.name))).unwrap_or_default();
    sql.push_str(&format!(" ORDER BY {segment}{time}"));
    let arguments: Vec<_> =
        older_than.map(|value| (layout.time_column().type_oid, value)).into_iter().collect();
    // As the superuser: whoever owns the table, its policies must hide no row from sealing. The query calls nothing
    // but the comparison of the time column's type, and the order of the segment's.
    let superuser = pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID);
    identity::run_as(superuser, || {
        // SAFETY: the slot holds a row of this query.
        query::each_row(&sql, &arguments, |slot| unsafe { sealer.take(slot) })
    })?;
    sealer.close_segment();
    let moved = sealer.delete_from(hypertable)?;
    if moved > 0 {
        // SAFETY: tells every session to forget what it knows of the tables.
        unsafe {
            pg_sys::CacheInvalidateRelcacheByRelid(layout.hypertable);
        }
        add_to_estimate(layout, moved);
    }
    Ok(moved)
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

/// Collects rows that come by segment and time, and writes their blocks.
struct Sealer<'a> {
    layout: &'a Layout,
    store: BlockStore<'a>,
    /// One a column that blocks hold, in the order of the columns of the query.
    collectors: Vec<Option<Collector>>,
    segment: Option<Segment>,
    rows: usize,
    /// Where the rows are that were taken.
    taken: Vec<pg_sys::ItemPointerData>,
}

/// The segment whose rows are being collected.
struct Segment {
    /// One value; the block's rows share it.
    value: datum::Datums,
    /// Its bytes, to notice the next segment.
    bytes: Column,
}

impl<'a> Sealer<'a> {
    fn new(layout: &'a Layout) -> Self {
        let collectors = layout
            .columns
            .iter()
            .flatten()
            .map(|column| (column.role != Role::Segment).then(|| Collector::new(column)))
            .collect();
        Self {
            layout,
            store: BlockStore::open(layout),
            collectors,
            segment: None,
            rows: 0,
            taken: Vec::new(),
        }
    }

    /// Takes a row: its place, then its columns.
    ///
    /// # Safety
    /// The slot holds a row of the query of [`move_rows`], deformed.
    unsafe fn take(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the caller's promise.
        unsafe {
            let value = |i: usize| (*(*slot).tts_values.add(i), *(*slot).tts_isnull.add(i));
            self.taken.push(*value(0).0.cast_mut_ptr::<pg_sys::ItemPointerData>());
            let mut columns = self.layout.columns.iter().flatten().enumerate();
            if let Some((i, column)) = columns.find(|(_, column)| column.role == Role::Segment) {
                let mut one = Collector::new(column);
                one.push(value(i + 1).0, false);
                if self.segment.as_ref().is_none_or(|open| open.bytes != *one.column()) {
                    self.close_segment();
                    let bytes = one.column().clone();
                    self.segment =
                        Some(Segment { value: or_raise(datum::Datums::of(one.take(), column)), bytes });
                }
            }
            for (i, collector) in self.collectors.iter_mut().enumerate() {
                if let Some(collector) = collector {
                    let (datum, is_null) = value(i + 1);
                    collector.push(datum, is_null);
                }
            }
            self.rows += 1;
            let memory = || self.collectors.iter().flatten().map(Collector::memory).sum::<usize>();
            if self.rows >= MOST_ROWS {
                self.write_block(ROWS);
            } else if self.rows.is_multiple_of(64) && memory() > MOST_BYTES {
                self.write_block(self.rows);
            }
        }
    }

    fn close_segment(&mut self) {
        if self.rows > 0 {
            self.write_block(self.rows);
        }
    }

    /// Writes a block of the first `count` rows.
    fn write_block(&mut self, count: usize) {
        let columns: Vec<(u32, Column)> = self
            .layout
            .columns
            .iter()
            .flatten()
            .zip(&mut self.collectors)
            .filter_map(|(column, collector)| Some((column.number()?, collector.as_mut()?.take_first(count))))
            .collect();
        self.rows -= count;
        let mut sorted: Vec<(u32, &Column)> =
            columns.iter().map(|(number, column)| (*number, column)).collect();
        sorted.sort_by_key(|(number, _)| *number);
        let Role::Time(time) = self.layout.time_column().role else { return };
        let times = sorted.iter().find(|(number, _)| *number == time).map(|(_, column)| *column);
        let Some((first, last)) = times.and_then(ends) else { return };
        let block = block::write(first, last, &sorted, Effort::default());
        let directory =
            Directory { rows: count as u32, first_time: first, last_time: last, entries: Vec::new() };
        let segment = self.segment.as_ref().map_or(pg_sys::Datum::from(0), |s| s.value.values[0]);
        // SAFETY: the segment's value is of the segment column's type; nothing made in the context is used later.
        unsafe {
            PgMemoryContexts::new("headroom block")
                .switch_to(|_| self.store.insert(segment, &directory, &block));
        }
    }

    /// Deletes the rows that were taken from the row store.
    fn delete_from(self, hypertable: &Open) -> Result<i64> {
        let mut taken = self.taken;
        let order = |t: &pg_sys::ItemPointerData| (t.ip_blkid.bi_hi, t.ip_blkid.bi_lo, t.ip_posid);
        taken.sort_unstable_by_key(order);
        // SAFETY: the table is open and locked against writers.
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            for place in &mut taken {
                pgrx::check_for_interrupts!();
                let mut failure = pg_sys::TM_FailureData::default();
                // As if moved to another partition: whoever still waits for the row gets an error instead of
                // believing that it is gone.
                let result = pg_sys::heap_delete(
                    hypertable.as_ptr(),
                    place,
                    command,
                    std::ptr::null_mut(),
                    true,
                    &raw mut failure,
                    true,
                );
                if result != pg_sys::TM_Result::TM_Ok {
                    return Err(Error::new(
                        Kind::Serialization,
                        format!(
                            "a row of {} changed while it was sealed",
                            relation::name(self.layout.hypertable)
                        ),
                    )
                    .hint("Try again."));
                }
            }
        }
        Ok(taken.len() as i64)
    }
}

/// The first and the last time of a column of times.
fn ends(times: &Column) -> Option<(i64, i64)> {
    use headroom_core::block::Values;
    match &times.values {
        Values::I16(v) => Some((i64::from(*v.first()?), i64::from(*v.last()?))),
        Values::I32(v) => Some((i64::from(*v.first()?), i64::from(*v.last()?))),
        Values::I64(v) => Some((*v.first()?, *v.last()?)),
        _ => None,
    }
}
