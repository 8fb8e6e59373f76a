//! What an entry of the index by falling time tells of a block: its segment, its times and its last row. The block's own
//! row is read only when somebody wants more of it, or when the server's visibility map does not say that everybody
//! sees it.

use headroom_core::block::{
    ByteStrings, Column, Kind, Values,
    last_row::{self, LastValue},
};
use pgrx::pg_sys;

use super::{block_row::BlockRow, ends::Known, open};
use crate::{
    hypertable::{
        datum::{self, Datums},
        layout::{BlockColumns, Form, Layout, Role},
    },
    server::error::Result,
};

/// Room for what entries of an index tell.
pub(super) struct Tips {
    /// A row of a block with the columns that the index has.
    pub(super) slot: *mut pg_sys::TupleTableSlot,
    /// The column of the table of each column of the index.
    columns: Vec<i16>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    /// The page of the visibility map that was looked at last.
    map: pg_sys::Buffer,
}

impl Tips {
    /// Room for the entries of this index with these key columns over the table of blocks; nothing when they do not tell
    /// enough, or of types that the index keeps otherwise than the table.
    ///
    /// # Safety
    /// Both are open, in a memory context that lives as long.
    pub(super) unsafe fn new(
        blocks: pg_sys::Relation,
        index: pg_sys::Relation,
        keys: &[i16],
        columns: BlockColumns,
    ) -> Option<Self> {
        let last_row = columns.last_row?;
        // SAFETY: the caller's promise.
        unsafe {
            // A transaction that must be told of every row it has read reads the rows.
            if pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 {
                return None;
            }
            let form = (*index).rd_index;
            let of_index = (*form).indkey.values.as_slice((*form).indnatts as usize).to_vec();
            let mut wanted = columns.segment.into_iter().chain([columns.first_time, columns.last_time]);
            let has_all = wanted.all(|column| keys.contains(&column)) && of_index.contains(&last_row);
            let (kept, stored) = ((*index).rd_att, (*blocks).rd_att);
            let is_same = |number: usize| {
                let own = (*stored).attrs.as_slice((*stored).natts as usize);
                let entry = (*kept).attrs.as_slice((*kept).natts as usize);
                own[of_index[number] as usize - 1].atttypid == entry[number].atttypid
            };
            if !has_all || of_index.iter().any(|column| *column < 1) || !(0..of_index.len()).all(is_same) {
                return None;
            }
            let slot = pg_sys::MakeSingleTupleTableSlot(stored, &raw const pg_sys::TTSOpsVirtual);
            let natts = (*stored).natts as usize;
            for attribute in 0..natts {
                *(*slot).tts_isnull.add(attribute) = true;
            }
            (*slot).tts_nvalid = natts as i16;
            (*slot).tts_flags &= !(pg_sys::TTS_FLAG_EMPTY as u16);
            let width = of_index.len();
            Some(Self {
                slot,
                columns: of_index,
                values: vec![pg_sys::Datum::from(0); width],
                nulls: vec![true; width],
                map: pg_sys::InvalidBuffer as pg_sys::Buffer,
            })
        }
    }

    /// Takes the entry on which the scan stands.
    ///
    /// # Safety
    /// The scan is over the index, gives its entries and stands on one.
    pub(super) unsafe fn take(&mut self, scan: pg_sys::IndexScanDesc) {
        // SAFETY: the caller's promise; the arrays are as wide as the index, the slot is as wide as the table.
        unsafe {
            pg_sys::index_deform_tuple(
                (*scan).xs_itup,
                (*scan).xs_itupdesc,
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            );
            for (number, column) in self.columns.iter().enumerate() {
                *(*self.slot).tts_values.add(*column as usize - 1) = self.values[number];
                *(*self.slot).tts_isnull.add(*column as usize - 1) = self.nulls[number];
            }
            (*self.slot).tts_tid = (*scan).xs_heaptid;
        }
    }

    /// Whether everybody sees all rows of the page of the entry that was taken.
    ///
    /// # Safety
    /// As [`Self::take`].
    pub(super) unsafe fn is_seen_by_all(&mut self, blocks: pg_sys::Relation) -> bool {
        // SAFETY: the caller's promise; the scan holds the page of the index, as the server wants it for this look.
        unsafe {
            let page = (*self.slot).tts_tid.ip_blkid;
            let page = u32::from(page.bi_hi) << 16 | u32::from(page.bi_lo);
            let status = pg_sys::visibilitymap_get_status(blocks, page, &raw mut self.map);
            u32::from(status) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0
        }
    }

    /// Gives back what it holds.
    pub(super) fn end(self) {
        // SAFETY: made in `new`, given back once.
        unsafe {
            if self.map != pg_sys::InvalidBuffer as pg_sys::Buffer {
                pg_sys::ReleaseBuffer(self.map);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
        }
    }
}

/// The last row of a block, as it is kept beside it.
pub(super) struct LastRow<'a> {
    /// How many rows the block has.
    pub(super) rows: u32,
    last_time: i64,
    /// By rising number.
    values: Vec<(u32, LastValue<'a>)>,
}

impl<'a> LastRow<'a> {
    /// Reads that of this block, when it has one.
    ///
    /// # Safety
    /// The row of the block lives as long.
    pub(super) unsafe fn read(layout: &Layout, row: BlockRow) -> Result<Option<Self>> {
        let Some(column) = row.columns.last_row else { return Ok(None) };
        let last_time = datum::time_of(row.value(row.columns.last_time), layout.time_column().form);
        // SAFETY: the column is a bytea; the copy, when one is made, lives in the current memory context.
        let bytes: &'a [u8] =
            unsafe { open::bytes_of(pg_sys::pg_detoast_datum_packed(row.value(column).cast_mut_ptr())) };
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(layout.columns.len());
        let rows = last_row::read(bytes, last_time, |number, value| values.push((number, value)))
            .map_err(|damage| open::damaged(layout, row.place(), &damage.to_string()))?;
        Ok(Some(Self { rows, last_time, values }))
    }

    /// The value of a column in it, nothing where that is null; not known where it is not told. What the server makes of
    /// it lives in the current memory context.
    pub(super) fn value(&self, layout: &Layout, position: usize, segment: pg_sys::Datum) -> Result<Known> {
        let Some(column) = layout.column(position) else { return Ok(Known::Value(None)) };
        let number = match column.role {
            Role::Segment => return Ok(Known::Value(Some(segment))),
            Role::Time(_) => {
                return Ok(Known::Value(Some(datum::datum_of_time(self.last_time, column.form))));
            }
            Role::Value(number) => number,
        };
        let Ok(found) = self.values.binary_search_by_key(&number, |(known, _)| *known) else {
            // The block is older than the column.
            return Ok(if column.missing.is_none() { Known::Value(None) } else { Known::No });
        };
        Ok(match self.values[found].1 {
            LastValue::Null => Known::Value(None),
            LastValue::Number(kind, bits) if column.form == Form::Number(kind) => {
                Known::Value(Some(datum::of_bits(kind, bits)))
            }
            LastValue::Bytes(bytes) if column.form.kind() == Kind::Bytes => {
                let mut strings = ByteStrings::default();
                strings.push(bytes);
                Known::Value(Some(Datums::of(Column::of(Values::Bytes(strings)), column)?.copy(0, column)))
            }
            _ => Known::No,
        })
    }
}
