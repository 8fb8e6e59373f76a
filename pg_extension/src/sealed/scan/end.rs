//! The first row of an ordered scan, from the head of a block: for who wants one row of each segment, such as the
//! newest, no block is decoded.

use pgrx::pg_sys;

use super::{Scan, slot::blank};
use crate::{
    hypertable::datum,
    sealed::{
        carried::Order,
        ends::{End, Known},
        open::Head,
        place,
        tip::LastRow,
    },
    server::error::Result,
};

impl Scan {
    /// Fills the slot with the row at the end of the first block that may have rows, when its head tells all of it;
    /// whether it does. The source stays on the block: no other block has a row that comes before.
    ///
    /// # Safety
    /// The slot is the node's.
    pub(super) unsafe fn give_end(
        &mut self,
        slot: *mut pg_sys::TupleTableSlot,
        order: Order,
    ) -> Result<bool> {
        let Some(source) = self.source.as_mut() else { return Ok(false) };
        let end = if order == Order::Falling { End::Last } else { End::First };
        if source.has_block && source.has_tips() {
            // SAFETY: the caller's promise.
            match unsafe { self.give_tip(slot)? } {
                Tip::Given => return Ok(true),
                Tip::Outside => return Ok(false),
                Tip::Untold => {}
            }
        }
        let Some(source) = self.source.as_mut() else { return Ok(false) };
        while source.has_block {
            let row = source.row()?;
            let head = Head::read(&self.layout, row)?;
            if !head.may_hold(&self.layout, &self.keys) {
                self.counters.skipped += 1;
                source.advance();
                continue;
            }
            if !(self.from..=self.to).contains(&end.time(&head)) {
                return Ok(false);
            }
            let segment = row.columns.segment.map_or(pg_sys::Datum::from(0), |column| row.value(column));
            // SAFETY: the slot has the foreign table's columns; every wanted position is one of them. What it points to
            // is the row on which the source stands.
            unsafe {
                blank(slot);
                for position in &self.carried.needed {
                    let Known::Value(value) = end.value(&self.layout, &head, *position, segment) else {
                        return Ok(false);
                    };
                    *(*slot).tts_values.add(*position) = value.unwrap_or(pg_sys::Datum::from(0));
                    *(*slot).tts_isnull.add(*position) = value.is_none();
                }
                let number = if end == End::Last { head.directory.rows as usize - 1 } else { 0 };
                (*slot).tts_tid = place::of_row(place::of_block(row.place())?, number);
            }
            self.has_given_end = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// As [`Self::give_end`], from what the index tells of the block that ends last.
    unsafe fn give_tip(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<Tip> {
        let Some(source) = &self.source else { return Ok(Tip::Untold) };
        let row = source.tip();
        let last_time = datum::time_of(row.value(row.columns.last_time), self.layout.time_column().form);
        if !(self.from..=self.to).contains(&last_time) {
            return Ok(Tip::Outside);
        }
        let segment = row.columns.segment.map_or(pg_sys::Datum::from(0), |column| row.value(column));
        // SAFETY: as there; the source stays on the entry.
        unsafe {
            let Some(last) = LastRow::read(&self.layout, row)? else { return Ok(Tip::Untold) };
            blank(slot);
            for position in &self.carried.needed {
                let Known::Value(value) = last.value(&self.layout, *position, segment)? else {
                    return Ok(Tip::Untold);
                };
                *(*slot).tts_values.add(*position) = value.unwrap_or(pg_sys::Datum::from(0));
                *(*slot).tts_isnull.add(*position) = value.is_none();
            }
            (*slot).tts_tid = place::of_row(place::of_block(row.place())?, last.rows as usize - 1);
        }
        self.has_given_end = true;
        Ok(Tip::Given)
    }
}

/// What became of the last row of a block, as the index tells it.
enum Tip {
    /// It is in the slot.
    Given,
    /// It is not among the times that are wanted.
    Outside,
    /// The index does not tell all that is wanted.
    Untold,
}
