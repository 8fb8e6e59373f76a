//! One block with the columns that are wanted, decoded.

use headroom_core::block::{Damage, Directory, Entry, Values};
use pgrx::{pg_sys, varlena};

use super::{conditions::KeyCondition, place, source::BlockRow};
use crate::{
    hypertable::{
        datum::{self, Collector, Datums},
        layout::{Form, Layout, Role},
    },
    server::{
        error::{Error, Kind, Result},
        memory, relation,
    },
};

/// What is wrong with the block on which a scan stands, with its place and what to do.
pub(super) fn damaged(layout: &Layout, at: pg_sys::ItemPointerData, why: &str) -> Error {
    let table = relation::name(layout.blocks);
    let page = u32::from(at.ip_blkid.bi_hi) << 16 | u32::from(at.ip_blkid.bi_lo);
    let line = at.ip_posid;
    Error::new(Kind::Damaged, format!("the block at ({page},{line}) of {table} is damaged: {why}"))
        .detail("None of its rows can be trusted.")
        .hint(format!(
            "Restore it from a backup, or give its rows up: DELETE FROM {table} WHERE ctid = '({page},{line})';"
        ))
}

/// The head of a block.
pub(super) struct Head {
    pub(super) directory: Directory,
    payload: pg_sys::Datum,
    at: pg_sys::ItemPointerData,
}

impl Head {
    /// Reads the head of a block.
    pub(super) fn read(layout: &Layout, row: BlockRow) -> Result<Self> {
        let columns = row.columns;
        let at = row.place();
        // SAFETY: the column is a bytea; the copy, when one is made, lives in the current memory context.
        let directory = unsafe {
            let flat = pg_sys::pg_detoast_datum_packed(row.value(columns.directory).cast_mut_ptr());
            Directory::parse(bytes_of(flat))
        }
        .map_err(|damage| damaged(layout, at, &damage.to_string()))?;
        let form = layout.time_column().form;
        let stored = (
            datum::time_of(row.value(columns.first_time), form),
            datum::time_of(row.value(columns.last_time), form),
            row.value(columns.row_count).value() as i32,
        );
        if stored != (directory.first_time, directory.last_time, directory.rows as i32) {
            return Err(damaged(
                layout,
                at,
                "its row and its directory disagree about times or number of rows",
            ));
        }
        if directory.rows as usize > place::MAX_ROWS {
            return Err(damaged(layout, at, "it has more rows than a block may have"));
        }
        Ok(Self { directory, payload: row.value(columns.payload), at })
    }

    /// Whether the block can hold rows that meet the conditions.
    pub(super) fn may_hold(&self, layout: &Layout, conditions: &[KeyCondition]) -> bool {
        conditions.iter().all(|condition| {
            let number = layout.column(condition.position).and_then(|column| column.number());
            number.and_then(|n| self.directory.entry(n)).is_none_or(|entry| condition.may_hold(entry))
        })
    }
}

/// An open block.
pub(super) struct OpenBlock {
    /// How many rows it has.
    pub(super) rows: usize,
    /// The datums of the wanted columns, in the order in which they were wanted.
    pub(super) columns: Vec<Datums>,
    /// The times of its rows; empty when they were not asked for.
    pub(super) times: Vec<i64>,
    /// The `ctid` of its first row, as a number.
    pub(super) place: u64,
    /// Memory of the datums that the server made; to be deleted with the block.
    context: pg_sys::MemoryContext,
}

impl OpenBlock {
    /// Opens a block.
    pub(super) fn open(
        layout: &Layout,
        row: BlockRow,
        head: &Head,
        wanted: &[usize],
        with_times: bool,
    ) -> Result<Self> {
        let rows = head.directory.rows as usize;
        let mut payload = Payload::new(layout, head, wanted, with_times);
        let times = if with_times {
            match payload.column(layout.time)?.map(|c| c.values) {
                Some(Values::I64(times)) => times,
                Some(Values::I32(times)) => times.into_iter().map(i64::from).collect(),
                Some(Values::I16(times)) => times.into_iter().map(i64::from).collect(),
                _ => return Err(damaged(layout, head.at, "it has no times")),
            }
        } else {
            Vec::new()
        };
        let mut block = Self {
            rows,
            columns: Vec::with_capacity(wanted.len()),
            times,
            place: place::of_block(head.at)?,
            context: std::ptr::null_mut(),
        };
        for position in wanted {
            let Some(column) = layout.column(*position) else {
                block.columns.push(Datums::same(pg_sys::Datum::from(0), true, rows));
                continue;
            };
            let in_server = column.form == Form::Text || column.missing.is_some();
            let before = in_server.then(|| block.enter_context());
            let datums = if column.role == Role::Segment {
                let mut one = Collector::new(column);
                let attribute =
                    row.columns.segment.expect("a layout with a segment has its column in the blocks");
                // SAFETY: the column of the table of blocks has the segment's type.
                unsafe { one.push(row.value(attribute), false) };
                Datums::of(one.take(), column)?.repeated(rows)
            } else {
                match payload.column(*position)? {
                    Some(values) => {
                        Datums::of(values, column).map_err(|e| damaged(layout, head.at, &e.to_string()))?
                    }
                    None => {
                        let (datum, is_null) = datum::missing(column);
                        Datums::same(datum, is_null, rows)
                    }
                }
            };
            if let Some(before) = before {
                // SAFETY: back to the context of before.
                unsafe { memory::enter(before) };
            }
            block.columns.push(datums);
        }
        Ok(block)
    }

