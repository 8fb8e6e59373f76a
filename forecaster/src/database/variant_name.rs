//! How a variant is called in the database.

use serde::Serialize;

/// The snake_case name of a unit-only variant, as in JSON and SQL.
pub(super) fn name_of(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
