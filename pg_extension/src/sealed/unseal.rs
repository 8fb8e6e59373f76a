//! Unsealing: the rows of a block go back to the row store, in one transaction with the block's deletion.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use pgrx::{pg_sys, prelude::*};

use super::{
    block_row::BlockRow,
    carried::Order,
    keys::Moving,
    open::{Head, OpenBlock},
    source::Source,
};
use crate::{
    hypertable::{
        block_store, catalogue, datum,
        layout::{self, Layout},
        row_store::RowStore,
        seal,
    },
    server::{
        error::{Error, Kind, Result, or_raise},
        relation,
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.unseal(relation regclass) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'unseal_all_wrapper';
COMMENT ON FUNCTION headroom.unseal(regclass) IS
'Puts all sealed rows of a hypertable back into its row store, in this transaction; how many';
"#,
    name = "unseal",
    requires = [unseal_all]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn unseal_all(relation: pg_sys::Oid) -> i64 {
    or_raise(all(relation))
}

fn all(oid: pg_sys::Oid) -> Result<i64> {
    seal::refuse_where_nothing_can_be_written(c"headroom.unseal()")?;
    catalogue::require_own(oid)?;
    let _locked = relation::Open::with(oid, pg_sys::ShareRowExclusiveLock);
    let Some(layout) = Layout::of_hypertable(oid)? else { return Ok(0) };
    // SAFETY: the newest snapshot, released below; an error releases it too.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut source = Source::begin(&layout, Order::Any, &[], snapshot, std::ptr::null_mut(), false)?;
        let command = pg_sys::GetCurrentCommandId(true);
        let mut unsealer = Unsealer::open(&layout)?;
        let mut moved = 0;
        while source.advance() {
            pgrx::check_for_interrupts!();
            unsealer.unseal(source.row()?, command, command, |_| true)?;
            moved += unsealer.places().len() as i64;
        }
        unsealer.close();
        source.end();
        pg_sys::UnregisterSnapshot(snapshot);
        seal::add_to_estimate(&layout, -moved);
        Ok(moved)
    }
}

/// Where the rows of a block are now; nothing for those that were not kept.
pub(super) type Places = Rc<Vec<Option<pg_sys::ItemPointerData>>>;

/// What a command of a transaction has unsealed, by table of blocks and place.
#[derive(Default)]
struct Unsealed {
    command: (u32, pg_sys::SubTransactionId, pg_sys::CommandId),
    blocks: HashMap<(pg_sys::Oid, u32, u16), Places>,
}

thread_local! {
    // A backend has one thread; this is what the parts of a statement that changes several things tell each other.
    static UNSEALED: RefCell<Unsealed> = RefCell::default();
}

/// Where the rows are of a block that another part of this statement has unsealed.
pub(super) fn by_another_part(
    blocks: pg_sys::Oid,
    block: (u32, u16),
    command: pg_sys::CommandId,
) -> Option<Places> {
    UNSEALED.with_borrow(|unsealed| {
        let is_same = unsealed.command == now(command);
        is_same.then(|| unsealed.blocks.get(&(blocks, block.0, block.1)).cloned()).flatten()
    })
}

/// Tells other parts of this statement, when it has some, where the rows of a block are now.
///
/// # Safety
/// The state is that of the running statement.
pub(super) unsafe fn tell_other_parts(
    estate: *mut pg_sys::EState,
    blocks: pg_sys::Oid,
    block: (u32, u16),
    command: pg_sys::CommandId,
    places: &Places,
) {
    // SAFETY: the caller's promise.
    if unsafe { (*estate).es_auxmodifytables }.is_null() {
        return;
    }
    UNSEALED.with_borrow_mut(|unsealed| {
        if unsealed.command != now(command) {
            *unsealed = Unsealed { command: now(command), blocks: HashMap::new() };
        }
        unsealed.blocks.insert((blocks, block.0, block.1), Rc::clone(places));
    });
}

fn now(command: pg_sys::CommandId) -> (u32, pg_sys::SubTransactionId, pg_sys::CommandId) {
    // SAFETY: variables of this backend.
    unsafe { ((*pg_sys::MyProc).lxid, pg_sys::GetCurrentSubTransactionId(), command) }
}

/// Page and line of a block.
pub(super) fn page_and_line(block: pg_sys::ItemPointerData) -> (u32, u16) {
    (u32::from(block.ip_blkid.bi_hi) << 16 | u32::from(block.ip_blkid.bi_lo), block.ip_posid)
}

/// Moves rows of blocks to the row store.
pub(super) struct Unsealer {
    layout: Rc<Layout>,
    blocks: relation::Open,
    rows: RowStore,
    wanted: Vec<usize>,
    places: Vec<Option<pg_sys::ItemPointerData>>,
    scratch: pg_sys::MemoryContext,
}

impl Unsealer {
    /// Opens the tables. What it allocates lives in the current memory context.
    pub(super) fn open(layout: &Rc<Layout>) -> Result<Self> {
        // SAFETY: a child of the current context, deleted in `close` or with its parent.
        let scratch = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"headroom unsealing".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        Ok(Self {
            layout: Rc::clone(layout),
            blocks: relation::Open::with(layout.blocks, pg_sys::RowExclusiveLock),
            rows: RowStore::open(layout)?,
            wanted: (0..layout.columns.len()).filter(|p| layout.column(*p).is_some()).collect(),
            places: Vec::new(),
            scratch,
        })
    }

    /// Deletes the block as of the command `deleted` and inserts those of its rows that are to be kept as of the
    /// command `inserted`.
    ///
    /// # Safety
    /// The row is one of the table of blocks, deformed, and stays while this runs.
    pub(super) unsafe fn unseal(
        &mut self,
        row: BlockRow,
        deleted: pg_sys::CommandId,
        inserted: pg_sys::CommandId,
        keep: impl Fn(usize) -> bool,
    ) -> Result<()> {
        // SAFETY: the caller's promise; memory of the block's rows is reset after they have been copied.
        unsafe {
            let before = crate::server::memory::enter(self.scratch);
            let layout = Rc::clone(&self.layout);
            let read = || -> Result<OpenBlock> {
                let head = Head::read(&layout, row)?;
                OpenBlock::open(&layout, row, &head, &self.wanted, false)
            };
            let block = if layout::has_text_form(&layout) { datum::with_exact_text(read) } else { read() }?;
            self.delete_block(row.place(), deleted)?;
            self.places.clear();
            let _moving = Moving::begin();
            for number in 0..block.rows {
                if number % 256 == 0 {
                    pgrx::check_for_interrupts!();
                }
                if !keep(number) {
                    self.places.push(None);
                    continue;
                }
                let value = |position: usize| {
                    // Every column that is in use is wanted, in the order of positions.
                    let index = self.wanted.binary_search(&position).unwrap_or(usize::MAX);
                    block.columns.get(index).map_or((pg_sys::Datum::from(0), true), |column| {
                        (column.values[number], column.nulls.as_ref().is_some_and(|nulls| nulls[number]))
                    })
                };
                let place = self.rows.insert(inserted, value);
                self.places.push(Some(place));
            }
            block.close();
            crate::server::memory::enter(before);
            pg_sys::MemoryContextReset(self.scratch);
        }
        Ok(())
    }

    fn delete_block(&self, mut place: pg_sys::ItemPointerData, command: pg_sys::CommandId) -> Result<()> {
        // SAFETY: the table is open; the place was read from it.
        let result = unsafe {
            let mut failure = pg_sys::TM_FailureData::default();
            pg_sys::heap_delete(
                self.blocks.as_ptr(),
                &raw mut place,
                command,
                std::ptr::null_mut(),
                true,
                &raw mut failure,
                false,
            )
        };
        if result == pg_sys::TM_Result::TM_Ok {
            block_store::changed();
            return Ok(());
        }
        Err(Error::new(
            Kind::Serialization,
            format!(
                "sealed rows of {} were changed by another transaction",
                relation::name(self.layout.hypertable)
            ),
        )
        .detail("Rows of one block are changed by one transaction at a time.")
        .hint("Try again."))
    }

    /// Where the rows of the last block are now; nothing for those that were not kept.
    pub(super) fn places(&self) -> &[Option<pg_sys::ItemPointerData>] {
        &self.places
    }

    /// The row store.
    pub(super) fn rows(&mut self) -> &mut RowStore {
        &mut self.rows
    }

    /// Closes the tables.
    pub(super) fn close(self) {
        self.rows.close();
        // SAFETY: made by `open`.
        unsafe { pg_sys::MemoryContextDelete(self.scratch) };
    }
}
