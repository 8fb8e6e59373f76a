//! Unique keys, which sealed rows keep and the guard watches over.

use pgrx::{pg_sys, prelude::*, spi::quote_literal};

use crate::{
    hypertable::{catalogue, tables},
    server::{
        error::{Error, Kind, Result},
        identity, relation,
    },
};

/// A key that was added later has not been checked against sealed rows.
pub(super) fn refuse_new(hypertable: pg_sys::Oid, is_renaming: bool) -> Result<()> {
    let Some(entry) = catalogue::entry(hypertable)? else { return Ok(()) };
    let Some(sealed) = entry.sealed else { return Ok(()) };
    let (now, known) = (tables::keys_of(hypertable)?, tables::known_keys_of(sealed)?);
    if now == known {
        return Ok(());
    }
    let owner = relation::owner(hypertable);
    if is_renaming {
        return identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &now, false));
    }
    // A key that is known and not there is one that a restore has yet to make; those that were dropped are forgotten
    // when they are.
    if now.split(';').all(|key| key.is_empty() || known.split(';').any(|k| k == key)) {
        return Ok(());
    }
    refuse_over_sealed_rows(&entry)?;
    identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &now, true))
}

/// Refuses another unique key where there are sealed rows.
pub(super) fn refuse_over_sealed_rows(entry: &catalogue::Entry) -> Result<()> {
    if !tables::has_blocks(entry)? {
        return Ok(());
    }
    let table = relation::name(entry.relation);
    Err(Error::new(Kind::Unsupported, format!("a unique key cannot be added to {table} over sealed rows"))
        .detail("It would not be checked against them.")
        .hint(format!("SELECT headroom.unseal({}); then add it, then seal again.", quote_literal(&table))))
}

/// Why the guard stays.
pub(super) fn guard_is_needed(entry: &catalogue::Entry) -> Error {
    let table = relation::name(entry.relation);
    Error::new(Kind::Unsupported, format!("the guard index of {table} cannot be dropped: it has sealed rows"))
        .detail("It keeps new rows from having the key of a sealed one, and covers the columns of keys.")
        .hint(format!(
            "SELECT headroom.unseal({}); DROP FOREIGN TABLE {}; ends it, until rows are sealed again.",
            quote_literal(&table),
            entry.sealed.map_or_else(|| "…".to_owned(), relation::name)
        ))
}

/// Keys that are gone are no longer kept by sealed rows; the guard must stay while there are sealed rows.
pub(super) fn follow_dropped_indexes() -> Result<()> {
    let left = Spi::connect(|client| {
        let rows = client.select(
            "SELECT h.relation::pg_catalog.oid, h.sealed::pg_catalog.oid, EXISTS (
                 SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
                 JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam AND m.amname OPERATOR(pg_catalog.=) 'headroom_guard'
                 WHERE i.indrelid OPERATOR(pg_catalog.=) h.relation)
             FROM headroom.hypertables h JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) h.relation
             WHERE h.sealed IS NOT NULL",
            None,
            &[],
        )?;
        rows.map(|row| Ok((row.get::<pg_sys::Oid>(1)?, row.get::<pg_sys::Oid>(2)?, row.get::<bool>(3)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
    })?;
    for (hypertable, sealed, has_guard) in left {
        let (Some(hypertable), Some(sealed)) = (hypertable, sealed) else { continue };
        if has_guard != Some(true)
            && let Some(entry) = catalogue::entry(hypertable)?
        {
            return Err(guard_is_needed(&entry));
        }
        let (now, known) = (tables::keys_of(hypertable)?, tables::known_keys_of(sealed)?);
        let kept: Vec<_> = known.split(';').filter(|key| now.split(';').any(|k| k == *key)).collect();
        let kept = kept.join(";");
        if kept != known {
            let owner = relation::owner(hypertable);
            identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &kept, false))?;
        }
    }
    Ok(())
}
