//! What is refused before it begins, since no error afterwards would undo it: commands that commit on the way, and the end
//! of the extension itself, whose event triggers go with it.

use pgrx::{PgList, pg_guard, pg_sys, prelude::*, spi::quote_literal};

use super::keys;
use crate::{
    hypertable::{catalogue, tables},
    server::{
        error::{Error, Kind, Result, or_raise},
        relation::{self, Open},
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.watch_begun() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'headroom_watch_begun';
COMMENT ON FUNCTION headroom.watch_begun() IS 'For PostgreSQL: refuses what could not be undone to sealed rows. Not to be called.';
CREATE EVENT TRIGGER headroom_begun ON ddl_command_start
    WHEN TAG IN ('CREATE INDEX', 'DROP INDEX', 'DROP EXTENSION', 'DROP SCHEMA')
    EXECUTE FUNCTION headroom.watch_begun();
COMMENT ON EVENT TRIGGER headroom_begun IS 'Refuses what could not be undone to sealed rows: unique keys and the guard CONCURRENTLY, and the end of the extension';
"#,
    name = "watch_begun",
    requires = ["watch"]
);

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the trigger is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_watch_begun() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// A command begins.
///
/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_watch_begun(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the server's own structures.
    unsafe {
        let tree = super::event(call).parsetree;
        if relation::own(c"hypertables").is_ok() {
            or_raise(begun(tree));
        }
        (*call).isnull = true;
    }
    pg_sys::Datum::from(0)
}

unsafe fn begun(tree: *mut pg_sys::Node) -> Result<()> {
    // SAFETY: the server's own parse tree.
    unsafe {
        if pgrx::is_a(tree, pg_sys::NodeTag::T_IndexStmt) {
            let index = tree.cast::<pg_sys::IndexStmt>();
            return match (*index).concurrent && (*index).unique {
                true => refuse_key(of_name((*index).relation)),
                false => Ok(()),
            };
        }
        if !pgrx::is_a(tree, pg_sys::NodeTag::T_DropStmt) {
            return Ok(());
        }
        let statement = tree.cast::<pg_sys::DropStmt>();
        let objects = PgList::<pg_sys::Node>::from_pg((*statement).objects);
        match (*statement).removeType {
            pg_sys::ObjectType::OBJECT_INDEX if (*statement).concurrent => objects
                .iter_ptr()
                .try_for_each(|name| refuse_guard(of_name(pg_sys::makeRangeVarFromNameList(name.cast())))),
            pg_sys::ObjectType::OBJECT_EXTENSION | pg_sys::ObjectType::OBJECT_SCHEMA
                if objects.iter_ptr().any(|name| is_headroom(name)) =>
            {
                refuse_end()
            }
            _ => Ok(()),
        }
    }
}

/// The relation of this name, not locked; invalid when there is none.
unsafe fn of_name(name: *mut pg_sys::RangeVar) -> pg_sys::Oid {
    let (lock, missing_ok) = (pg_sys::NoLock as i32, pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: a name of the server's own parse tree.
    unsafe { pg_sys::RangeVarGetRelidExtended(name, lock, missing_ok, None, std::ptr::null_mut()) }
}

unsafe fn is_headroom(name: *mut pg_sys::Node) -> bool {
    // SAFETY: nodes are looked at as what their tags say they are; a name ends in a zero.
    unsafe {
        pgrx::is_a(name, pg_sys::NodeTag::T_String)
            && std::ffi::CStr::from_ptr((*name.cast::<pg_sys::String>()).sval) == c"headroom"
    }
}

/// A unique index is valid before the command ends that makes it concurrently.
fn refuse_key(table: pg_sys::Oid) -> Result<()> {
    catalogue::entry(table)?.map_or(Ok(()), |entry| keys::refuse_over_sealed_rows(&entry))
}

/// An index is out of use before the command ends that drops it concurrently.
fn refuse_guard(index: pg_sys::Oid) -> Result<()> {
    if index == pg_sys::InvalidOid {
        return Ok(());
    }
    let open = Open::with(index, pg_sys::AccessShareLock);
    // SAFETY: the relation is open; names are looked at once.
    let table = unsafe {
        let method = (*(*open.as_ptr()).rd_rel).relam;
        let name =
            if method == pg_sys::InvalidOid { std::ptr::null_mut() } else { pg_sys::get_am_name(method) };
        if name.is_null() || std::ffi::CStr::from_ptr(name) != c"headroom_guard" {
            return Ok(());
        }
        pg_sys::IndexGetRelation(index, true)
    };
    match catalogue::entry(table)? {
        Some(entry) if entry.sealed.is_some() => Err(keys::guard_is_needed(&entry)),
        _ => Ok(()),
    }
}

/// Without the extension nothing shows the blocks.
fn refuse_end() -> Result<()> {
    let all = Spi::connect(|client| {
        let rows = client.select(
            "SELECT relation::pg_catalog.oid FROM headroom.hypertables WHERE blocks IS NOT NULL ORDER BY 1",
            None,
            &[],
        )?;
        rows.map(|row| row.get::<pg_sys::Oid>(1)).collect::<std::result::Result<Vec<_>, _>>()
    })?;
    for hypertable in all.into_iter().flatten() {
        let Some(entry) = catalogue::entry(hypertable)? else { continue };
        if tables::has_blocks(&entry)? {
            let table = relation::name(hypertable);
            return Err(Error::new(
                Kind::Unsupported,
                format!("extension headroom cannot be dropped: {table} has sealed rows"),
            )
            .hint(format!("SELECT headroom.unseal({}); or DROP TABLE {table};", quote_literal(&table))));
        }
    }
    Ok(())
}
