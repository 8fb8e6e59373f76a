//! The rows of sealed blocks, one after the other.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`callbacks`] | what the executor calls |
//! | [`start`] | the conditions: which blocks, which keys, which times |
//! | [`rows`] | the next row, of blocks that are open |
//! | [`end`](mod@end) | the first row of an ordered scan, from the head of its block |
//! | [`whole`] | blocks as a whole, one row each |
//! | [`segment`] | whose block it is on which the scan stands |
//! | [`slot`] | rows into the slot |

mod callbacks;
mod end;
mod rows;
mod segment;
mod slot;
mod start;
mod whole;

use std::rc::Rc;

use pgrx::pg_sys;

use self::rows::Cursor;
use super::{
    carried::Carried,
    conditions::KeyCondition,
    source::{BlockKey, Source},
};
use crate::hypertable::{datum::Datums, layout::Layout};

pub(super) use callbacks::{begin, end, iterate, rescan};

/// What EXPLAIN ANALYZE tells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    /// Blocks that were decoded.
    pub(super) read: u64,
    /// Blocks whose summaries told that no row passes.
    pub(super) skipped: u64,
}

/// A running scan.
pub(super) struct Scan {
    layout: Rc<Layout>,
    carried: Carried,
    expressions: *mut pg_sys::List,
    snapshot: pg_sys::Snapshot,
    context: pg_sys::MemoryContext,
    compare: Option<(pg_sys::FmgrInfo, pg_sys::Oid)>,
    pub(super) parallel: pg_sys::ParallelTableScanDesc,
    source: Option<Source>,
    is_running: bool,
    keys: Vec<KeyCondition>,
    from: i64,
    to: i64,
    needs_times: bool,
    cursors: Vec<Cursor>,
    segment: Option<Datums>,
    /// The segment behind which the source was sent to look.
    looked_up: Option<Datums>,
    /// The conditions on blocks with which the source began.
    block_keys: Vec<BlockKey>,
    /// Whether the block on which the source stands was given as a whole.
    has_given: bool,
    /// Whether nothing was given yet of a scan in order.
    is_fresh: bool,
    /// Whether the row at the end of the block on which the source stands was given.
    has_given_end: bool,
    pub(super) counters: Counters,
}

/// The scan of this node.
///
/// # Safety
/// The node is one of ours; nobody else uses its scan meanwhile.
pub(super) unsafe fn of<'a>(node: *mut pg_sys::ForeignScanState) -> Option<&'a mut Scan> {
    // SAFETY: the caller's promise; the scan lives as long as the query's memory.
    unsafe { (*node).fdw_state.cast::<Scan>().as_mut() }
}

impl Scan {
    /// Nothing more is given until it starts again.
    fn stop(&mut self) {
        if let Some(source) = &mut self.source {
            source.has_block = false;
        }
    }
}
