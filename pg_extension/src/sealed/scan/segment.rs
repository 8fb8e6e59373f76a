//! Whose block it is on which a scan stands, and whose blocks are open.

use pgrx::pg_sys;

use super::Scan;
use crate::{
    hypertable::datum::{Collector, Datums},
    server::{error::Result, memory},
};

impl Scan {
    /// Whether the block on which the source stands is of the segment that was remembered.
    pub(super) fn is_same_segment(&mut self) -> bool {
        let (Some(source), Some((function, collation)), Some(open)) =
            (&self.source, &mut self.compare, &self.segment)
        else {
            return true;
        };
        let Some(column) = source.columns.segment else { return true };
        let (open, value) = (open.values[0], source.value(column));
        let is_by_value = self.layout.segment_column().is_some_and(|column| column.form.is_by_value());
        if is_by_value && open.value() == value.value() {
            return true;
        }
        // SAFETY: the comparison of the segment's type, and two values of it.
        unsafe { pg_sys::FunctionCall2Coll(function, *collation, open, value).value() as i32 == 0 }
    }

    /// Keeps the segment of the open blocks: the page it is read from may go.
    pub(super) fn remember_segment(&mut self, value: Option<pg_sys::Datum>) -> Result<()> {
        let (Some(value), Some(column)) = (value, self.layout.segment_column()) else { return Ok(()) };
        if column.form.is_by_value() {
            self.segment = Some(Datums::same(value, false, 1));
            return Ok(());
        }
        let mut one = Collector::new(column);
        // SAFETY: a value of the segment's type; what the server makes of it is to live as long as the query.
        self.segment = Some(unsafe {
            let before = memory::enter(self.context);
            one.push(value, false);
            let copy = Datums::of(one.take(), column);
            memory::enter(before);
            copy?
        });
        Ok(())
    }
}
