//! Columns whose types change: blocks hold the bytes of the type that a column had.

use pgrx::{pg_sys, prelude::*, spi::quote_literal};

use crate::{
    hypertable::{catalogue, datum, tables},
    server::{
        error::{Error, Kind, Result},
        relation,
    },
};

/// The columns whose types an ALTER TABLE changes.
///
/// # Safety
/// The server's own parse tree.
pub(super) unsafe fn retyped(tree: *mut pg_sys::Node) -> Vec<String> {
    // SAFETY: the server's own parse tree; its names end in a zero.
    unsafe {
        if !pgrx::is_a(tree, pg_sys::NodeTag::T_AlterTableStmt) {
            return Vec::new();
        }
        pgrx::PgList::<pg_sys::AlterTableCmd>::from_pg((*tree.cast::<pg_sys::AlterTableStmt>()).cmds)
            .iter_ptr()
            .filter(|command| (**command).subtype == pg_sys::AlterTableType::AT_AlterColumnType)
            .map(|command| std::ffi::CStr::from_ptr((*command).name).to_string_lossy().into_owned())
            .collect()
    }
}

/// Refuses another type over sealed rows. Whether the tables of sealed rows are gone: they had none, and are made anew
/// when rows are sealed.
pub(super) fn refuse_changed(entry: &catalogue::Entry, columns: &[String]) -> Result<bool> {
    if columns.is_empty() {
        return Ok(false);
    }
    let read = || {
        Spi::connect(|client| {
            let rows = client.select(
                "SELECT s.attname::pg_catalog.text, pg_catalog.substr(o, 6), pg_catalog.format_type(s.atttypid, s.atttypmod)
                 FROM headroom.hypertables h
                 JOIN pg_catalog.pg_attribute s ON s.attrelid OPERATOR(pg_catalog.=) h.sealed AND NOT s.attisdropped
                 CROSS JOIN LATERAL pg_catalog.unnest(s.attfdwoptions) o
                 WHERE h.relation OPERATOR(pg_catalog.=) $1 AND o OPERATOR(pg_catalog.~~) 'type=%'
                   AND pg_catalog.split_part(pg_catalog.substr(o, 6), ' COLLATE ', 1)
                       OPERATOR(pg_catalog.<>) pg_catalog.format_type(s.atttypid, s.atttypmod)
                 UNION ALL
                 SELECT p.attname::pg_catalog.text, pg_catalog.format_type(b.atttypid, b.atttypmod),
                        pg_catalog.format_type(p.atttypid, p.atttypmod)
                 FROM headroom.hypertables h
                 JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) h.blocks
                     AND b.attname OPERATOR(pg_catalog.=) 'segment'
                 JOIN pg_catalog.pg_attribute p ON p.attrelid OPERATOR(pg_catalog.=) h.relation
                     AND p.attname OPERATOR(pg_catalog.=) h.segment_column AND NOT p.attisdropped
                 WHERE h.relation OPERATOR(pg_catalog.=) $1
                   AND (b.atttypid OPERATOR(pg_catalog.<>) p.atttypid OR b.atttypmod OPERATOR(pg_catalog.<>) p.atttypmod)",
                None,
                &[entry.relation.into()],
            )?;
            rows.map(|row| Ok([row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?]))
                .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
        })
    };
    let changed = datum::with_exact_text(read)?;
    let changed = changed.into_iter().find_map(|row| match row {
        [Some(column), Some(from), Some(to)] if columns.contains(&column) => Some((column, from, to)),
        _ => None,
    });
    let Some((column, from, to)) = changed else { return Ok(false) };
    if !tables::has_blocks(entry)? {
        tables::unmake(entry)?;
        return Ok(true);
    }
    let table = relation::name(entry.relation);
    Err(Error::new(
        Kind::Unsupported,
        format!(
            "the type of column \"{column}\" of {table} cannot change from {from} to {to} over sealed rows"
        ),
    )
    .detail("Blocks hold values of the type that the column had.")
    .hint(format!("SELECT headroom.unseal({}); then change it, then seal again.", quote_literal(&table))))
}
