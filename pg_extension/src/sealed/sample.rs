//! A sample of the sealed rows for ANALYZE: rows of up to 300 blocks, evenly over the table of blocks.

use pgrx::{pg_guard, pg_sys};

use super::{
    carried::Order,
    open::{Head, OpenBlock},
    source::Source,
};
use crate::{
    hypertable::{
        datum,
        layout::{self, Layout},
    },
    server::{
        error::{Result, or_raise},
        memory,
        relation::Open,
    },
};

/// The server's own sample of a table of 100 statistics has 30,000 rows: a hundred of each of so many blocks.
const BLOCKS: usize = 300;

/// `AnalyzeForeignTable`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn analyze(
    sealed: pg_sys::Relation,
    function: *mut pg_sys::AcquireSampleRowsFunc,
    pages: *mut pg_sys::BlockNumber,
) -> bool {
    // SAFETY: the server's own variables.
    unsafe {
        let layout = or_raise(Layout::of_sealed((*sealed).rd_id));
        let blocks = Open::with(layout.blocks, pg_sys::AccessShareLock);
        *function = Some(acquire);
        *pages = pg_sys::RelationGetNumberOfBlocksInFork(blocks.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM);
    }
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn acquire(
    sealed: pg_sys::Relation,
    _level: i32,
    rows: *mut pg_sys::HeapTuple,
    wanted: i32,
    total: *mut f64,
    dead: *mut f64,
) -> i32 {
    // SAFETY: the server's own variables; the array has room for as many rows as are wanted.
    unsafe {
        *dead = 0.0;
        let layout = or_raise(Layout::of_sealed((*sealed).rd_id));
        let take = || sample(&layout, (*sealed).rd_att, rows, wanted as usize, total);
        let taken = if layout::has_text_form(&layout) { datum::with_exact_text(take) } else { take() };
        or_raise(taken) as i32
    }
}

unsafe fn sample(
    layout: &Layout,
    descriptor: pg_sys::TupleDesc,
    rows: *mut pg_sys::HeapTuple,
    wanted: usize,
    total: *mut f64,
) -> Result<usize> {
    // SAFETY: as the caller's; the snapshot is released below, by the server after an error.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut source = Source::begin(layout, Order::Any, &[], snapshot, std::ptr::null_mut(), false)?;
        let (mut blocks, mut count) = (0_usize, 0.0);
        while source.advance() {
            blocks += 1;
            count += f64::from(source.value(source.columns.row_count).value() as i32);
        }
        *total = count;
        let every = blocks.div_ceil(BLOCKS).max(1);
        let of_each = wanted / blocks.clamp(1, BLOCKS);
        let positions: Vec<usize> =
            (0..layout.columns.len()).filter(|position| layout.column(*position).is_some()).collect();
        let scratch = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"headroom sample".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        source.restart(&[]);
        let (mut number, mut taken) = (0, 0);
        while source.advance() {
            number += 1;
            if number % every != 0 {
                continue;
            }
            let before = memory::enter(scratch);
            let row = source.row()?;
            let head = Head::read(layout, row)?;
            let block = OpenBlock::open(layout, row, &head, &positions, false)?;
            memory::enter(before);
            let step = block.rows.div_ceil(of_each.max(1)).max(1);
            // Not always the first row: blocks begin at like times.
            for row in (number % step..block.rows).step_by(step) {
                if taken == wanted {
                    break;
                }
                let mut values = vec![pg_sys::Datum::from(0); layout.columns.len()];
                let mut nulls = vec![true; layout.columns.len()];
                for (column, position) in block.columns.iter().zip(&positions) {
                    values[*position] = column.values[row];
                    nulls[*position] = column.nulls.as_ref().is_some_and(|nulls| nulls[row]);
                }
                rows.add(taken).write(pg_sys::heap_form_tuple(
                    descriptor,
                    values.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                ));
                taken += 1;
            }
            block.close();
            pg_sys::MemoryContextReset(scratch);
        }
        source.end();
        pg_sys::MemoryContextDelete(scratch);
        pg_sys::UnregisterSnapshot(snapshot);
        Ok(taken)
    }
}
