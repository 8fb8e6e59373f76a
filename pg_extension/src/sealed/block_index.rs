//! How blocks are found by segment and time without a plan.

use std::rc::Rc;

use pgrx::pg_sys;

use crate::{
    hypertable::layout::Layout,
    server::{error::Result, relation::Open},
};

/// The indexes of the blocks of a hypertable and what compares with their columns.
pub(super) struct BlockIndex {
    pub(super) layout: Rc<Layout>,
    /// The index by segment and last time, and that by last time.
    pub(super) by_segment: pg_sys::Oid,
    pub(super) by_time: pg_sys::Oid,
    segment_equal: pg_sys::Oid,
    /// `<=` and `>=` of the time's type.
    time_functions: [pg_sys::Oid; 2],
}

impl BlockIndex {
    /// Those of this hypertable, whose blocks are open.
    pub(super) fn read(layout: Rc<Layout>, blocks: &Open) -> Result<Self> {
        // SAFETY: the relation is open; look-ups in the server's caches.
        unsafe {
            let indexes = super::source::indexes(blocks.as_ptr());
            let columns = layout.block_columns();
            let find = |wanted: &[i16]| {
                indexes
                    .iter()
                    .find(|index| index.columns.starts_with(wanted))
                    .map(|index| index.oid)
                    .ok_or_else(|| super::source::missing_index(layout.blocks))
            };
            let by_segment: Vec<i16> = columns.segment.into_iter().chain([columns.last_time]).collect();
            let type_oid = layout.time_column().type_oid;
            let [at_most, at_least] = [2, 4].map(|strategy| {
                super::conditions::default_family(type_oid).map_or(pg_sys::InvalidOid, |family| {
                    pg_sys::get_opcode(pg_sys::get_opfamily_member(family, type_oid, type_oid, strategy))
                })
            });
            let segment_equal = layout.segment_column().map_or(pg_sys::InvalidOid, |c| equality(c.type_oid));
            Ok(Self {
                by_segment: find(&by_segment)?,
                by_time: find(&[columns.last_time])?,
                segment_equal,
                time_functions: [at_most, at_least],
                layout,
            })
        }
    }

    /// `segment = value AND last_time >= time AND first_time <= time`, as the index by segment checks it; without a time,
    /// the segment alone.
    pub(super) fn scan_keys(
        &self,
        segment: Option<pg_sys::Datum>,
        time: Option<pg_sys::Datum>,
    ) -> Vec<pg_sys::ScanKeyData> {
        let key = |number: i16, strategy: u16, type_oid, collation, function, value| {
            let mut key = pg_sys::ScanKeyData::default();
            // SAFETY: fills the key; the function is a comparison of the index's family.
            unsafe {
                pg_sys::ScanKeyEntryInitialize(
                    &raw mut key,
                    0,
                    number,
                    strategy,
                    type_oid,
                    collation,
                    function,
                    value,
                );
            }
            key
        };
        let mut keys = Vec::with_capacity(3);
        if let (Some(value), Some(column)) = (segment, self.layout.segment_column()) {
            keys.push(key(1, 3, column.type_oid, column.collation, self.segment_equal, value));
        }
        let Some(time) = time else { return keys };
        let base = keys.len() as i16;
        let time_type = self.layout.time_column().type_oid;
        let [at_most, at_least] = self.time_functions;
        keys.push(key(base + 1, 4, time_type, pg_sys::InvalidOid, at_least, time));
        keys.push(key(base + 2, 2, time_type, pg_sys::InvalidOid, at_most, time));
        keys
    }
}

/// The function of `=` for a type.
pub(super) fn equality(type_oid: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: the server's cache of types.
    unsafe {
        let entry = pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32);
        pg_sys::get_opcode((*entry).eq_opr)
    }
}

/// A snapshot that shows what is there now, and who is changing it.
pub(super) fn dirty() -> pg_sys::SnapshotData {
    pg_sys::SnapshotData { snapshot_type: pg_sys::SnapshotType::SNAPSHOT_DIRTY, ..Default::default() }
}
