//! Blocks as a whole, for functions that read them without making rows: only those of which the caller may see every
//! row.
//!
//! The executor itself decides: a query over the hypertable is planned as any other, with the caller's privileges and
//! the policies that hold for the caller, but the scan of sealed rows gives one row a block instead of all of them, with
//! the segment alone. Where a condition of a policy looks at any other column, or may change from call to call, there is no such query and
//! rows must be read.

use std::cell::Cell;

use pgrx::{is_a, pg_sys};

use super::{
    conditions::{self, Comparison},
    plan::Give,
    scan,
    source::BlockRow,
};
use crate::{
    hypertable::layout::{ColumnLayout, Layout},
    server::{
        cursor::Cursor,
        error::{Error, Kind, Result},
        relation,
    },
};

/// The query whose plan is being made, and what became of it.
#[derive(Clone, Copy)]
struct Planned {
    query: *mut pg_sys::Query,
    hypertable: pg_sys::Oid,
    sealed: pg_sys::Oid,
    give: Give,
    is_refused: bool,
}

thread_local! {
    // A backend has one thread.
    static PLANNED: Cell<Option<Planned>> = const { Cell::new(None) };
}

/// Puts back what was planned before, also after an error.
struct Planning(Option<Planned>);

impl Drop for Planning {
    fn drop(&mut self) {
        PLANNED.set(self.0);
    }
}

/// What the query of `root` asks of a scan of sealed rows.
///
/// # Safety
/// The planner's own structure.
pub(super) unsafe fn give(root: *mut pg_sys::PlannerInfo) -> Give {
    // SAFETY: the caller's promise.
    PLANNED.get().filter(|planned| planned.query == unsafe { (*root).parse }).map_or(Give::Rows, |p| p.give)
}

/// Whether the query of `root` wants nothing of this child of the hypertable: of the row store it does not, and with
/// other children the blocks are not everything.
///
/// # Safety
/// The planner's own structure.
pub(super) unsafe fn leaves_out(root: *mut pg_sys::PlannerInfo, child: pg_sys::Oid) -> bool {
    // SAFETY: the caller's promise.
    let Some(planned) = PLANNED.get().filter(|planned| planned.query == unsafe { (*root).parse }) else {
        return false;
    };
    if child != planned.hypertable && child != planned.sealed {
        PLANNED.set(Some(Planned { is_refused: true, ..planned }));
    }
    child == planned.hypertable
}

/// Notes whether these clauses can be checked once a block.
///
/// # Safety
/// The clauses are those of a scan of the relation `index` of the query that is planned.
pub(super) unsafe fn check(layout: &Layout, index: u32, clauses: *mut pg_sys::List) {
    let Some(planned) = PLANNED.get() else { return };
    // SAFETY: the caller's promise.
    let can = unsafe { conditions::is_of_segment(layout, index, clauses.cast()) };
    PLANNED.set(Some(Planned { is_refused: planned.is_refused || !can, ..planned }));
}

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
        let cursor = Cursor::open_if(&sql, &arguments, |query, plan| {
            let (hypertable, sealed) = (layout.hypertable, layout.sealed);
            let planned = Planned { query, hypertable, sealed, give, is_refused: false };
            let _planning = Planning(PLANNED.replace(Some(planned)));
            let plan = plan();
            let is_refused = PLANNED.get().is_none_or(|planned| planned.is_refused);
            (!is_refused).then_some(plan)
        })?;
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
