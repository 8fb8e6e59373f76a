//! What is done when a hypertable is altered or dropped: event triggers, since the server knows nothing of sealed rows.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`begun`] | what is refused before it begins |
//! | [`altered`] | a hypertable has been altered: which ones, and what is asked of each |
//! | [`dropped`] | something has been dropped |
//! | [`columns`] | added columns get numbers in the blocks, renamed ones keep their places |
//! | [`types`] | columns of another type |
//! | [`keys`] | unique keys and the guard, added and dropped |
//! | [`constraints`] | constraints that sealed rows may violate |
//! | [`elsewhere`] | what is refused of types and publications |

mod altered;
mod begun;
mod columns;
mod constraints;
mod dropped;
mod elsewhere;
mod keys;
mod types;

use pgrx::{pg_guard, pg_sys, prelude::*};

use crate::server::error::{Error, Kind, or_raise};

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
"#,
    name = "watch",
    requires = ["hypertables", "seal"]
);

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
unsafe fn event<'a>(call: pg_sys::FunctionCallInfo) -> &'a pg_sys::EventTriggerData {
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
        or_raise(altered::altered(data.parsetree));
        (*call).isnull = true;
    }
    pg_sys::Datum::from(0)
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
        or_raise(dropped::dropped());
        (*call).isnull = true;
    }
    pg_sys::Datum::from(0)
}
