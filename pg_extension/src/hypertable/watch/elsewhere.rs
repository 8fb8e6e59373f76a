//! Commands on other things than tables that would change what sealed rows are: types and domains of their columns, and
//! publications. The server looks at heaps alone.

use pgrx::{pg_sys, prelude::*, spi::quote_literal};

use crate::{
    hypertable::{catalogue, tables},
    server::{
        error::{Error, Kind, Result},
        relation,
    },
};

/// Refuses what could not be kept. Whether the command is one of these: there is nothing else to be done about it.
///
/// # Safety
/// The server's own parse tree of a command that has ended, with its event at hand.
pub(super) unsafe fn concerns(tree: *mut pg_sys::Node) -> Result<bool> {
    // SAFETY: the caller's promise.
    unsafe {
        if pgrx::is_a(tree, pg_sys::NodeTag::T_AlterEnumStmt) {
            // A value that is added changes no row; one that is renamed does: blocks hold its name.
            if !(*tree.cast::<pg_sys::AlterEnumStmt>()).oldVal.is_null() {
                refuse_type_of_sealed_rows("a value of this type cannot be renamed")?;
            }
            return Ok(true);
        }
        if pgrx::is_a(tree, pg_sys::NodeTag::T_AlterDomainStmt) {
            // C: a constraint is added; V: validated; O: NOT NULL.
            let kind = (*tree.cast::<pg_sys::AlterDomainStmt>()).subtype as u8;
            if matches!(kind, b'C' | b'V' | b'O') {
                refuse_type_of_sealed_rows("a constraint of this domain would not be checked")?;
            }
            return Ok(true);
        }
        let is_publication = pgrx::is_a(tree, pg_sys::NodeTag::T_CreatePublicationStmt)
            || pgrx::is_a(tree, pg_sys::NodeTag::T_AlterPublicationStmt);
        if is_publication {
            refuse_publication()?;
        }
        Ok(is_publication)
    }
}

/// Columns of hypertables with blocks that hold values of the type that a command was about: themselves, in arrays, ranges,
/// rows and domains.
const COLUMNS_OF_TYPE: &str = "
WITH RECURSIVE holding (kind) AS (
    SELECT objid FROM pg_catalog.pg_event_trigger_ddl_commands()
    WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
    UNION
    SELECT t.oid FROM pg_catalog.pg_type t JOIN holding h
        ON t.typelem OPERATOR(pg_catalog.=) h.kind OR t.typbasetype OPERATOR(pg_catalog.=) h.kind
        OR EXISTS (SELECT FROM pg_catalog.pg_range r WHERE r.rngsubtype OPERATOR(pg_catalog.=) h.kind
                   AND (r.rngtypid OPERATOR(pg_catalog.=) t.oid OR r.rngmultitypid OPERATOR(pg_catalog.=) t.oid))
        OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid
                   AND a.atttypid OPERATOR(pg_catalog.=) h.kind AND NOT a.attisdropped))
SELECT t.relation::pg_catalog.oid, a.attname::pg_catalog.text
FROM headroom.hypertables t JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.relation
    AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
JOIN holding h ON h.kind OPERATOR(pg_catalog.=) a.atttypid
WHERE t.blocks IS NOT NULL ORDER BY 1, a.attnum";

fn refuse_type_of_sealed_rows(what: &str) -> Result<()> {
    for (hypertable, column) in named(COLUMNS_OF_TYPE)? {
        if has_sealed_rows(hypertable)? {
            let table = relation::name(hypertable);
            return Err(Error::new(
                Kind::Unsupported,
                format!("{what}: column \"{column}\" of {table} has sealed rows"),
            )
            .hint(format!("SELECT headroom.unseal({}); then try again, then seal.", quote_literal(&table))));
        }
    }
    Ok(())
}

/// Hypertables with sealed rows of which a publication has the row store alone.
const PUBLISHED: &str = "
SELECT t.relation::pg_catalog.oid, p.pubname::pg_catalog.text
FROM headroom.hypertables t JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.relation
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_publication_tables p ON p.schemaname OPERATOR(pg_catalog.=) n.nspname
    AND p.tablename OPERATOR(pg_catalog.=) c.relname
WHERE t.blocks IS NOT NULL ORDER BY 1, 2";

fn refuse_publication() -> Result<()> {
    for (hypertable, publication) in named(PUBLISHED)? {
        if has_sealed_rows(hypertable)? {
            let table = relation::name(hypertable);
            return Err(Error::new(
                Kind::Unsupported,
                format!("publication \"{publication}\" cannot have {table}: it has sealed rows"),
            )
            .detail("Subscribers would get the rows that are not sealed.")
            .hint(format!("Name the other tables, or SELECT headroom.unseal({});", quote_literal(&table))));
        }
    }
    Ok(())
}

fn has_sealed_rows(hypertable: pg_sys::Oid) -> Result<bool> {
    catalogue::entry(hypertable)?.map_or(Ok(false), |entry| tables::has_blocks(&entry))
}

/// Rows of a relation and a name.
fn named(sql: &str) -> Result<Vec<(pg_sys::Oid, String)>> {
    let found = Spi::connect(|client| {
        let rows = client.select(sql, None, &[])?;
        rows.map(|row| Ok((row.get::<pg_sys::Oid>(1)?, row.get::<String>(2)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
    })?;
    Ok(found.into_iter().filter_map(|(relation, name)| Some((relation?, name?))).collect())
}
