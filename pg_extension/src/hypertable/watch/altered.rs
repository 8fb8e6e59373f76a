//! A table, an index or a rule has been made or altered: refused, with the remedy, is whatever could not be kept over
//! sealed rows.

use pgrx::{pg_sys, prelude::*, spi::quote_literal};

use super::{columns, constraints, elsewhere, keys, types};
use crate::{
    hypertable::{catalogue, create, table_facts::Facts, tables},
    server::{
        error::{Error, Kind, Result},
        relation,
    },
};

/// The hypertables that this command concerns.
const CONCERNED: &str = "
WITH touched AS (SELECT objid FROM pg_catalog.pg_event_trigger_ddl_commands()
                 WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass)
SELECT h.relation::pg_catalog.oid FROM headroom.hypertables h
WHERE h.relation::pg_catalog.oid IN (TABLE touched) OR h.sealed::pg_catalog.oid IN (TABLE touched)
   OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) h.relation AND i.indexrelid IN (TABLE touched))
   OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) h.relation AND i.inhrelid IN (TABLE touched)
              AND i.inhrelid IS DISTINCT FROM h.sealed)
   OR EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.confrelid OPERATOR(pg_catalog.=) h.relation AND c.conrelid IN (TABLE touched))
   OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) h.relation)";

/// Looks at every hypertable that the command concerns.
///
/// # Safety
/// The server's own parse tree of a command that has ended, with its event at hand.
pub(super) unsafe fn altered(tree: *mut pg_sys::Node) -> Result<()> {
    if tables::are_being_made() || relation::own(c"hypertables").is_err() {
        return Ok(());
    }
    // SAFETY: the server's own parse tree.
    if unsafe { elsewhere::concerns(tree)? } {
        return Ok(());
    }
    let concerned: Vec<pg_sys::Oid> = Spi::connect(|client| {
        let rows = client.select(CONCERNED, None, &[])?;
        rows.map(|row| row.get::<pg_sys::Oid>(1)).collect::<std::result::Result<Vec<_>, _>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    for hypertable in concerned {
        // SAFETY: the server's own parse tree.
        unsafe { columns::keep_names(tree, hypertable)? };
        let facts = Facts::of(hypertable)?;
        create::refuse_what_cannot_be_kept(&facts)?;
        if let Some(names) = catalogue::names(hypertable)? {
            create::refuse_columns(&facts, &names.time, names.segment.as_deref())?;
        }
        let entry = catalogue::entry(hypertable)?;
        if let Some((entry, sealed)) = entry.and_then(|entry| entry.sealed.map(|sealed| (entry, sealed))) {
            refuse_lost_child(hypertable, sealed)?;
            tables::follow_owner(&entry)?;
            columns::number_new(hypertable)?;
            // SAFETY: the server's own parse tree.
            if types::refuse_changed(&entry, &unsafe { types::retyped(tree) })? {
                continue;
            }
            // SAFETY: the server's own parse tree.
            keys::refuse_new(hypertable, unsafe { pgrx::is_a(tree, pg_sys::NodeTag::T_RenameStmt) })?;
            // SAFETY: the server's own parse tree.
            if unsafe { constraints::are_added(tree) } {
                constraints::refuse_broken(hypertable)?;
            }
        }
    }
    Ok(())
}

/// Sealed rows that are no longer shown beside the others would be missing without a word.
fn refuse_lost_child(hypertable: pg_sys::Oid, sealed: pg_sys::Oid) -> Result<()> {
    let inherits = Spi::get_one_with_args::<bool>(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits i
             WHERE i.inhrelid OPERATOR(pg_catalog.=) $1 AND i.inhparent OPERATOR(pg_catalog.=) $2)",
        &[sealed.into(), hypertable.into()],
    )?;
    if inherits == Some(true) {
        return Ok(());
    }
    let table = relation::name(hypertable);
    Err(Error::new(
        Kind::Unsupported,
        format!("{} must inherit from {table}: it shows its sealed rows", relation::name(sealed)),
    )
    .hint(format!(
        "SELECT headroom.unseal({}); DROP FOREIGN TABLE {};",
        quote_literal(&table),
        relation::name(sealed)
    )))
}
