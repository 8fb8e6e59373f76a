//! The unique keys of a hypertable that has sealed rows.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use pgrx::pg_sys;

use super::{
    block_index::{BlockIndex, equality},
    known_times::KnownTimes,
};
use crate::{
    hypertable::{
        layout::{Layout, Role},
        row_store,
    },
    server::{
        error::{Error, Kind, Result},
        relation::Open,
    },
};

/// A unique index of a hypertable.
pub(super) struct UniqueIndex {
    pub(super) oid: pg_sys::Oid,
    /// Positions of its columns in the foreign table, without segment and time.
    pub(super) others: Vec<Other>,
    /// Positions of all its columns.
    pub(super) all: Vec<usize>,
}

/// A column of a key beside segment and time.
pub(super) struct Other {
    pub(super) position: usize,
    pub(super) equal: pg_sys::Oid,
    pub(super) collation: pg_sys::Oid,
}

/// The unique keys of a hypertable that has sealed rows.
pub(super) struct Keys {
    /// The index of the blocks.
    pub(super) index: BlockIndex,
    positions: Vec<Option<usize>>,
    pub(super) unique: Vec<UniqueIndex>,
    /// Times of sealed rows that this session has seen.
    pub(super) known_times: KnownTimes,
}

thread_local! {
    // A backend has one thread; this is its memory.
    static KNOWN: RefCell<HashMap<pg_sys::Oid, Rc<Keys>>> = RefCell::default();
    static MOVING: Cell<bool> = const { Cell::new(false) };
}

/// Whether rows are being moved from a block to the heap: they need no check.
pub(super) fn is_moving() -> bool {
    MOVING.get()
}

/// While it lives, rows that enter a heap are not checked.
pub(super) struct Moving(bool);

impl Moving {
    pub(super) fn begin() -> Self {
        Self(MOVING.replace(true))
    }
}

impl Drop for Moving {
    // An error unwinds, so this runs then too.
    fn drop(&mut self) {
        MOVING.set(self.0);
    }
}

/// The keys of this hypertable; nothing when no row of it is sealed.
pub(super) fn of(hypertable: pg_sys::Oid) -> Result<Option<Rc<Keys>>> {
    let Some(layout) = Layout::of_hypertable(hypertable)? else { return Ok(None) };
    let known = KNOWN.with_borrow(|known| known.get(&hypertable).cloned());
    if let Some(known) = known
        && Rc::ptr_eq(&known.index.layout, &layout)
    {
        return Ok(Some(known));
    }
    let keys = Rc::new(Keys::read(layout)?);
    KNOWN.with_borrow_mut(|known| known.insert(hypertable, Rc::clone(&keys)));
    Ok(Some(keys))
}

impl Keys {
    fn read(layout: Rc<Layout>) -> Result<Self> {
        let table = Open::with(layout.hypertable, pg_sys::AccessShareLock);
        let positions = row_store::positions(&layout, &table)?;
        let blocks = Open::with(layout.blocks, pg_sys::AccessShareLock);
        // SAFETY: the relations are open; look-ups in the server's caches.
        unsafe {
            let unique = unique_indexes(&table, &layout, &positions)?;
            Ok(Self {
                index: BlockIndex::read(layout, &blocks)?,
                unique,
                positions,
                known_times: KnownTimes::default(),
            })
        }
    }

    /// Where each column of the foreign table is in the hypertable.
    pub(super) fn positions(&self) -> &[Option<usize>] {
        &self.positions
    }

    /// Whether there is a key to be kept.
    pub(super) fn has_any(&self) -> bool {
        !self.unique.is_empty()
    }
}

/// The unique indexes of a hypertable that are in force.
unsafe fn unique_indexes(
    table: &Open,
    layout: &Layout,
    positions: &[Option<usize>],
) -> Result<Vec<UniqueIndex>> {
    // SAFETY: the relation is open; the index's description stays while the index is open.
    unsafe {
        let list = pg_sys::RelationGetIndexList(table.as_ptr());
        let count = if list.is_null() { 0 } else { (*list).length };
        let mut found = Vec::new();
        for i in 0..count {
            let oid = pg_sys::list_nth_oid(list, i);
            let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as i32);
            let form = (*index).rd_index;
            if (*form).indisunique && (*form).indisready {
                let attributes = (*form).indkey.values.as_slice((*form).indnkeyatts as usize).to_vec();
                let mut all = Vec::new();
                let mut others = Vec::new();
                for attribute in attributes {
                    let target = usize::try_from(attribute - 1).ok();
                    let position = positions.iter().position(|p| p.is_some() && *p == target);
                    let Some((position, column)) = position.and_then(|p| Some((p, layout.column(p)?))) else {
                        return Err(Error::new(
                            Kind::Internal,
                            "a unique index is over a column that sealed rows have not",
                        ));
                    };
                    all.push(position);
                    if matches!(column.role, Role::Value(_)) {
                        others.push(Other {
                            position,
                            equal: equality(column.type_oid),
                            collation: column.collation,
                        });
                    }
                }
                found.push(UniqueIndex { oid, others, all });
            }
            pg_sys::index_close(index, pg_sys::NoLock as i32);
        }
        Ok(found)
    }
}
