//! Columns that are added get their numbers in the blocks, with the value that rows have which were sealed before;
//! renamed columns keep their places.

use pgrx::{
    pg_sys,
    prelude::*,
    spi::{quote_identifier, quote_literal},
};

use crate::{
    hypertable::{catalogue, catalogue_change, datum, layout::Layout, tables},
    server::{
        error::{Error, Kind, Result, or_raise},
        identity, relation,
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.number_columns(relation regclass) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'number_columns_wrapper';
COMMENT ON FUNCTION headroom.number_columns(regclass) IS
'Gives numbers in the blocks to columns that were added to a hypertable while event triggers were switched off';
"#,
    name = "number_columns",
    requires = [number_columns, "hypertables", "seal"]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn number_columns(relation: pg_sys::Oid) {
    or_raise(number(relation));
}

fn number(oid: pg_sys::Oid) -> Result<()> {
    catalogue::require_own(oid)?;
    number_new(oid)
}

/// A renamed column keeps its place in the catalogue.
///
/// # Safety
/// The server's own parse tree.
pub(super) unsafe fn keep_names(tree: *mut pg_sys::Node, hypertable: pg_sys::Oid) -> Result<()> {
    // SAFETY: the server's own parse tree; its names end in a zero.
    let (old, new) = unsafe {
        if !pgrx::is_a(tree, pg_sys::NodeTag::T_RenameStmt) {
            return Ok(());
        }
        let rename = tree.cast::<pg_sys::RenameStmt>();
        if (*rename).renameType != pg_sys::ObjectType::OBJECT_COLUMN {
            return Ok(());
        }
        let text = |pointer| std::ffi::CStr::from_ptr(pointer).to_string_lossy().into_owned();
        (text((*rename).subname), text((*rename).newname))
    };
    for column in ["time_column", "segment_column"] {
        catalogue_change::write(
            &format!(
                "UPDATE headroom.hypertables SET {column} = $3::pg_catalog.name
                 WHERE relation OPERATOR(pg_catalog.=) $1 AND {column} OPERATOR(pg_catalog.=) $2::pg_catalog.name"
            ),
            &[hypertable.into(), old.as_str().into(), new.as_str().into()],
        )?;
    }
    Ok(())
}

/// A column of the foreign table that has no number yet, and what the hypertable says of it.
const NEW_COLUMNS: &str = "
SELECT s.attname::pg_catalog.text, p.attnotnull, p.atthasdef AND NOT p.atthasmissing,
       (p.attmissingval::pg_catalog.text::pg_catalog.text[])[1],
       pg_catalog.format_type(s.atttypid, s.atttypmod)
FROM headroom.hypertables h
JOIN pg_catalog.pg_attribute s ON s.attrelid OPERATOR(pg_catalog.=) h.sealed AND s.attnum OPERATOR(pg_catalog.>) 0 AND NOT s.attisdropped
JOIN pg_catalog.pg_attribute p ON p.attrelid OPERATOR(pg_catalog.=) h.relation AND p.attname OPERATOR(pg_catalog.=) s.attname AND NOT p.attisdropped
WHERE h.relation OPERATOR(pg_catalog.=) $1
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(s.attfdwoptions) o WHERE o OPERATOR(pg_catalog.~~) 'number=%' OR o OPERATOR(pg_catalog.=) 'role=segment')
ORDER BY s.attnum";

struct NewColumn {
    name: String,
    not_null: bool,
    is_computed: bool,
    missing: Option<String>,
    kind: String,
}

/// Gives numbers to the columns that have none.
pub(super) fn number_new(hypertable: pg_sys::Oid) -> Result<()> {
    let read = || -> Result<Vec<NewColumn>> {
        let found = Spi::connect(|client| {
            let rows = client.select(NEW_COLUMNS, None, &[hypertable.into()])?;
            rows.map(|row| {
                Ok(NewColumn {
                    name: row.get(1)?.unwrap_or_default(),
                    not_null: row.get(2)?.unwrap_or_default(),
                    is_computed: row.get(3)?.unwrap_or_default(),
                    missing: row.get(4)?,
                    kind: row.get(5)?.unwrap_or_default(),
                })
            })
            .collect::<std::result::Result<Vec<_>, pgrx::spi::SpiError>>()
        })?;
        Ok(found)
    };
    let new = datum::with_exact_text(read)?;
    if new.is_empty() {
        return Ok(());
    }
    let Some(entry) = catalogue::entry(hypertable)? else { return Ok(()) };
    let Some(sealed) = entry.sealed else { return Ok(()) };
    let has_rows = tables::has_blocks(&entry)?;
    let table = relation::name(hypertable);
    let owner = relation::owner(hypertable);
    for column in new {
        let refuse = |what: &str| {
            Err(Error::new(
                Kind::Unsupported,
                format!("column \"{}\" of {table} cannot be added over sealed rows: {what}", column.name),
            )
            .hint(format!(
                "Add it with a constant default or none, or unseal first: SELECT headroom.unseal({});",
                quote_literal(&table)
            )))
        };
        if has_rows && column.is_computed {
            return refuse("its value would be another in every row");
        }
        if has_rows && column.not_null && column.missing.is_none() {
            return refuse("it is NOT NULL and has no default");
        }
        let number = Spi::get_one_with_args::<i32>(
            "SELECT next_number FROM headroom.hypertables WHERE relation OPERATOR(pg_catalog.=) $1",
            &[hypertable.into()],
        )?
        .ok_or_else(|| Error::new(Kind::Internal, "a hypertable has no next number"))?;
        let missing = column.missing.as_deref().map(|text| format!(", ADD missing {}", quote_literal(text)));
        let sql = format!(
            "ALTER FOREIGN TABLE {} ALTER COLUMN {} OPTIONS (ADD number '{number}', ADD type {}{})",
            relation::name(sealed),
            quote_identifier(&column.name),
            quote_literal(&column.kind),
            missing.unwrap_or_default()
        );
        identity::run_as(owner, || tables::alter(&sql))?;
        catalogue_change::write(
            "UPDATE headroom.hypertables SET next_number = next_number OPERATOR(pg_catalog.+) 1
             WHERE relation OPERATOR(pg_catalog.=) $1",
            &[hypertable.into()],
        )?;
    }
    Layout::forget();
    Ok(())
}
