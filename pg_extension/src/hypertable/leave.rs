//! Rows leave the row store, as their blocks enter: only rows that are still as they were read, and only blocks all of
//! whose rows are.

use headroom_core::block::Directory;
use pgrx::{PgMemoryContexts, pg_sys};

use super::{
    block_store::BlockStore,
    layout::Layout,
    pack::{self, Packed},
    tape::Version,
};
use crate::server::{
    error::{Error, Kind, Result},
    relation::{self, Open},
};

/// Blocks that wait for the lock under which their rows leave.
#[derive(Default)]
pub(super) struct Leaving {
    blocks: Vec<Packed>,
    bytes: usize,
    rows: usize,
}

impl Leaving {
    /// One more.
    pub(super) fn push(&mut self, packed: Packed) {
        self.bytes += packed.block.payload.len() + packed.block.rollup.len() + packed.block.directory.len();
        self.rows += packed.versions.len();
        self.blocks.push(packed);
    }

    /// Bytes of memory, about.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.rows * 2 * size_of::<Version>()
    }

    /// Writes the blocks and deletes their rows; how many rows. The table is locked against writers. A block that has a
    /// row which was changed or is being locked by somebody is left out: its rows stay until the next sealing.
    pub(super) fn move_all(&mut self, layout: &Layout, table: &Open) -> Result<i64> {
        let blocks = std::mem::take(self).blocks;
        let mut versions: Vec<(Version, u32)> = (0..)
            .zip(&blocks)
            .flat_map(|(number, packed)| packed.versions.iter().map(move |version| (*version, number)))
            .collect();
        versions.sort_unstable();
        let mut is_whole = vec![true; blocks.len()];
        // SAFETY: the table is open.
        let pages = unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(table.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM)
        };
        for of_page in versions.chunk_by(|a, b| a.0.page == b.0.page) {
            pgrx::check_for_interrupts!();
            // SAFETY: the table is open.
            unsafe { check_page(table, pages, of_page, &mut is_whole) };
        }
        let store = BlockStore::open(layout);
        for (packed, _) in blocks.iter().zip(&is_whole).filter(|(_, is_whole)| **is_whole) {
            pgrx::check_for_interrupts!();
            write(layout, &store, packed)?;
        }
        let mut moved = 0;
        for (version, number) in &versions {
            if is_whole[*number as usize] {
                delete(layout, table, *version)?;
                moved += 1;
            }
        }
        Ok(moved)
    }
}

fn write(layout: &Layout, store: &BlockStore<'_>, packed: &Packed) -> Result<()> {
    let directory = Directory {
        rows: packed.versions.len() as u32,
        first_time: packed.first_time,
        last_time: packed.last_time,
        entries: Vec::new(),
    };
    // SAFETY: the segment's value is of the segment column's type; nothing made in the context is used later.
    unsafe {
        PgMemoryContexts::new("headroom block").switch_to(|_| {
            let segment = pack::segment_datum(layout, packed)?;
            let value = segment.as_ref().map_or(pg_sys::Datum::from(0), |segment| segment.values[0]);
            store.insert(value, &directory, &packed.block);
            Ok(())
        })
    }
}

/// Marks the blocks that have a row on this page which is not what it was.
unsafe fn check_page(table: &Open, pages: u32, of_page: &[(Version, u32)], is_whole: &mut [bool]) {
    let page = of_page[0].0.page;
    if page >= pages {
        of_page.iter().for_each(|(_, number)| is_whole[*number as usize] = false);
        return;
    }
    // SAFETY: the page is one of the table's; its lines are looked at under its lock.
    unsafe {
        let command = pg_sys::GetCurrentCommandId(false);
        let buffer = pg_sys::ReadBuffer(table.as_ptr(), page);
        pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
        let image = pg_sys::BufferGetPage(buffer);
        let lines = pg_sys::PageGetMaxOffsetNumber(image);
        for (version, number) in of_page {
            let is_same = version.line <= lines && {
                let line = pg_sys::PageGetItemId(image, version.line);
                (*line).lp_flags() == pg_sys::LP_NORMAL && {
                    let mut tuple = pg_sys::HeapTupleData {
                        t_len: (*line).lp_len(),
                        t_data: pg_sys::PageGetItem(image, line).cast(),
                        t_tableOid: table.oid(),
                        t_self: place(*version),
                    };
                    (*tuple.t_data).t_choice.t_heap.t_xmin.into_inner() == version.writer
                        && pg_sys::HeapTupleSatisfiesUpdate(&raw mut tuple, command, buffer)
                            == pg_sys::TM_Result::TM_Ok
                }
            };
            if !is_same {
                is_whole[*number as usize] = false;
            }
        }
        pg_sys::UnlockReleaseBuffer(buffer);
    }
}

fn place(version: Version) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (version.page >> 16) as u16, bi_lo: version.page as u16 },
        ip_posid: version.line,
    }
}

fn delete(layout: &Layout, table: &Open, version: Version) -> Result<()> {
    pgrx::check_for_interrupts!();
    // SAFETY: the table is open and locked against writers.
    let result = unsafe {
        let (mut failure, mut place) = (pg_sys::TM_FailureData::default(), place(version));
        // As if moved to another partition: whoever still waits for the row gets an error instead of believing that it
        // is gone.
        pg_sys::heap_delete(
            table.as_ptr(),
            &raw mut place,
            pg_sys::GetCurrentCommandId(true),
            std::ptr::null_mut(),
            true,
            &raw mut failure,
            true,
        )
    };
    if result == pg_sys::TM_Result::TM_Ok {
        return Ok(());
    }
    Err(Error::new(
        Kind::Serialization,
        format!("a row of {} changed while it was sealed", relation::name(layout.hypertable)),
    )
    .hint("Try again."))
}
