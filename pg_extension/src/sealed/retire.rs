//! Deleting old rows: whole blocks at once, without unsealing them.

use pgrx::{pg_sys, prelude::*, spi::quote_identifier};

use super::{
    carried::Order,
    conditions::{self, Comparison},
    modify,
    source::{BlockKey, Source},
};
use crate::{
    hypertable::{block_store, catalogue, seal, tables, time_argument},
    server::{
        error::{Error, Kind, Result, or_raise},
        identity,
        relation::{self, Open},
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.delete_older(relation regclass, older_than "any") RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'delete_older_wrapper';
COMMENT ON FUNCTION headroom.delete_older(regclass, "any") IS
'Deletes the rows of a hypertable that are older than a time (or, given an interval, than now() minus it), sealed or not; how many. Whole blocks go at once';
"#,
    name = "delete_older",
    requires = [delete_older]
);

#[pg_extern(volatile, parallel_unsafe, sql = false)]
fn delete_older(relation: pg_sys::Oid, older_than: pgrx::AnyElement) -> i64 {
    or_raise(delete(relation, older_than))
}

fn delete(oid: pg_sys::Oid, older_than: pgrx::AnyElement) -> Result<i64> {
    seal::refuse_where_nothing_can_be_written(c"headroom.delete_older()")?;
    let name = relation::name(oid);
    catalogue::require_own(oid)?;
    drop(Open::with(oid, pg_sys::ShareRowExclusiveLock));
    let layout = tables::layout_for_sealing(oid)?;
    modify::refuse_row_triggers(&layout, pg_sys::CmdType::CMD_DELETE)?;
    let column = layout.time_column();
    let time = time_argument::of(&column.name, column.type_oid, older_than)?;
    let (function, type_oid) = conditions::own_function(column.type_oid, Comparison::Less)
        .ok_or_else(|| Error::new(Kind::Internal, "the time column's type has no order"))?;
    let key = BlockKey {
        column: layout.block_columns().last_time,
        comparison: Comparison::Less,
        function,
        type_oid,
        collation: column.collation,
        value: time,
        is_array: false,
    };
    let mut deleted = 0;
    // SAFETY: the newest snapshot, released below; the server releases it after an error.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut source = Source::begin(&layout, Order::Any, &[key], snapshot, std::ptr::null_mut(), false)?;
        let blocks = Open::with(layout.blocks, pg_sys::RowExclusiveLock);
        while source.advance() {
            deleted += i64::from(source.value(source.columns.row_count).value() as i32);
            let mut place = source.tip().place();
            pg_sys::simple_heap_delete(blocks.as_ptr(), &raw mut place);
        }
        source.end();
        pg_sys::UnregisterSnapshot(snapshot);
    }
    block_store::changed();
    seal::add_to_estimate(&layout, -deleted);
    // What is left: rows that are not sealed, and those of blocks that reach over the time. Policies must hide no row from
    // the owner's own command, and triggers of the statement must run as nobody mightier.
    let owner = Open::with(oid, pg_sys::NoLock).owner();
    let sql =
        format!("DELETE FROM {name} WHERE {} OPERATOR(pg_catalog.<) $1", quote_identifier(&column.name));
    let rest = identity::run_as_owner(owner, || {
        Spi::connect_mut(|client| {
            // SAFETY: the value is of the time column's type.
            let argument = unsafe { pgrx::datum::DatumWithOid::new(time, column.type_oid) };
            client.update(&sql, None, &[argument]).map(|done| done.len())
        })
    })?;
    Ok(deleted + rest as i64)
}
