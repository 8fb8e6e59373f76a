//! The columns of a status: core's figures by their own names, and the source of the spent capacity. A store of an older
//! program gets the columns that it lacks.

use headroom_core::unit::{CapacitySource, FIGURES, Number, Status};
use rusqlite::types::{Value, ValueRef};

const SOURCE: &str = "used_source";

/// All columns.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(SOURCE).chain(FIGURES.iter().map(|figure| figure.name))
}

/// The values to bind, in the order of [`names`]. A count beyond what SQLite and PostgreSQL hold is none of a device.
pub(super) fn values(status: &Status) -> Vec<Value> {
    let source = status.used_source.map_or(Value::Null, |source| Value::Text(source.as_str().to_owned()));
    let figures = FIGURES.iter().map(|figure| match figure.of(status) {
        Some(Number::Whole(whole)) => i64::try_from(whole).map_or(Value::Null, Value::Integer),
        Some(Number::Real(real)) => Value::Real(real),
        None => Value::Null,
    });
    std::iter::once(source).chain(figures).collect()
}

/// A status from its columns, in the order of [`names`].
pub(super) fn status<'a>(
    mut column: impl FnMut(usize) -> Result<ValueRef<'a>, rusqlite::Error>,
) -> Result<Status, String> {
    let mut status = Status::default();
    match column(0).map_err(|error| error.to_string())? {
        ValueRef::Null => {}
        ValueRef::Text(text) => {
            let known = CapacitySource::ALL.into_iter().find(|source| source.as_str().as_bytes() == text);
            let unknown = || format!("{SOURCE} is {:?}", String::from_utf8_lossy(text));
            status.used_source = Some(known.ok_or_else(unknown)?);
        }
        _ => return Err(format!("{SOURCE} holds no text")),
    }
    for (index, figure) in (1..).zip(&FIGURES) {
        let value = match column(index).map_err(|error| error.to_string())? {
            ValueRef::Null => continue,
            ValueRef::Integer(whole) => Number::Whole(whole.into()),
            ValueRef::Real(real) => Number::Real(real),
            ValueRef::Text(_) | ValueRef::Blob(_) => return Err(format!("{} holds no number", figure.name)),
        };
        if !figure.set(&mut status, value) {
            return Err(format!("{} is {value}", figure.name));
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use headroom_core::{
        quantity::Bytes,
        unit::{CapacitySource, FIGURES, Status},
    };
    use proptest::prelude::*;
    use rusqlite::types::Value;

    use super::{names, status, values};

    fn back(bound: &[Value]) -> Result<Status, String> {
        status(|index| Ok((&bound[index]).into()))
    }

    #[test]
    fn every_figure_has_its_column_and_comes_back() {
        for source in CapacitySource::ALL {
            let mut full = Status { used_source: Some(source), ..Status::default() };
            for figure in &FIGURES {
                assert!(figure.set(&mut full, figure.rounded(figure.most.min(1e18)).expect("can be")));
            }
            full.write_bytes = Some(Bytes(i64::MAX as u64));
            full.temperature_celsius = Some(-5);
            full.queue_depth = Some(0.25);
            let bound = values(&full);
            assert_eq!(bound.len(), names().count());
            assert!(bound.iter().all(|value| *value != Value::Null));
            assert_eq!(back(&bound), Ok(full));
        }
    }

    #[test]
    fn what_is_absent_or_cannot_be_stays_absent() {
        let bound = values(&Status { read_ops: Some(u64::MAX), ..Status::default() });
        assert!(bound.iter().all(|value| *value == Value::Null));
        assert_eq!(back(&bound), Ok(Status::default()));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_column_is_read_or_refused_by_name(
            place in 0..FIGURES.len() + 1,
            value in prop_oneof![
                any::<i64>().prop_map(Value::Integer), any::<f64>().prop_map(Value::Real),
                ".*".prop_map(Value::Text), any::<Vec<u8>>().prop_map(Value::Blob),
            ],
        ) {
            let mut bound = values(&Status::default());
            bound[place] = value;
            let name = names().nth(place).expect("a column");
            if let Err(detail) = back(&bound) {
                prop_assert!(detail.contains(name), "{}", detail);
            }
        }
    }
}
