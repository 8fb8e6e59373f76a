//! Something has been dropped: hypertables leave the catalogue with their blocks, and what sealed rows need stays.

use pgrx::{pg_sys, prelude::*, spi::quote_literal};

use super::keys;
use crate::{
    hypertable::{catalogue, catalogue_change, tables},
    server::{
        error::{Error, Kind, Result},
        identity, relation,
    },
};

/// Forgets what is gone, and refuses what would lose sealed rows.
pub(super) fn dropped() -> Result<()> {
    if tables::are_being_made() || relation::own(c"hypertables").is_err() {
        return Ok(());
    }
    let gone = Spi::connect(|client| {
        let rows = client.select(
            "SELECT h.relation::pg_catalog.oid, h.blocks::pg_catalog.oid, h.relation::pg_catalog.oid IN (SELECT objid FROM pg_catalog.pg_event_trigger_dropped_objects())
             FROM headroom.hypertables h
             WHERE EXISTS (SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() d
                 WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid OPERATOR(pg_catalog.=) 0
                   AND d.objid OPERATOR(pg_catalog.=) ANY (ARRAY[h.relation::pg_catalog.oid, h.sealed::pg_catalog.oid, h.blocks::pg_catalog.oid]))",
            None,
            &[],
        )?;
        rows.map(|row| Ok((row.get::<pg_sys::Oid>(1)?, row.get::<pg_sys::Oid>(2)?, row.get::<bool>(3)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
    })?;
    for (relation, blocks, is_whole) in gone {
        let Some(relation) = relation else { continue };
        if is_whole == Some(true) {
            catalogue_change::write(
                "DELETE FROM headroom.hypertables WHERE relation OPERATOR(pg_catalog.=) $1",
                &[relation.into()],
            )?;
            // After a restore nothing ties the blocks to the table any more.
            if let Some(blocks) = blocks
                && relation::exists(blocks)
            {
                let owner = relation::owner(blocks);
                let sql = format!("DROP TABLE {}", relation::name(blocks));
                identity::run_as(owner, || Spi::run(&sql))?;
            }
        } else {
            drop_sealed(relation)?;
        }
    }
    let lost_index = Spi::get_one::<bool>(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger_dropped_objects()
             WHERE object_type OPERATOR(pg_catalog.=) ANY (ARRAY['index', 'table constraint']))",
    )?;
    if lost_index == Some(true) { keys::follow_dropped_indexes() } else { Ok(()) }
}

/// The foreign table of sealed rows or the table of blocks has been dropped: what is left of them goes too, when no row was
/// sealed.
fn drop_sealed(hypertable: pg_sys::Oid) -> Result<()> {
    let Some(entry) = catalogue::entry(hypertable)? else { return Ok(()) };
    if entry.blocks.is_some_and(relation::exists) && !tables::has_blocks(&entry)? {
        return tables::unmake(&entry);
    }
    let table = relation::name(hypertable);
    Err(Error::new(Kind::Unsupported, format!("sealed rows of {table} cannot be dropped beside it")).hint(
        format!(
            "Put them back first: SELECT headroom.unseal({}); then DROP FOREIGN TABLE {};",
            quote_literal(&table),
            entry.sealed.filter(|oid| relation::exists(*oid)).map_or_else(|| "…".to_owned(), relation::name)
        ),
    ))
}
