//! The rows that are to be sealed, read from the row store once and laid by segment onto temporary files, each small
//! enough to be packed in memory. They stay there over transactions, so that each can move a part.

use pgrx::pg_sys;

use super::{
    catalogue::Names,
    datum,
    layout::Form,
    tape::{Tape, Version},
};
use crate::server::{
    error::{Error, Kind, Result},
    memory,
    relation::{self, Open},
};

/// So many files are open at most; each has a buffer of 8 KB.
const MOST_TAPES: u64 = 512;

/// Bytes of rows that one transaction moves: they leave in less than half a second.
const SLICE_BYTES: usize = 64 << 20;

/// Bytes of the row store that go onto one file, about: it is packed in memory. Sealing takes `work_mem` and 32 MB at most,
/// and half of what is given beyond the default of 4 MB makes the files larger, so that more rows of a segment meet.
pub(super) fn tape_bytes() -> usize {
    // SAFETY: a setting of the session, in KB.
    let work_mem = unsafe { pg_sys::work_mem } as usize * 1024;
    (6 << 20) + (work_mem / 2).min(26 << 20)
}

// Of the server, but not among pgrx's bindings.
unsafe extern "C-unwind" {
    fn toast_flatten_tuple(tuple: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> pg_sys::HeapTuple;
}

/// A column of the hypertable, by its place among the attributes.
#[derive(Clone, Copy)]
pub(super) struct Attribute {
    pub(super) index: usize,
    pub(super) form: Form,
    /// Of a datum: its bytes, -1 with a header that tells them, -2 up to a zero.
    length: i16,
    is_by_value: bool,
}

impl Attribute {
    /// The column at this place.
    pub(super) fn at(table: &Open, index: usize) -> Self {
        let attribute = &table.attributes()[index];
        let form = Form::of(attribute.atttypid);
        Self { index, form, length: attribute.attlen, is_by_value: attribute.attbyval }
    }

    /// The column of this name.
    pub(super) fn of(table: &Open, name: &str) -> Result<(Self, pg_sys::Oid)> {
        let mut attributes = table.attributes().iter().enumerate();
        let found = attributes.find(|(_, a)| !a.attisdropped && relation::text_of(&a.attname) == name);
        let (index, attribute) = found.ok_or_else(|| {
            Error::new(
                Kind::UndefinedColumn,
                format!("column \"{name}\" of {} does not exist any more", relation::name(table.oid())),
            )
        })?;
        Ok((Self::at(table, index), attribute.atttypid))
    }

    /// Puts what tells one value from another into `key`.
    ///
    /// # Safety
    /// The datum is one of the column's, not null.
    pub(super) unsafe fn key(self, datum: pg_sys::Datum, key: &mut Vec<u8>) {
        key.clear();
        // SAFETY: the caller's promise; how blocks store the value (as text, of an enum) says nothing of the datum.
        unsafe {
            match self.length {
                _ if self.is_by_value => key.extend(datum.value().to_le_bytes()),
                -2 => key.extend(std::ffi::CStr::from_ptr(datum.cast_mut_ptr()).to_bytes()),
                length @ 0.. => {
                    let bytes = std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), length as usize);
                    key.extend_from_slice(bytes);
                }
                _ => {
                    let original = datum.cast_mut_ptr::<pg_sys::varlena>();
                    let flat = pg_sys::pg_detoast_datum_packed(original);
                    key.extend_from_slice(std::slice::from_raw_parts(
                        pgrx::varlena::vardata_any(flat).cast::<u8>(),
                        pgrx::varlena::varsize_any_exhdr(flat),
                    ));
                    if flat != original {
                        pg_sys::pfree(flat.cast());
                    }
                }
            }
        }
    }
}

/// Rows of one hypertable, on temporary files.
pub(super) struct Gathered {
    pub(super) relation: pg_sys::Oid,
    pub(super) tapes: Vec<Tape>,
    /// How many of them one transaction moves.
    pub(super) tapes_a_slice: usize,
    /// What the table's rows looked like.
    descriptor: pg_sys::TupleDesc,
    /// In which file they were: in another one they have other places.
    file: pg_sys::Oid,
}