    /// Switches to the block's own memory; gives the context of before.
    fn enter_context(&mut self) -> pg_sys::MemoryContext {
        // SAFETY: a child of the current context, deleted in `close` or with its parent.
        unsafe {
            if self.context.is_null() {
                // The scan's own memory outlives the row's.
                let parent = (*pg_sys::CurrentMemoryContext).parent;
                self.context = pg_sys::AllocSetContextCreateInternal(
                    parent,
                    c"headroom block".as_ptr(),
                    pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
                );
            }
            memory::enter(self.context)
        }
    }

    /// Frees what the server holds for it.
    pub(super) fn close(self) {
        if !self.context.is_null() {
            // SAFETY: made by us, deleted once; nobody looks at the block's rows any more.
            unsafe { pg_sys::MemoryContextDelete(self.context) };
        }
    }
}

/// The payload of a block: read whole when most of it is wanted, else section by section.
struct Payload<'a> {
    layout: &'a Layout,
    head: &'a Head,
    whole: Option<*mut pg_sys::varlena>,
}

impl<'a> Payload<'a> {
    fn new(layout: &'a Layout, head: &'a Head, wanted: &[usize], with_times: bool) -> Self {
        let times = with_times.then_some(&layout.time);
        let bytes: usize = wanted
            .iter()
            .chain(times)
            .filter_map(|position| entry(layout, head, *position))
            .map(|entry| entry.section.len())
            .sum();
        let total = head.directory.payload_len();
        // SAFETY: the column is a bytea; the copy lives in the current memory context.
        let whole = (2 * bytes > total || total < 4_096)
            .then(|| unsafe { pg_sys::pg_detoast_datum_packed(head.payload.cast_mut_ptr()) });
        Self { layout, head, whole }
    }

    /// The column at a position; nothing when the block was written before it was added.
    fn column(&mut self, position: usize) -> Result<Option<headroom_core::block::Column>> {
        let Some(entry) = entry(self.layout, self.head, position) else { return Ok(None) };
        let decoded = if entry.section.is_empty() {
            self.head.directory.decode(entry, &[])
        } else if let Some(whole) = self.whole {
            // SAFETY: a flat value in the current memory context.
            let bytes = unsafe { bytes_of(whole) };
            match bytes.get(entry.section.clone()) {
                Some(section) => self.head.directory.decode(entry, section),
                None => Err(Damage::Truncated { need: entry.section.end, have: bytes.len() }),
            }
        } else {
            // SAFETY: the server reads the pages that hold the slice, and fewer bytes where there are no more.
            unsafe {
                let slice = pg_sys::pg_detoast_datum_slice(
                    self.head.payload.cast_mut_ptr(),
                    entry.section.start as i32,
                    entry.section.len() as i32,
                );
                let decoded = self.head.directory.decode(entry, bytes_of(slice));
                pg_sys::pfree(slice.cast());
                decoded
            }
        };
        decoded.map(Some).map_err(|damage| damaged(self.layout, self.head.at, &damage.to_string()))
    }
}

fn entry<'a>(layout: &Layout, head: &'a Head, position: usize) -> Option<&'a Entry> {
    layout.column(position).and_then(|column| column.number()).and_then(|n| head.directory.entry(n))
}

/// The bytes of a flat variable-length value.
unsafe fn bytes_of<'a>(value: *const pg_sys::varlena) -> &'a [u8] {
    // SAFETY: the caller holds a flat value and uses the bytes while it lives.
    unsafe {
        std::slice::from_raw_parts(varlena::vardata_any(value).cast(), varlena::varsize_any_exhdr(value))
    }
}
