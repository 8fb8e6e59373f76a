//! Datums to states and states to datums.

use headroom_core::block::Kind as ValueKind;
use pgrx::{AnyNumeric, IntoDatum, fcinfo::direct_function_call, pg_sys};

use super::{
    spec::{Function, What},
    state::{self, State},
};
use crate::hypertable::{
    datum,
    layout::{Form, Layout},
};

/// Key and bits of a datum of a column whose values are of this kind.
pub(super) fn key_and_bits(kind: ValueKind, datum: pg_sys::Datum) -> (i64, u64) {
    match kind {
        ValueKind::I16 => state::integer((datum.value() as i16).into()),
        ValueKind::I32 => state::integer((datum.value() as i32).into()),
        ValueKind::I64 => state::integer(datum.value() as i64),
        ValueKind::F32 => state::float32(f32::from_bits(datum.value() as u32)),
        ValueKind::F64 => state::float64(f64::from_bits(datum.value() as u64)),
        ValueKind::Bool => state::integer((datum.value() as u8 != 0).into()),
        ValueKind::Bytes => (0, 0),
    }
}

/// The value of an aggregate.
pub(super) fn finish(layout: &Layout, function: &Function, state: State) -> Option<pg_sys::Datum> {
    let column = layout.column(function.position);
    let kind = column.map_or(ValueKind::Bytes, |column| column.form.kind());
    match state {
        State::Count(count) => Some(pg_sys::Datum::from(count)),
        State::Sum { count: 0, .. } => None,
        State::Sum { sum, .. } if function.what == What::Sum => match column.map(|column| column.form) {
            // The server adds bigint as numeric, and the smaller integers as bigint.
            Some(Form::Number(ValueKind::I64)) => AnyNumeric::from(sum).into_datum(),
            _ => Some(pg_sys::Datum::from(sum as i64)),
        },
        State::Sum { sum, count } => {
            let parts = [AnyNumeric::from(sum).into_datum(), AnyNumeric::from(count).into_datum()];
            // SAFETY: the server's own division, of two values of its type.
            unsafe { direct_function_call::<AnyNumeric>(pg_sys::numeric_div, &parts) }
                .and_then(IntoDatum::into_datum)
        }
        State::Best(best) => best.map(|(_, bits)| datum::of_bits(kind, bits)),
        State::At(at) => at.and_then(|(_, bits)| bits).map(|bits| datum::of_bits(kind, bits)),
    }
}
