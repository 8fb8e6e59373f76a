//! The days of a block, from its rollup.

use headroom_core::block::Rollup;
use pgrx::pg_sys;

use super::{
    block_row::BlockRow,
    open::{bytes_of, damaged},
};
use crate::{
    hypertable::{datum, layout::Layout},
    server::error::Result,
};

/// The days of a block; nothing when it has none. Copies that the server makes live in the current memory context.
pub(super) fn of_block<'a>(layout: &Layout, row: &'a BlockRow) -> Result<Option<Rollup<'a>>> {
    let columns = row.columns;
    let Some(rollup) = columns.rollup else { return Ok(None) };
    let damaged = |why: &str| damaged(layout, row.place(), why);
    // SAFETY: both columns are bytea; what is read lives as long as the row, or as the current memory context.
    let (bytes, directory) = unsafe {
        let flat = |column: i16| bytes_of(pg_sys::pg_detoast_datum_packed(row.value(column).cast_mut_ptr()));
        (flat(rollup), flat(columns.directory))
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let rollup = Rollup::parse(bytes, directory).map_err(|damage| damaged(&damage.to_string()))?;
    let form = layout.time_column().form;
    let stored = (
        datum::time_of(row.value(columns.first_time), form),
        datum::time_of(row.value(columns.last_time), form),
        row.value(columns.row_count).value() as i32,
    );
    let days = rollup.days();
    if stored != (days[0].first_time, days[days.len() - 1].last_time, rollup.rows() as i32) {
        return Err(damaged("its row and its rollup disagree about times or number of rows"));
    }
    Ok(Some(rollup))
}
