//! One block with the columns that are wanted, decoded.

use headroom_core::block::{Column, Damage, Directory, Entry, Values};
use pgrx::{pg_sys, varlena};

use super::{block_row::BlockRow, conditions::KeyCondition, place};
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
        if !row.is_whole() {
            return Err(Error::new(Kind::Internal, "a block is opened of which only the index was read"));
        }
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

    /// Bytes of the payload, in the current memory context; fewer where there are no more.
    fn slice(&self, bytes: std::ops::Range<usize>) -> *mut pg_sys::varlena {
        // SAFETY: the column is a bytea; the server reads the pages that hold the slice.
        unsafe {
            pg_sys::pg_detoast_datum_slice(
                self.payload.cast_mut_ptr(),
                bytes.start as i32,
                bytes.len() as i32,
            )
        }
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
        let times = if with_times { payload.times()? } else { Vec::new() };
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

/// The payload of a block: read at once when most of it, or of what lies between the wanted sections, is wanted; else
/// section by section.
struct Payload<'a> {
    layout: &'a Layout,
    head: &'a Head,
    /// The bytes of the payload from this place on.
    read: Option<(usize, *mut pg_sys::varlena)>,
}

impl<'a> Payload<'a> {
    fn new(layout: &'a Layout, head: &'a Head, wanted: &[usize], with_times: bool) -> Self {
        let times = with_times.then_some(&layout.time);
        let (mut from, mut to, mut bytes) = (usize::MAX, 0, 0);
        for position in wanted.iter().chain(times) {
            if let Some(entry) = entry(layout, head, *position).filter(|entry| !entry.section.is_empty()) {
                from = from.min(entry.section.start);
                to = to.max(entry.section.end);
                bytes += entry.section.len();
            }
        }
        if to - from.min(to) > 2 * bytes.max(2_048) {
            return Self { layout, head, read: None };
        }
        let read = (from < to).then(|| (from, head.slice(from..to)));
        Self { layout, head, read }
    }

    /// The times of the rows.
    fn times(&mut self) -> Result<Vec<i64>> {
        match self.column(self.layout.time)?.map(|column| column.values) {
            Some(Values::I64(times)) => Ok(times),
            Some(Values::I32(times)) => Ok(times.into_iter().map(i64::from).collect()),
            Some(Values::I16(times)) => Ok(times.into_iter().map(i64::from).collect()),
            _ => Err(damaged(self.layout, self.head.at, "it has no times")),
        }
    }

    /// The column at a position; nothing when the block was written before it was added.
    fn column(&mut self, position: usize) -> Result<Option<Column>> {
        let Some(entry) = entry(self.layout, self.head, position) else { return Ok(None) };
        let decoded = if entry.section.is_empty() {
            self.head.directory.decode(entry, &[])
        } else if let Some((from, read)) = self.read {
            // SAFETY: a flat value in the current memory context.
            let bytes = unsafe { bytes_of(read) };
            match bytes.get(entry.section.start - from..entry.section.end - from) {
                Some(section) => self.head.directory.decode(entry, section),
                None => Err(Damage::Truncated { need: entry.section.end, have: from + bytes.len() }),
            }
        } else {
            let slice = self.head.slice(entry.section.clone());
            // SAFETY: a flat value of our own, freed once.
            unsafe {
                let decoded = self.head.directory.decode(entry, bytes_of(slice));
                pg_sys::pfree(slice.cast());
                decoded
            }
        };
        decoded.map(Some).map_err(|damage| damaged(self.layout, self.head.at, &damage.to_string()))
    }
}

/// One column, which the block has.
pub(super) fn decode_one(layout: &Layout, head: &Head, position: usize) -> Result<Column> {
    let column = Payload::new(layout, head, &[position], false).column(position)?;
    column.ok_or_else(|| damaged(layout, head.at, "a column is missing"))
}

/// The times of a block's rows, and columns of it.
pub(super) type Decoded = (Vec<i64>, Vec<Option<Column>>);

/// The times of a block's rows, and the columns at these positions as the block holds them; nothing for a column that
/// is null in all rows.
pub(super) fn decode(layout: &Layout, head: &Head, wanted: &[usize]) -> Result<Decoded> {
    let mut payload = Payload::new(layout, head, wanted, true);
    let times = payload.times()?;
    let columns = wanted.iter().map(|position| {
        let Some(known) = layout.column(*position) else { return Ok(None) };
        let Some(entry) = entry(layout, head, *position) else {
            let (datum, is_null) = datum::missing(known);
            if is_null {
                return Ok(None);
            }
            let mut all = Collector::new(known);
            // SAFETY: the value is one of the column's type.
            (0..times.len()).for_each(|_| unsafe { all.push(datum, false) });
            return Ok(Some(all.take()));
        };
        if entry.null_count == head.directory.rows {
            return Ok(None);
        }
        let column = payload.column(*position)?;
        match column {
            Some(column) if column.values.kind() != known.form.kind() => {
                Err(damaged(layout, head.at, &format!("column \"{}\" is of another kind", known.name)))
            }
            column => Ok(column),
        }
    });
    let columns = columns.collect::<Result<_>>()?;
    Ok((times, columns))
}

fn entry<'a>(layout: &Layout, head: &'a Head, position: usize) -> Option<&'a Entry> {
    layout.column(position).and_then(|column| column.number()).and_then(|n| head.directory.entry(n))
}

/// The bytes of a flat variable-length value.
///
/// # Safety
/// The value is flat, and lives as long as the bytes are used.
pub(super) unsafe fn bytes_of<'a>(value: *const pg_sys::varlena) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        std::slice::from_raw_parts(varlena::vardata_any(value).cast(), varlena::varsize_any_exhdr(value))
    }
}
