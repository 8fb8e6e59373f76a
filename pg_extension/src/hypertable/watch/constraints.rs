//! Constraints that are added: the server checks them against the heap alone.

use pgrx::{pg_sys, prelude::*};

use crate::{
    hypertable::catalogue,
    server::{
        error::{Error, Kind, Result},
        relation,
    },
};

/// Whether an ALTER TABLE adds a constraint to rows that are there.
///
/// # Safety
/// The server's own parse tree.
pub(super) unsafe fn are_added(tree: *mut pg_sys::Node) -> bool {
    // SAFETY: the server's own parse tree.
    unsafe {
        if !pgrx::is_a(tree, pg_sys::NodeTag::T_AlterTableStmt) {
            return false;
        }
        let commands = (*tree.cast::<pg_sys::AlterTableStmt>()).cmds;
        pgrx::PgList::<pg_sys::AlterTableCmd>::from_pg(commands).iter_ptr().any(|command| {
            matches!(
                (*command).subtype,
                pg_sys::AlterTableType::AT_AddConstraint
                    | pg_sys::AlterTableType::AT_SetNotNull
                    | pg_sys::AlterTableType::AT_ValidateConstraint
            )
        })
    }
}

/// Refuses what some sealed row violates.
pub(super) fn refuse_broken(hypertable: pg_sys::Oid) -> Result<()> {
    let Some(sealed) = catalogue::entry(hypertable)?.and_then(|entry| entry.sealed) else { return Ok(()) };
    let table = relation::name(sealed);
    let conditions = Spi::connect(|client| {
        let rows = client.select(
            "SELECT c.conname::pg_catalog.text, 'NOT (' OPERATOR(pg_catalog.||) pg_catalog.pg_get_expr(c.conbin, c.conrelid) OPERATOR(pg_catalog.||) ')'
             FROM pg_catalog.pg_constraint c WHERE c.conrelid OPERATOR(pg_catalog.=) $1 AND c.contype OPERATOR(pg_catalog.=) 'c'
               AND c.convalidated
             UNION ALL
             SELECT a.attname::pg_catalog.text, pg_catalog.quote_ident(a.attname) OPERATOR(pg_catalog.||) ' IS NULL'
             FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.>) 0
               AND a.attnotnull AND NOT a.attisdropped",
            None,
            &[sealed.into()],
        )?;
        rows.map(|row| Ok((row.get::<String>(1)?, row.get::<String>(2)?)))
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
    })?;
    for (name, condition) in conditions {
        let (Some(name), Some(condition)) = (name, condition) else { continue };
        let broken = Spi::get_one::<bool>(&format!("SELECT EXISTS (SELECT FROM {table} WHERE {condition})"))?;
        if broken == Some(true) {
            return Err(Error::new(
                Kind::CheckViolation,
                format!("\"{name}\" of {} is violated by some sealed row", relation::name(hypertable)),
            )
            .hint(format!("SELECT * FROM {} WHERE {condition};", relation::name(hypertable))));
        }
    }
    Ok(())
}
