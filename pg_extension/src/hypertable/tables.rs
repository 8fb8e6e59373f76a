//! The two tables beside a hypertable: its blocks, and the foreign table that shows their rows as its own.
//!
//! They are made when rows are sealed for the first time; until then a hypertable is a table like any other.

use std::rc::Rc;

use pgrx::{
    pg_sys,
    prelude::*,
    spi::{quote_identifier, quote_literal},
};

use super::{catalogue, catalogue_change, layout::Layout};
use crate::server::{
    error::{Error, Kind, Result},
    identity,
    relation::{self, Open},
};

thread_local! {
    // A backend has one thread.
    static MAKING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether the tables beside a hypertable are being made by this session.
pub(crate) fn are_being_made() -> bool {
    MAKING.get()
}

/// Alters the tables beside a hypertable, unwatched.
pub(crate) fn alter(sql: &str) -> Result<()> {
    let _making = Making(MAKING.replace(true));
    run(sql)
}

struct Making(bool);

impl Drop for Making {
    // An error unwinds, so this runs then too.
    fn drop(&mut self) {
        MAKING.set(self.0);
    }
}

/// The layout of a hypertable's blocks; makes the tables when there are none. The caller holds a lock on the
/// hypertable that keeps others from doing the same.
pub(crate) fn layout_for_sealing(oid: pg_sys::Oid) -> Result<Rc<Layout>> {
    if let Some(layout) = Layout::of_hypertable(oid)? {
        return Ok(layout);
    }
    let Some(names) = catalogue::names(oid)? else {
        return Err(Error::new(Kind::WrongObject, format!("{} is no hypertable", relation::name(oid))).hint(
            format!(
                "SELECT headroom.create_hypertable({}, 'time column', 'segment column');",
                quote_literal(relation::name(oid))
            ),
        ));
    };
    let owner = relation::owner(oid);
    identity::run_as(owner, || make(oid, &names))?;
    Layout::of_hypertable(oid)?
        .ok_or_else(|| Error::new(Kind::Internal, "the tables of sealed rows were made and are not there"))
}

/// A column of the hypertable.
struct HypertableColumn {
    name: String,
    /// Its type as SQL writes it.
    kind: String,
}

/// The hypertable's columns. It is not open afterwards: an index cannot be made on a table that is.
fn columns_of(oid: pg_sys::Oid) -> Result<Vec<HypertableColumn>> {
    let open = Open::with(oid, pg_sys::AccessShareLock);
    let used = open.attributes().iter().filter(|a| !a.attisdropped);
    used.map(|a| Ok(HypertableColumn { name: relation::text_of(&a.attname), kind: type_of(a)? })).collect()
}

fn make(oid: pg_sys::Oid, names: &catalogue::Names) -> Result<()> {
    let _making = Making(MAKING.replace(true));
    let columns = super::datum::with_exact_text(|| columns_of(oid))?;
    // SAFETY: look-ups in the server's caches.
    let (schema, base) = unsafe {
        let schema = pg_sys::get_rel_namespace(oid);
        let text =
            |name: *mut std::ffi::c_char| std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned();
        (schema, text(pg_sys::get_rel_name(oid)))
    };
    let parent = relation::name(oid);
    let schema_name = Spi::get_one_with_args::<String>(
        "SELECT nspname::pg_catalog.text FROM pg_catalog.pg_namespace WHERE oid OPERATOR(pg_catalog.=) $1",
        &[schema.into()],
    )?
    .unwrap_or_default();
    let qualified = |name: &str| format!("{}.{}", quote_identifier(&schema_name), quote_identifier(name));
    let blocks = qualified(&free_name(schema, &base, "blocks")?);
    let sealed = qualified(&free_name(schema, &base, "sealed")?);
    let find = |name: &str| {
        columns.iter().find(|column| column.name == name).ok_or_else(|| {
            Error::new(
                Kind::UndefinedColumn,
                format!("column \"{name}\" of {parent} does not exist any more"),
            )
        })
    };
    let time = find(&names.time)?;
    let segment = names.segment.as_deref().map(find).transpose()?;
    let time_type = &time.kind;
    let segment_column = match segment {
        Some(segment) => format!("segment {} NOT NULL, ", segment.kind),
        None => String::new(),
    };
    let by = if segment.is_some() { "segment, " } else { "" };
    run(&format!(
        "CREATE TABLE {blocks} ({segment_column}first_time {time_type} NOT NULL, last_time {time_type} NOT NULL,
            row_count integer NOT NULL, directory bytea NOT NULL, payload bytea NOT NULL, rollup bytea NOT NULL DEFAULT '',
            last_row bytea NOT NULL DEFAULT '')"
    ))?;
    // What is read of many blocks stays in their rows, as long as a page has room for it; the payload leaves first.
    // And the newest last rows are read from the index alone where the server knows that everybody sees them: it is to
    // look at a thousand new blocks, however many there are.
    run(&format!(
        "ALTER TABLE {blocks} SET (toast_tuple_target = 8160, autovacuum_vacuum_insert_scale_factor = 0)"
    ))?;
    run(&format!(
        "ALTER TABLE {blocks} ALTER COLUMN directory SET STORAGE MAIN, ALTER COLUMN rollup SET STORAGE EXTERNAL,
            ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN last_row SET STORAGE EXTERNAL"
    ))?;
    run(&format!("CREATE INDEX ON {blocks} ({by}last_time DESC, first_time) INCLUDE (last_row)"))?;
    run(&format!("CREATE INDEX ON {blocks} ({by}first_time)"))?;
    if segment.is_some() {
        run(&format!("CREATE INDEX ON {blocks} (last_time)"))?;
    }
    run(&format!(
        "COMMENT ON TABLE {blocks} IS {}",
        quote_literal(format!("Sealed rows of {parent}, as blocks. Read and written by headroom alone"))
    ))?;
    run(&format!(
        "CREATE FOREIGN TABLE {sealed} () INHERITS ({parent}) SERVER headroom OPTIONS (keys {})",
        quote_literal(keys_of(oid)?)
    ))?;
    run(&format!(
        "COMMENT ON FOREIGN TABLE {sealed} IS {}",
        quote_literal(format!("Sealed rows of {parent}, shown as its own. Query {parent} instead"))
    ))?;
    let mut number = 0;
    for HypertableColumn { name, kind } in &columns {
        let options = if Some(name) == names.segment.as_ref() {
            "ADD role 'segment'".to_owned()
        } else {
            number += 1;
            let role = if *name == names.time { ", ADD role 'time'" } else { "" };
            format!("ADD number '{number}'{role}, ADD type {}", quote_literal(kind))
        };
        run(&format!(
            "ALTER FOREIGN TABLE {sealed} ALTER COLUMN {} OPTIONS ({options})",
            quote_identifier(name)
        ))?;
    }
    make_guard(oid, names)?;
    for table in [&blocks, &sealed] {
        take_grants_back(table)?;
    }
    let find = |name: &str| {
        Spi::get_one_with_args::<pg_sys::Oid>(
            "SELECT $1::pg_catalog.regclass::pg_catalog.oid",
            &[name.into()],
        )
    };
    let (blocks, sealed) = (find(&blocks)?, find(&sealed)?);
    for table in [blocks, sealed].into_iter().flatten() {
        goes_with(table, oid);
    }
    catalogue_change::write(
        "UPDATE headroom.hypertables SET sealed = $2, blocks = $3, next_number = $4
         WHERE relation OPERATOR(pg_catalog.=) $1",
        &[oid.into(), sealed.into(), blocks.into(), (number + 1).into()],
    )
}

