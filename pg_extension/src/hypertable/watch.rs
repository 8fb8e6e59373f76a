//! What is done when a hypertable is altered or dropped: event triggers, since the server knows nothing of sealed rows.
//!
//! Refused, with the remedy, is whatever could not be kept over sealed rows; a column that is added gets its number in
//! the blocks and the value that rows have which were sealed before; renamed columns keep their places.

use pgrx::{
    pg_guard, pg_sys,
    prelude::*,
    spi::{quote_identifier, quote_literal},
};

use super::{
    catalogue, catalogue_change, create, datum, elsewhere, layout::Layout, table_facts::Facts, tables,
};
use crate::server::{
    error::{Error, Kind, Result, or_raise},
    identity, relation,
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.watch_altered() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'headroom_watch_altered';
COMMENT ON FUNCTION headroom.watch_altered() IS 'For PostgreSQL: keeps what an altered hypertable and its sealed rows have in common. Not to be called.';
CREATE FUNCTION headroom.watch_dropped() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'headroom_watch_dropped';
COMMENT ON FUNCTION headroom.watch_dropped() IS 'For PostgreSQL: forgets hypertables that were dropped. Not to be called.';
CREATE EVENT TRIGGER headroom_altered ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE INDEX', 'CREATE RULE', 'ALTER TYPE',
        'ALTER DOMAIN', 'CREATE PUBLICATION', 'ALTER PUBLICATION')
    EXECUTE FUNCTION headroom.watch_altered();
COMMENT ON EVENT TRIGGER headroom_altered IS 'Refuses what could not be kept over sealed rows, and numbers new columns in the blocks';
CREATE EVENT TRIGGER headroom_dropped ON sql_drop EXECUTE FUNCTION headroom.watch_dropped();
COMMENT ON EVENT TRIGGER headroom_dropped IS 'Takes dropped hypertables out of the catalogue, with their blocks';
CREATE FUNCTION headroom.number_columns(relation regclass) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'number_columns_wrapper';
COMMENT ON FUNCTION headroom.number_columns(regclass) IS
'Gives numbers in the blocks to columns that were added to a hypertable while event triggers were switched off';
"#,
    name = "watch",
    requires = [number_columns, "hypertables", "seal"]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn number_columns(relation: pg_sys::Oid) {
    or_raise(number(relation));
}

fn number(oid: pg_sys::Oid) -> Result<()> {
    catalogue::require_own(oid)?;
    number_new_columns(oid)
}

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the trigger is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_watch_altered() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the trigger is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_watch_dropped() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// Whether an event trigger of ours is called as one.
pub(super) unsafe fn event<'a>(call: pg_sys::FunctionCallInfo) -> &'a pg_sys::EventTriggerData {
    // SAFETY: the server calls an event trigger with its data; anything else is refused.
    unsafe {
        let context = (*call).context;
        if context.is_null() || !pgrx::is_a(context, pg_sys::NodeTag::T_EventTriggerData) {
            Error::new(Kind::WrongObject, "this function is an event trigger and is not to be called")
                .raise();
        }
        &*context.cast::<pg_sys::EventTriggerData>()
    }
}

/// A table, an index or a rule has been made or altered.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_watch_altered(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the server's own structures.
    unsafe {
        let data = event(call);
        or_raise(altered(data.parsetree));
        (*call).isnull = true;
    }
    pg_sys::Datum::from(0)
}

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

unsafe fn altered(tree: *mut pg_sys::Node) -> Result<()> {
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
        unsafe { keep_names(tree, hypertable)? };
        let facts = Facts::of(hypertable)?;
        create::refuse_what_cannot_be_kept(&facts)?;
        if let Some(names) = catalogue::names(hypertable)? {
            create::refuse_columns(&facts, &names.time, names.segment.as_deref())?;
        }
        let entry = catalogue::entry(hypertable)?;
        if let Some((entry, sealed)) = entry.and_then(|entry| entry.sealed.map(|sealed| (entry, sealed))) {
            refuse_lost_child(hypertable, sealed)?;
            tables::follow_owner(&entry)?;
            number_new_columns(hypertable)?;
            // SAFETY: the server's own parse tree.
            if refuse_changed_types(&entry, &unsafe { retyped(tree) })? {
                continue;
            }
            // SAFETY: the server's own parse tree.
            refuse_new_keys(hypertable, unsafe { pgrx::is_a(tree, pg_sys::NodeTag::T_RenameStmt) })?;
            // SAFETY: the server's own parse tree.
            if unsafe { adds_constraints(tree) } {
                refuse_broken_constraints(hypertable)?;
            }
        }
    }
    Ok(())
}

/// Whether an ALTER TABLE adds a constraint to rows that are there.
unsafe fn adds_constraints(tree: *mut pg_sys::Node) -> bool {
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

/// A renamed column keeps its place in the catalogue.
unsafe fn keep_names(tree: *mut pg_sys::Node, hypertable: pg_sys::Oid) -> Result<()> {
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

fn number_new_columns(hypertable: pg_sys::Oid) -> Result<()> {
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
    let owner = relation::Open::with(hypertable, pg_sys::AccessShareLock).owner();
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

/// The columns whose types an ALTER TABLE changes.
unsafe fn retyped(tree: *mut pg_sys::Node) -> Vec<String> {
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

/// Blocks hold the bytes of the type that the column had. Whether the tables of sealed rows are gone: they had none, and
/// are made anew when rows are sealed.
fn refuse_changed_types(entry: &catalogue::Entry, columns: &[String]) -> Result<bool> {
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

/// A key that was added later has not been checked against sealed rows.
fn refuse_new_keys(hypertable: pg_sys::Oid, is_renaming: bool) -> Result<()> {
    let Some(entry) = catalogue::entry(hypertable)? else { return Ok(()) };
    let Some(sealed) = entry.sealed else { return Ok(()) };
    let (now, known) = (tables::keys_of(hypertable)?, tables::known_keys_of(sealed)?);
    if now == known {
        return Ok(());
    }
    let owner = relation::Open::with(hypertable, pg_sys::AccessShareLock).owner();
    if is_renaming {
        return identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &now, false));
    }
    // A key that is known and not there is one that a restore has yet to make; those that were dropped are forgotten
    // when they are.
    if now.split(';').all(|key| key.is_empty() || known.split(';').any(|k| k == key)) {
        return Ok(());
    }
    let table = relation::name(hypertable);
    if tables::has_blocks(&entry)? {
        return Err(Error::new(
            Kind::Unsupported,
            format!("a unique key cannot be added to {table} over sealed rows"),
        )
        .detail("It would not be checked against them.")
        .hint(format!("SELECT headroom.unseal({}); then add it, then seal again.", quote_literal(&table))));
    }
    identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &now, true))
}

/// The server checks new constraints against the heap alone.
fn refuse_broken_constraints(hypertable: pg_sys::Oid) -> Result<()> {
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

/// Something has been dropped.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_watch_dropped(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the server's own structures.
    unsafe {
        event(call);
        or_raise(dropped());
        (*call).isnull = true;
    }
    pg_sys::Datum::from(0)
}

fn dropped() -> Result<()> {
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
                let owner = relation::Open::with(blocks, pg_sys::AccessShareLock).owner();
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
    if lost_index == Some(true) { indexes_were_dropped() } else { Ok(()) }
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
fn indexes_were_dropped() -> Result<()> {
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
            let owner = relation::Open::with(hypertable, pg_sys::AccessShareLock).owner();
            identity::run_as(owner, || tables::remember_keys(hypertable, sealed, &kept, false))?;
        }
    }
    Ok(())
}
