//! The catalogue of hypertables: an ordinary table, dumped and restored with the data of the database.

use pgrx::prelude::*;

use crate::server::{
    error::{Error, Kind, Result},
    identity,
};

extension_sql!(
    r#"
CREATE TABLE headroom.hypertables (
    relation       regclass PRIMARY KEY,
    time_column    name NOT NULL,
    segment_column name
);
COMMENT ON TABLE headroom.hypertables IS 'The hypertables of this database. Written by create_hypertable alone.';
COMMENT ON COLUMN headroom.hypertables.relation IS 'The table';
COMMENT ON COLUMN headroom.hypertables.time_column IS 'The column that orders its rows in time';
COMMENT ON COLUMN headroom.hypertables.segment_column IS 'The column whose value the rows of one block share; NULL when rows of all kinds share blocks';
SELECT pg_catalog.pg_extension_config_dump('headroom.hypertables', '');
GRANT SELECT ON headroom.hypertables TO PUBLIC;
"#,
    name = "hypertables",
    bootstrap
);

/// Whether this table is a hypertable already.
pub(crate) fn contains(relation: pg_sys::Oid) -> Result<bool> {
    let found = Spi::get_one_with_args::<bool>(
        "SELECT EXISTS (SELECT FROM headroom.hypertables WHERE relation OPERATOR(pg_catalog.=) $1)",
        &[relation.into()],
    )?;
    Ok(found.unwrap_or(false))
}

/// Enters a hypertable.
pub(crate) fn enter(relation: pg_sys::Oid, time_column: &str, segment_column: Option<&str>) -> Result<()> {
    let owner = owner()?;
    identity::run_as(owner, || {
        Spi::run_with_args(
            "INSERT INTO headroom.hypertables (relation, time_column, segment_column) VALUES ($1, $2, $3)",
            &[relation.into(), time_column.into(), segment_column.into()],
        )
    })?;
    Ok(())
}

/// Who owns the catalogue: whoever made the extension.
fn owner() -> Result<pg_sys::Oid> {
    Spi::get_one::<pg_sys::Oid>(
        "SELECT relowner FROM pg_catalog.pg_class
         WHERE oid OPERATOR(pg_catalog.=) 'headroom.hypertables'::pg_catalog.regclass",
    )?
    .ok_or_else(|| Error::new(Kind::Internal, "the catalogue of hypertables has no owner"))
}
