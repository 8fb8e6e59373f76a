//! The columns of a status are core's fields by their own names, so that there is one list of them to keep right, and
//! a store of an older program gets the columns that it lacks.

use headroom_core::unit::Status;
use rusqlite::types::{Value, ValueRef};
use serde_json::{Map, Number};

/// Every field of [`Status`], in its order. A test holds the list against the type.
pub(super) const FIELDS: [&str; 22] = [
    "capacity_bytes",
    "used_bytes",
    "used_source",
    "inodes_total",
    "inodes_used",
    "metadata_capacity_bytes",
    "metadata_used_bytes",
    "read_ops",
    "write_ops",
    "read_bytes",
    "write_bytes",
    "busy_milliseconds",
    "queue_milliseconds",
    "utilisation",
    "queue_depth",
    "temperature_celsius",
    "endurance_used_percent",
    "spare_percent",
    "data_read_bytes",
    "data_written_bytes",
    "power_on_hours",
    "media_errors",
];

/// Fields that came later than the first format; kept apart so that the list above shows what every store has.
pub(super) const LATER_FIELDS: [&str; 1] = ["critical_warning"];

/// All fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().chain(LATER_FIELDS)
}

/// The values to bind, in the order of [`names`].
pub(super) fn values(status: &Status) -> Result<Vec<Value>, serde_json::Error> {
    let fields = match serde_json::to_value(status)? {
        serde_json::Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Ok(names()
        .map(|name| match fields.get(name) {
            Some(serde_json::Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Value::Integer(whole),
                (None, Some(real)) => Value::Real(real),
                _ => Value::Null,
            },
            Some(serde_json::Value::String(text)) => Value::Text(text.clone()),
            _ => Value::Null,
        })
        .collect())
}

/// A status from its columns, in the order of [`names`].
pub(super) fn status<'a>(
    mut column: impl FnMut(usize) -> Result<ValueRef<'a>, rusqlite::Error>,
) -> Result<Status, String> {
    let mut fields = Map::new();
    for (index, name) in names().enumerate() {
        let value = match column(index).map_err(|error| error.to_string())? {
            ValueRef::Null => continue,
            ValueRef::Integer(whole) => serde_json::Value::from(whole),
            ValueRef::Real(real) => Number::from_f64(real)
                .map(serde_json::Value::Number)
                .ok_or_else(|| format!("{name} is {real}"))?,
            ValueRef::Text(text) => serde_json::Value::from(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(_) => return Err(format!("{name} holds bytes")),
        };
        fields.insert(name.to_owned(), value);
    }
    serde_json::from_value(serde_json::Value::Object(fields)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use headroom_core::{
        quantity::Bytes,
        unit::{CapacitySource, Status},
    };
    use rusqlite::types::Value;

    use super::{names, status, values};

    fn full() -> Status {
        Status {
            capacity_bytes: Some(Bytes(1)),
            used_bytes: Some(Bytes(2)),
            used_source: Some(CapacitySource::ScsiLogPage0c),
            inodes_total: Some(3),
            inodes_used: Some(4),
            metadata_capacity_bytes: Some(Bytes(5)),
            metadata_used_bytes: Some(Bytes(6)),
            read_ops: Some(7),
            write_ops: Some(8),
            read_bytes: Some(Bytes(9)),
            write_bytes: Some(Bytes(i64::MAX as u64)),
            busy_milliseconds: Some(10),
            queue_milliseconds: Some(11),
            utilisation: Some(0.25),
            queue_depth: Some(1.0),
            temperature_celsius: Some(-5),
            endurance_used_percent: Some(255),
            spare_percent: Some(100),
            data_read_bytes: Some(12),
            data_written_bytes: Some(13),
            power_on_hours: Some(14),
            media_errors: Some(15),
            critical_warning: Some(0x10),
        }
    }

    #[test]
    fn every_field_of_core_has_its_column_and_comes_back() {
        let status_of_core = full();
        let json = serde_json::to_value(&status_of_core).unwrap();
        let of_core: BTreeSet<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(of_core, names().collect(), "a field was added to core: add it to LATER_FIELDS");
        let bound = values(&status_of_core).unwrap();
        assert!(bound.iter().all(|value| *value != Value::Null));
        let back = status(|index| Ok((&bound[index]).into())).unwrap();
        assert_eq!(back, status_of_core);
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let bound = values(&Status::default()).unwrap();
        assert!(bound.iter().all(|value| *value == Value::Null));
        assert_eq!(status(|index| Ok((&bound[index]).into())).unwrap(), Status::default());
    }
}