impl Gathered {
    /// Reads the rows of the table that are older than a time (all without one), as of this moment.
    pub(super) fn read(table: &Open, names: &Names, older_than: Option<i64>) -> Result<Self> {
        let (time, _) = Attribute::of(table, &names.time)?;
        let segment = names.segment.as_deref().map(|name| Attribute::of(table, name)).transpose()?;
        let segment = segment.map(|(attribute, _)| attribute);
        let wanted = 1 + time.index.max(segment.map_or(0, |s| s.index)) as i32;
        // SAFETY: the table is open; scan, slot and snapshot are released below, by the server after an error.
        unsafe {
            let bytes = size_of(table);
            let tape_bytes = tape_bytes();
            let count = bytes.div_ceil(tape_bytes as u64).clamp(1, MOST_TAPES);
            let descriptor = (*table.as_ptr()).rd_att;
            let before = memory::enter(pg_sys::TopMemoryContext);
            let mut gathered = Self {
                relation: table.oid(),
                tapes: Vec::new(),
                tapes_a_slice: SLICE_BYTES / tape_bytes,
                descriptor: pg_sys::CreateTupleDescCopyConstr(descriptor),
                file: (*table.as_ptr()).rd_node.relNode,
            };
            memory::enter(before);
            gathered.tapes.extend((0..count).map(|_| Tape::new()));
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let slot = pg_sys::table_slot_create(table.as_ptr(), std::ptr::null_mut());
            // From the first page on, never from where another scan is: rows then come in the order of their arrival.
            let scan =
                pg_sys::table_beginscan_strat(table.as_ptr(), snapshot, 0, std::ptr::null_mut(), true, false);
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            let mut key = Vec::new();
            while pg_sys::table_scan_getnextslot(scan, forward, slot) {
                pgrx::check_for_interrupts!();
                pg_sys::slot_getsomeattrs(slot, wanted);
                let value = |attribute: Attribute| *(*slot).tts_values.add(attribute.index);
                if older_than.is_some_and(|limit| datum::time_of(value(time), time.form) >= limit) {
                    continue;
                }
                let tape = match segment {
                    Some(segment) if count > 1 => {
                        segment.key(value(segment), &mut key);
                        (hash(&key) % count) as usize
                    }
                    _ => 0,
                };
                let tuple = (*slot.cast::<pg_sys::HeapTupleTableSlot>()).tuple;
                let header = (*tuple).t_data;
                let at = (*tuple).t_self;
                let version = Version {
                    page: u32::from(at.ip_blkid.bi_hi) << 16 | u32::from(at.ip_blkid.bi_lo),
                    line: at.ip_posid,
                    writer: (*header).t_choice.t_heap.t_xmin.into_inner(),
                };
                if (*header).t_infomask & pg_sys::HEAP_HASEXTERNAL as u16 == 0 {
                    gathered.tapes[tape].write(version, tuple);
                } else {
                    let flat = toast_flatten_tuple(tuple, descriptor);
                    gathered.tapes[tape].write(version, flat);
                    pg_sys::heap_freetuple(flat);
                }
            }
            pg_sys::table_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::UnregisterSnapshot(snapshot);
            for tape in &mut gathered.tapes {
                tape.rewind()?;
            }
            Ok(gathered)
        }
    }

    /// Refuses a table whose columns are no longer those of the rows, or that was written anew (by VACUUM FULL, CLUSTER,
    /// TRUNCATE): the places of its rows are then those of others. The lock under which the table is open keeps that away.
    pub(super) fn require_same_table(&self, table: &Open) -> Result<()> {
        // SAFETY: both descriptions are there as long as this runs.
        let (has_same_columns, file) = unsafe {
            let relation = table.as_ptr();
            (pg_sys::equalTupleDescs(self.descriptor, (*relation).rd_att), (*relation).rd_node.relNode)
        };
        let what = match (has_same_columns, file == self.file) {
            (true, true) => return Ok(()),
            (false, _) => "the columns of",
            (true, false) => "the places of all rows of",
        };
        Err(Error::new(
            Kind::Serialization,
            format!("{what} {} changed while it was sealed", relation::name(self.relation)),
        )
        .hint("Try again."))
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        // SAFETY: the copy that `read` made.
        unsafe { pg_sys::FreeTupleDesc(self.descriptor) };
    }
}

/// Bytes of the table and of what it stores elsewhere.
unsafe fn size_of(table: &Open) -> u64 {
    let main = pg_sys::ForkNumber::MAIN_FORKNUM;
    // SAFETY: the table is open.
    unsafe {
        let own = pg_sys::RelationGetNumberOfBlocksInFork(table.as_ptr(), main);
        let toast = (*(*table.as_ptr()).rd_rel).reltoastrelid;
        let aside = if toast == pg_sys::InvalidOid {
            0
        } else {
            let toast = Open::with(toast, pg_sys::AccessShareLock);
            pg_sys::RelationGetNumberOfBlocksInFork(toast.as_ptr(), main)
        };
        (u64::from(own) + u64::from(aside)) * u64::from(pg_sys::BLCKSZ)
    }
}

/// FNV-1a (Fowler, Noll, Vo), mixed once more so that its low bits depend on all.
fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}
