//! The catalogue of hypertables: an ordinary table, dumped and restored with the data of the database.

use pgrx::{pg_sys, prelude::*};

use crate::server::{
    error::{Error, Kind, Result},
    identity,
    relation::{self, Open},
};

extension_sql!(
    r#"
CREATE TABLE headroom.hypertables (
    relation       regclass PRIMARY KEY,
    time_column    name NOT NULL,
    segment_column name,
    sealed         regclass UNIQUE,
    blocks         regclass UNIQUE,
    next_number    integer NOT NULL DEFAULT 1,
    CHECK ((sealed IS NULL) = (blocks IS NULL))
);
COMMENT ON TABLE headroom.hypertables IS 'The hypertables of this database. Written by headroom''s functions alone.';
COMMENT ON COLUMN headroom.hypertables.relation IS 'The table';
COMMENT ON COLUMN headroom.hypertables.time_column IS 'The column that orders its rows in time';
COMMENT ON COLUMN headroom.hypertables.segment_column IS 'The column whose value the rows of one block share; NULL when rows of all kinds share blocks';
COMMENT ON COLUMN headroom.hypertables.sealed IS 'The foreign table that inherits from it and shows its sealed rows; NULL until rows are sealed for the first time';
COMMENT ON COLUMN headroom.hypertables.blocks IS 'The table that holds its blocks; NULL until rows are sealed for the first time';
COMMENT ON COLUMN headroom.hypertables.next_number IS 'The number that the next new column gets in the blocks; numbers are never used again';
SELECT pg_catalog.pg_extension_config_dump('headroom.hypertables', '');
GRANT SELECT ON headroom.hypertables TO PUBLIC;
"#,
    name = "hypertables",
    bootstrap
);

/// What the catalogue says of a hypertable.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The table.
    pub(crate) relation: pg_sys::Oid,
    /// The foreign table of its sealed rows.
    pub(crate) sealed: Option<pg_sys::Oid>,
    /// The table of its blocks.
    pub(crate) blocks: Option<pg_sys::Oid>,
}

const RELATION: i16 = 1;
const SEALED: i16 = 4;
const BLOCKS: i16 = 5;

/// The entry of this table, when it is a hypertable.
pub(crate) fn entry(relation: pg_sys::Oid) -> Result<Option<Entry>> {
    find(RELATION, relation)
}

/// The entry of this table, when it is a hypertable and the extension is installed.
pub(crate) fn entry_if_installed(relation: pg_sys::Oid) -> Result<Option<Entry>> {
    match relation::own(c"hypertables") {
        Ok(_) => entry(relation),
        Err(_) => Ok(None),
    }
}

/// The entry of the hypertable whose sealed rows this foreign table shows.
pub(crate) fn entry_of_sealed(sealed: pg_sys::Oid) -> Result<Option<Entry>> {
    find(SEALED, sealed)
}

/// The columns that order the rows of a hypertable and tell its segments apart.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) time: String,
    pub(crate) segment: Option<String>,
}

/// The columns of this hypertable.
pub(crate) fn names(relation: pg_sys::Oid) -> Result<Option<Names>> {
    let (time, segment) = Spi::connect(|client| {
        let rows = client.select(
            "SELECT time_column::pg_catalog.text, segment_column::pg_catalog.text FROM headroom.hypertables
             WHERE relation OPERATOR(pg_catalog.=) $1",
            Some(1),
            &[relation.into()],
        )?;
        match rows.is_empty() {
            true => Ok((None, None)),
            false => rows.first().get_two::<String, String>(),
        }
    })?;
    Ok(time.map(|time| Names { time, segment }))
}

/// Whether this table is a hypertable.
pub(crate) fn contains(relation: pg_sys::Oid) -> Result<bool> {
    Ok(entry(relation)?.is_some())
}

/// Refuses a relation that is not there, is not the caller's own, or is no hypertable.
pub(crate) fn require_own(relation: pg_sys::Oid) -> Result<()> {
    if !relation::exists(relation) {
        return Err(Error::new(
            Kind::UndefinedTable,
            format!("there is no relation with the identifier {}", relation.to_u32()),
        ));
    }
    let name = relation::name(relation);
    if !identity::owns(relation) {
        return Err(Error::new(Kind::NotPermitted, format!("must be owner of table {name}")));
    }
    if !contains(relation)? {
        return Err(Error::new(Kind::WrongObject, format!("{name} is no hypertable")).hint(format!(
            "SELECT headroom.create_hypertable({}, 'time column', 'segment column');",
            pgrx::spi::quote_literal(&name)
        )));
    }
    Ok(())
}

/// Reads the catalogue as the server reads its own: under the newest snapshot and whoever asks.
fn find(attribute: i16, value: pg_sys::Oid) -> Result<Option<Entry>> {
    let table = Open::with(relation::own(c"hypertables")?, pg_sys::AccessShareLock);
    // SAFETY: the table is open; the key compares its column of type regclass with an identifier; the scan is ended
    // before the table is closed, and what is read of a tuple is copied while the scan stands on it.
    unsafe {
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &raw mut key,
            attribute,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::RegProcedure::from(pg_sys::F_OIDEQ),
            pg_sys::Datum::from(value),
        );
        let scan = pg_sys::systable_beginscan(
            table.as_ptr(),
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            1,
            &raw mut key,
        );
        let tuple = pg_sys::systable_getnext(scan);
        let found = (!tuple.is_null()).then(|| {
            let descriptor = (*table.as_ptr()).rd_att;
            let get = |attribute: i16| {
                let mut is_null = false;
                let datum = pg_sys::heap_getattr(tuple, attribute.into(), descriptor, &mut is_null);
                pg_sys::Oid::from_datum(datum, is_null)
            };
            Entry {
                relation: get(RELATION).unwrap_or(pg_sys::InvalidOid),
                sealed: get(SEALED),
                blocks: get(BLOCKS),
            }
        });
        pg_sys::systable_endscan(scan);
        Ok(found)
    }
}