/// Makes the index that holds nothing and watches the hypertable: over the time, with the other columns of its unique
/// keys beside it.
fn make_guard(oid: pg_sys::Oid, names: &catalogue::Names) -> Result<()> {
    let table = relation::name(oid);
    let columns = Spi::connect(|client| {
        let rows = client.select(
            "SELECT DISTINCT a.attname::pg_catalog.text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
                 AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])
             WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisunique ORDER BY 1",
            None,
            &[oid.into()],
        )?;
        rows.map(|row| row.get::<String>(1)).collect::<std::result::Result<Vec<_>, _>>()
    })?;
    let others: Vec<_> = columns
        .into_iter()
        .flatten()
        .filter(|name| *name != names.time)
        .map(|name| quote_identifier(&name).to_string())
        .collect();
    let include = if others.is_empty() { String::new() } else { format!(" INCLUDE ({})", others.join(", ")) };
    run(&format!("CREATE INDEX ON {table} USING headroom_guard ({}){include}", quote_identifier(&names.time)))
}

/// Drops the tables beside a hypertable, of which no row is sealed: the next sealing makes them anew.
pub(crate) fn unmake(entry: &catalogue::Entry) -> Result<()> {
    let _making = Making(MAKING.replace(true));
    let owner = relation::owner(entry.relation);
    let drop = |kind: &str, oid: pg_sys::Oid| {
        if !relation::exists(oid) {
            return Ok(());
        }
        identity::run_as(owner, || run(&format!("DROP {kind} {}", relation::name(oid))))
    };
    for (kind, oid) in
        [("INDEX", guard_of(entry.relation)?), ("FOREIGN TABLE", entry.sealed), ("TABLE", entry.blocks)]
    {
        oid.map_or(Ok(()), |oid| drop(kind, oid))?;
    }
    catalogue_change::write(
        "UPDATE headroom.hypertables SET sealed = NULL, blocks = NULL, next_number = 1
         WHERE relation OPERATOR(pg_catalog.=) $1",
        &[entry.relation.into()],
    )
}

