//! A point in time given to a function, whatever its type, as a value of the hypertable's time column.

use pgrx::{datum::DatumWithOid, pg_sys, prelude::*, spi::SpiError};

use crate::server::error::{Error, Kind, Result};

/// The point in time as a value of the time column (given by name and type): of its own type, of one that converts to
/// it, text, or an interval before now.
pub(crate) fn of(column: &str, type_oid: pg_sys::Oid, value: pgrx::AnyElement) -> Result<pg_sys::Datum> {
    let given = value.oid();
    if given == type_oid {
        return Ok(value.datum());
    }
    let name = type_name(type_oid)?;
    let is_number = matches!(type_oid, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID);
    let expression = match given {
        pg_sys::INTERVALOID if !is_number => format!("(pg_catalog.now() OPERATOR(pg_catalog.-) $1)::{name}"),
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID if is_number => format!("$1::{name}"),
        pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::DATEOID if !is_number => {
            format!("$1::{name}")
        }
        pg_sys::TEXTOID | pg_sys::VARCHAROID => format!("$1::pg_catalog.text::{name}"),
        _ => {
            return Err(Error::new(
                Kind::WrongType,
                format!(
                    "a value of type {} is no point in the time of column \"{column}\"",
                    type_name(given)?
                ),
            )
            .hint(format!(
                "Give a value of type {name}{}.",
                if is_number { "" } else { " or an interval" }
            )));
        }
    };
    // SAFETY: the value is of the type that the server gave it.
    let argument = unsafe { DatumWithOid::new(value.datum(), given) };
    let found: std::result::Result<_, SpiError> = Spi::connect(|client| {
        let rows = client.select(&format!("SELECT {expression}"), Some(1), &[argument])?;
        rows.first().get_datum_by_ordinal(1)
    });
    // The types of time columns are passed by value: the datum needs no memory.
    found?.ok_or_else(|| Error::new(Kind::WrongType, "a point in time is null"))
}

fn type_name(oid: pg_sys::Oid) -> Result<String> {
    let name = Spi::get_one_with_args::<String>("SELECT pg_catalog.format_type($1, NULL)", &[oid.into()])?;
    Ok(name.unwrap_or_default())
}
