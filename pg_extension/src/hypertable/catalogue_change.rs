//! Changes of the catalogue of hypertables.

use pgrx::{pg_sys, prelude::*};

use super::layout::Layout;
use crate::server::{error::Result, identity, relation};

/// Enters a hypertable.
pub(crate) fn enter(relation: pg_sys::Oid, time_column: &str, segment_column: Option<&str>) -> Result<()> {
    write(
        "INSERT INTO headroom.hypertables (relation, time_column, segment_column) VALUES ($1, $2, $3)",
        &[relation.into(), time_column.into(), segment_column.into()],
    )
}

/// Runs a statement on the catalogue as its owner.
pub(crate) fn write(sql: &str, arguments: &[pgrx::datum::DatumWithOid<'_>]) -> Result<()> {
    let owner = relation::owner(relation::own(c"hypertables")?);
    identity::run_as(owner, || Spi::run_with_args(sql, arguments))?;
    Layout::forget();
    Ok(())
}