/// The index that watches a hypertable.
fn guard_of(hypertable: pg_sys::Oid) -> Result<Option<pg_sys::Oid>> {
    Ok(Spi::get_one_with_args::<pg_sys::Oid>(
        "SELECT (SELECT i.indexrelid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
         JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam AND m.amname OPERATOR(pg_catalog.=) 'headroom_guard'
         WHERE i.indrelid OPERATOR(pg_catalog.=) $1 LIMIT 1)",
        &[hypertable.into()],
    )?)
}

/// Gives the tables beside a hypertable, and its policies, to its owner: who may alter it may then alter them.
pub(crate) fn follow_owner(entry: &catalogue::Entry) -> Result<()> {
    let owner = relation::owner(entry.relation);
    for oid in [entry.sealed, entry.blocks].into_iter().flatten() {
        if relation::owner(oid) != owner {
            let lock = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
            // SAFETY: the table is there; who gave the hypertable away was asked whether that is allowed.
            unsafe { pg_sys::ATExecChangeOwner(oid, owner, true, lock) };
        }
    }
    catalogue_change::write(
        "UPDATE headroom.jobs SET owner = $2 WHERE relation OPERATOR(pg_catalog.=) $1 AND owner OPERATOR(pg_catalog.<>) $2",
        &[entry.relation.into(), owner.into()],
    )
}

/// Whether rows are sealed.
pub(crate) fn has_blocks(entry: &catalogue::Entry) -> Result<bool> {
    let Some(blocks) = entry.blocks else { return Ok(false) };
    let owner = relation::owner(blocks);
    let sql = format!("SELECT EXISTS (SELECT FROM {})", relation::name(blocks));
    Ok(identity::run_as(owner, || Spi::get_one::<bool>(&sql))? == Some(true))
}

/// The unique keys of a table, as one text: columns by commas, keys by semicolons, in order.
pub(crate) fn keys_of(hypertable: pg_sys::Oid) -> Result<String> {
    let keys = Spi::get_one_with_args::<String>(
        "SELECT pg_catalog.string_agg(k.columns, ';' ORDER BY k.columns) FROM (
             SELECT DISTINCT (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ',' ORDER BY a.attname)
                 FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid
                     AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])) AS columns
             FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisunique) k",
        &[hypertable.into()],
    )?;
    Ok(keys.unwrap_or_default())
}

/// The unique keys that sealed rows are known to keep.
pub(crate) fn known_keys_of(sealed: pg_sys::Oid) -> Result<String> {
    let keys = Spi::get_one_with_args::<String>(
        "SELECT (SELECT pg_catalog.substr(o, 6) FROM pg_catalog.unnest(f.ftoptions) o WHERE o OPERATOR(pg_catalog.~~) 'keys=%')
         FROM pg_catalog.pg_foreign_table f WHERE f.ftrelid OPERATOR(pg_catalog.=) $1",
        &[sealed.into()],
    )?;
    Ok(keys.unwrap_or_default())
}

