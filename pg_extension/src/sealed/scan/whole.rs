//! A scan that gives blocks as a whole, one row each ([`super::super::visible`]).

use pgrx::pg_sys;

use super::{Scan, slot::blank};
use crate::{
    sealed::{
        block_row::BlockRow,
        carried::Give,
        conditions::{self, Comparison},
        source::{BlockKey, Source},
    },
    server::error::{Error, Kind, Result},
};

/// So many blocks of a segment are passed over before the next segment is looked up, which costs as much as these steps.
const STEPS_MAX: usize = 4;
/// Likewise of entries of the index.
const STEPS_MAX_IN_INDEX: usize = 64;

impl Scan {
    /// The block on which a scan of blocks stands; of the newest of a segment perhaps only what the index tells
    /// ([`BlockRow::is_whole`]).
    pub(in crate::sealed) fn block(&self) -> Option<BlockRow> {
        self.source.as_ref().filter(|source| source.has_block).map(Source::tip)
    }

    /// All of the block on which a scan of blocks stands.
    pub(in crate::sealed) fn whole_block(&mut self) -> Result<Option<BlockRow>> {
        self.source.as_mut().filter(|source| source.has_block).map(Source::row).transpose()
    }

    /// The bounds of the time, both included.
    pub(in crate::sealed) fn bounds(&self) -> (i64, i64) {
        (self.from, self.to)
    }

    /// Goes to the next block that is given as a whole; whether there is one.
    pub(super) fn next_block(&mut self) -> Result<bool> {
        if std::mem::replace(&mut self.has_given, true) {
            match self.carried.give {
                Give::NewestBlocks => self.skip_segment()?,
                Give::Blocks | Give::Rows => {
                    if let Some(source) = &mut self.source {
                        source.advance();
                    }
                }
            }
        }
        Ok(self.source.as_ref().is_some_and(|source| source.has_block))
    }

    /// Goes to the first block of the next segment.
    fn skip_segment(&mut self) -> Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        let Some(column) = source.columns.segment else {
            self.stop();
            return Ok(());
        };
        if !source.has_block {
            return Ok(());
        }
        let steps_max = if source.has_tips() { STEPS_MAX_IN_INDEX } else { STEPS_MAX };
        self.remember_segment(Some(source.value(column)))?;
        // The elements of an array would be looked up from the first one again.
        let can_look_up = !self.block_keys.iter().any(|key| key.is_array);
        let mut steps = 0;
        loop {
            let Some(source) = &mut self.source else { return Ok(()) };
            if steps == steps_max && can_look_up {
                let after = self.after_segment()?;
                let mut keys = self.block_keys.clone();
                keys.push(after);
                if let Some(source) = &mut self.source {
                    source.restart(&keys);
                    source.step();
                    source.step_until_seen();
                }
                // The scan's key points into it.
                self.looked_up = self.segment.take();
                return Ok(());
            }
            steps += 1;
            if !source.step() {
                return Ok(());
            }
            if !self.is_same_segment() {
                if let Some(source) = &mut self.source {
                    source.step_until_seen();
                }
                return Ok(());
            }
        }
    }

    /// The condition that only later segments than the remembered one meet.
    fn after_segment(&self) -> Result<BlockKey> {
        let missing = || Error::new(Kind::Internal, "the segment's type has no order");
        let column = self.layout.segment_column().ok_or_else(missing)?;
        let open = self.segment.as_ref().ok_or_else(missing)?;
        let (function, type_oid) =
            conditions::own_function(column.type_oid, Comparison::Greater).ok_or_else(missing)?;
        Ok(BlockKey {
            column: self.layout.block_columns().segment.ok_or_else(missing)?,
            comparison: Comparison::Greater,
            function,
            type_oid,
            collation: column.collation,
            value: open.values[0],
            is_array: false,
        })
    }

    /// Fills the slot with the segment of the block on which the source stands.
    pub(super) unsafe fn fill_segment(&self, slot: *mut pg_sys::TupleTableSlot) {
        let Some(source) = &self.source else { return };
        // SAFETY: the slot has the foreign table's columns.
        unsafe {
            blank(slot);
            if let (Some(position), Some(column)) = (self.layout.segment, source.columns.segment) {
                *(*slot).tts_values.add(position) = source.value(column);
                *(*slot).tts_isnull.add(position) = false;
            }
        }
    }
}
