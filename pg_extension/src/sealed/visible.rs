//! Blocks as a whole, for functions that read them without making rows: only those of which the caller may see every
//! row.
//!
//! The executor itself decides: a query over the hypertable is planned as any other, with the caller's privileges and
//! the policies that hold for the caller, but the scan of sealed rows gives one row a block instead of all of them, with
//! the segment alone. Where a condition of a policy looks at any other column, or may change from call to call, there is no such query and
//! rows must be read.

use pgrx::{is_a, pg_sys};

use super::{
    block_query,
    block_row::BlockRow,
    carried::Give,
    conditions::{self, Comparison},
    scan,
};
use crate::{
    hypertable::layout::{ColumnLayout, Layout},
    server::{
        cursor::Cursor,
        error::{Error, Kind, Result},
        relation,
    },
};

/// Blocks that the caller may see, by rising segment.
pub(super) struct VisibleBlocks {
    cursor: Cursor,
    /// The scan of sealed rows; none when the planner saw that there is nothing to read.
    scan: Option<*mut pg_sys::ForeignScanState>,
}

impl VisibleBlocks {
    /// Begins to read the blocks of these segments (an array of the segment column's type), or of all; nothing when a
    /// policy does not go by the segment alone.
    pub(super) fn open(
        layout: &Layout,
        give: Give,
        segments: Option<(pg_sys::Oid, pg_sys::Datum)>,
    ) -> Result<Option<Self>> {
        let Some(segment) = layout.segment_column() else { return Ok(None) };
        let name = pgrx::spi::quote_identifier(&segment.name);
        let mut sql = format!("SELECT {name} FROM {}", relation::name(layout.hypertable));
        if segments.is_some() {
            sql.push_str(&format!(" WHERE {name} {} ANY ($1)", operator(segment, Comparison::Equal)?));
        }
        let arguments: Vec<_> = segments.into_iter().collect();
        let cursor =
            Cursor::open_if(&sql, &arguments, |query, plan| block_query::planned(query, layout, give, plan))?;
        Ok(cursor.map(|cursor| {
            // SAFETY: a plan that was begun.
            let scan = unsafe { find(cursor.top()) };
            Self { cursor, scan }
        }))
    }

    /// The next block, of [`Give::NewestBlocks`] perhaps only what the index tells ([`BlockRow::is_whole`]); good until the
    /// one after it is asked for.
    pub(super) fn next(&mut self) -> Result<Option<BlockRow>> {
        if self.cursor.next().is_none() {
            return Ok(None);
        }
        // SAFETY: the node is part of the running plan; it stands on the block whose row has just come out.
        let row = self.scan.and_then(|node| unsafe { scan::of(node) }).and_then(|scan| scan.block());
        row.map(Some).ok_or_else(|| Error::new(Kind::Internal, "a block came from no scan of blocks"))
    }

    /// All of the block that came last.
    pub(super) fn whole(&mut self) -> Result<BlockRow> {
        // SAFETY: as above.
        let scan = self.scan.and_then(|node| unsafe { scan::of(node) });
        let row = scan.map(|scan| scan.whole_block()).transpose()?.flatten();
        row.ok_or_else(|| Error::new(Kind::Internal, "a block came from no scan of blocks"))
    }

    /// Ends the scan.
    pub(super) fn close(self) {
        self.cursor.close();
    }
}

/// A comparison of a column's type as SQL writes it.
pub(super) fn operator(column: &ColumnLayout, comparison: Comparison) -> Result<String> {
    let missing =
        || Error::new(Kind::Internal, format!("the type of column \"{}\" has no order", column.name));
    let (family, input) = conditions::family_and_input(column.type_oid).ok_or_else(missing)?;
    // SAFETY: look-ups in the server's caches; names are copied at once.
    unsafe {
        let operator = pg_sys::get_opfamily_member(family, input, input, comparison.strategy() as i16);
        if operator == pg_sys::InvalidOid {
            return Err(missing());
        }
        let id = pg_sys::SysCacheIdentifier::OPEROID as i32;
        let tuple = pg_sys::SearchSysCache1(id, pg_sys::Datum::from(operator));
        if tuple.is_null() {
            return Err(missing());
        }
        let mut is_null = false;
        let attribute = pg_sys::Anum_pg_operator_oprnamespace as i16;
        let schema = pg_sys::SysCacheGetAttr(id, tuple, attribute, &raw mut is_null);
        pg_sys::ReleaseSysCache(tuple);
        let schema = pg_sys::get_namespace_name(pg_sys::Oid::from(schema.value() as u32));
        let text =
            |name: *mut std::ffi::c_char| std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned();
        Ok(format!(
            "OPERATOR({}.{})",
            pgrx::spi::quote_identifier(text(schema)),
            text(pg_sys::get_opname(operator))
        ))
    }
}

/// The scan of sealed rows in a plan of one relation.
pub(super) unsafe fn find(node: *mut pg_sys::PlanState) -> Option<*mut pg_sys::ForeignScanState> {
    if node.is_null() {
        return None;
    }
    // SAFETY: nodes are looked at as what their tags say they are.
    unsafe {
        if is_a(node.cast(), pg_sys::NodeTag::T_ForeignScanState) {
            return Some(node.cast());
        }
        if is_a(node.cast(), pg_sys::NodeTag::T_AppendState) {
            let append = node.cast::<pg_sys::AppendState>();
            return (0..(*append).as_nplans as usize).find_map(|i| find(*(*append).appendplans.add(i)));
        }
        find((*node).lefttree)
    }
}