/// Writes down the keys that sealed rows keep from now on, and makes the guard anew when some are new.
pub(crate) fn remember_keys(
    hypertable: pg_sys::Oid,
    sealed: pg_sys::Oid,
    keys: &str,
    with_guard: bool,
) -> Result<()> {
    let _making = Making(MAKING.replace(true));
    run(&format!(
        "ALTER FOREIGN TABLE {} OPTIONS (SET keys {})",
        relation::name(sealed),
        quote_literal(keys)
    ))?;
    if !with_guard {
        return Ok(());
    }
    if let Some(guard) = guard_of(hypertable)? {
        run(&format!("DROP INDEX {}", relation::name(guard)))?;
    }
    match catalogue::names(hypertable)? {
        Some(names) => make_guard(hypertable, &names),
        None => Ok(()),
    }
}

fn run(sql: &str) -> Result<()> {
    Spi::run(sql)?;
    Ok(())
}

/// A column's type as SQL writes it, with modifier and, where it is not the type's own, collation.
fn type_of(attribute: &pg_sys::FormData_pg_attribute) -> Result<String> {
    let text = Spi::get_one_with_args::<String>(
        "SELECT pg_catalog.format_type($1, $2) OPERATOR(pg_catalog.||) coalesce((
            SELECT ' COLLATE ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(n.nspname) OPERATOR(pg_catalog.||) '.'
                OPERATOR(pg_catalog.||) pg_catalog.quote_ident(c.collname)
            FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.collnamespace
            JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) $1
            WHERE c.oid OPERATOR(pg_catalog.=) $3 AND c.oid OPERATOR(pg_catalog.<>) t.typcollation), '')",
        &[attribute.atttypid.into(), attribute.atttypmod.into(), attribute.attcollation.into()],
    )?;
    text.ok_or_else(|| Error::new(Kind::Internal, "the server has no name for a column's type"))
}

/// `base_suffix`, or that with a number when it is taken; at most 63 bytes, as names are.
fn free_name(schema: pg_sys::Oid, base: &str, suffix: &str) -> Result<String> {
    const NAME_BYTES: usize = 63;
    for number in 0..1_000 {
        let end = if number == 0 { format!("_{suffix}") } else { format!("_{suffix}_{number}") };
        let mut cut = base.len().min(NAME_BYTES - end.len());
        while !base.is_char_boundary(cut) {
            cut -= 1;
        }
        let name = format!("{}{end}", &base[..cut]);
        let text = std::ffi::CString::new(name.as_str())
            .map_err(|_| Error::new(Kind::Internal, "a name has a zero byte"))?;
        // SAFETY: a look-up in the server's caches.
        if unsafe { pg_sys::get_relname_relid(text.as_ptr(), schema) } == pg_sys::InvalidOid {
            return Ok(name);
        }
    }
    Err(Error::new(Kind::Duplicate, format!("every name like {base}_{suffix} is taken")))
}

/// Takes back what default privileges gave to others: sealed rows are to be read through the hypertable, where its
/// privileges and policies hold.
fn take_grants_back(table: &str) -> Result<()> {
    let grantees = Spi::connect(|client| {
        let rows = client.select(
            "SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END
             FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
             LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
             WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.regclass AND a.grantee OPERATOR(pg_catalog.<>) c.relowner",
            None,
            &[table.into()],
        )?;
        rows.map(|row| row.get::<String>(1)).collect::<std::result::Result<Vec<_>, _>>()
    })?;
    for grantee in grantees.into_iter().flatten() {
        run(&format!("REVOKE ALL ON {table} FROM {grantee}"))?;
    }
    Ok(())
}

/// The table is dropped when the hypertable is.
fn goes_with(table: pg_sys::Oid, hypertable: pg_sys::Oid) {
    let address =
        |oid| pg_sys::ObjectAddress { classId: pg_sys::RelationRelationId, objectId: oid, objectSubId: 0 };
    // SAFETY: both are tables; the server copies the addresses.
    unsafe {
        pg_sys::recordDependencyOn(
            &address(table),
            &address(hypertable),
            pg_sys::DependencyType::DEPENDENCY_AUTO,
        );
    }
}
