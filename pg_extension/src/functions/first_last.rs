//! The aggregates `first` and `last`: the value of the row whose time is the smallest or the largest.
//!
//! Rows without a time are left out; the value itself may be null. Of rows with equal times the one that came first stays.

use core::cmp::Ordering;

use pgrx::{AnyElement, Internal, pg_sys, prelude::*};

use super::kept::{Kept, aggregate_memory, take_number};
use crate::server::{
    error::{Error, Kind, Result, or_raise},
    type_form::TypeForm,
};

/// How two times are compared.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// As the 64-bit numbers that they are.
    Long,
    /// As the 32-bit numbers that they are.
    Int,
    /// By the type's own function.
    Function(*mut pg_sys::FmgrInfo),
}

impl Order {
    fn of(oid: pg_sys::Oid) -> Result<Self> {
        match oid {
            pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID | pg_sys::INT8OID => Ok(Self::Long),
            pg_sys::DATEOID | pg_sys::INT4OID => Ok(Self::Int),
            _ => {
                // SAFETY: a look-up in the server's type cache, whose entries live as long as the process.
                let function = unsafe {
                    let entry = pg_sys::lookup_type_cache(oid, pg_sys::TYPECACHE_CMP_PROC_FINFO as i32);
                    &raw mut (*entry).cmp_proc_finfo
                };
                // SAFETY: as above.
                if unsafe { (*function).fn_oid } == pg_sys::InvalidOid {
                    return Err(Error::new(
                        Kind::UndefinedFunction,
                        format!("values of type {} have no order, so none is first or last", type_name(oid)),
                    )
                    .hint("Order by a value of a type with an order, such as timestamptz."));
                }
                Ok(Self::Function(function))
            }
        }
    }

    /// # Safety
    /// Both are values of the type.
    unsafe fn compare(self, collation: pg_sys::Oid, a: pg_sys::Datum, b: pg_sys::Datum) -> Ordering {
        match self {
            Self::Long => (a.value() as i64).cmp(&(b.value() as i64)),
            Self::Int => (a.value() as i32).cmp(&(b.value() as i32)),
            // SAFETY: the caller's promise; the function compares two values of the type.
            Self::Function(function) => unsafe {
                (pg_sys::FunctionCall2Coll(function, collation, a, b).value() as i32).cmp(&0)
            },
        }
    }
}

fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: the server's own name of a type, copied at once.
    unsafe { std::ffi::CStr::from_ptr(pg_sys::format_type_be(oid)) }.to_string_lossy().into_owned()
}

/// The row that is the best so far.
struct Best {
    value_form: TypeForm,
    time_form: TypeForm,
    order: Order,
    value: Kept,
    time: Kept,
}

impl Best {
    /// # Safety
    /// The value and the time are of these types.
    unsafe fn new(
        forms: (TypeForm, TypeForm),
        value: Option<pg_sys::Datum>,
        time: Option<pg_sys::Datum>,
    ) -> Result<Self> {
        let (value_form, time_form) = forms;
        let order = Order::of(time_form.oid)?;
        // SAFETY: the caller's promise.
        unsafe {
            Ok(Self {
                value_form,
                time_form,
                order,
                value: Kept::copy(value, value_form),
                time: Kept::copy(time, time_form),
            })
        }
    }

    /// Takes the row instead when its time is on the wanted side.
    ///
    /// # Safety
    /// As [`Self::new`], and the current memory is the aggregate's.
    unsafe fn offer(
        &mut self,
        wanted: Ordering,
        collation: pg_sys::Oid,
        value: Option<pg_sys::Datum>,
        time: Option<pg_sys::Datum>,
    ) {
        let (Some(new), Some(old)) = (time, self.time.datum) else { return };
        // SAFETY: the caller's promise; what was kept before is freed once and replaced.
        unsafe {
            if self.order.compare(collation, new, old) != wanted {
                return;
            }
            let before = (self.value, self.time);
            self.value = Kept::copy(value, self.value_form);
            self.time = Kept::copy(time, self.time_form);
            before.0.free(self.value_form);
            before.1.free(self.time_form);
        }
    }
}

fn transition(
    wanted: Ordering,
    name: &str,
    mut state: Internal,
    value: Option<AnyElement>,
    time: Option<AnyElement>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    // SAFETY: the server calls with a state of ours and with values of the types that it names.
    unsafe {
        let mut memory = or_raise(aggregate_memory(call, name));
        let Some(time) = time else { return state };
        let (value, time) = (value.map(|v| v.datum()), Some(time.datum()));
        memory.switch_to(|_| {
            match state.get_mut::<Best>() {
                Some(best) => best.offer(wanted, (*call).fncollation, value, time),
                None => {
                    let form = |n| TypeForm::of(pg_sys::get_fn_expr_argtype((*call).flinfo, n));
                    state.insert(or_raise(Best::new((form(1), form(2)), value, time)));
                }
            }
            state
        })
    }
}

fn combine(
    wanted: Ordering,
    name: &str,
    mut state: Internal,
    other: Internal,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    // SAFETY: as in transition; the other state is of ours too, and is copied.
    unsafe {
        let mut memory = or_raise(aggregate_memory(call, name));
        let Some(other) = other.get::<Best>() else { return state };
        memory.switch_to(|_| {
            match state.get_mut::<Best>() {
                Some(best) => best.offer(wanted, (*call).fncollation, other.value.datum, other.time.datum),
                None => {
                    let forms = (other.value_form, other.time_form);
                    state.insert(or_raise(Best::new(forms, other.value.datum, other.time.datum)));
                }
            }
            state
        })
    }
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.first_transition(internal, anyelement, "any") RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.first_transition(internal, anyelement, "any") IS 'Part of the aggregate first. Not to be called';
"#)]
fn first_transition(
    state: Internal,
    value: Option<AnyElement>,
    time: Option<AnyElement>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    transition(Ordering::Less, "first", state, value, time, call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.last_transition(internal, anyelement, "any") RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.last_transition(internal, anyelement, "any") IS 'Part of the aggregate last. Not to be called';
"#)]
fn last_transition(
    state: Internal,
    value: Option<AnyElement>,
    time: Option<AnyElement>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    transition(Ordering::Greater, "last", state, value, time, call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.first_combine(internal, internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.first_combine(internal, internal) IS 'Part of the aggregate first. Not to be called';
"#)]
fn first_combine(state: Internal, other: Internal, call: pg_sys::FunctionCallInfo) -> Internal {
    combine(Ordering::Less, "first", state, other, call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.last_combine(internal, internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.last_combine(internal, internal) IS 'Part of the aggregate last. Not to be called';
"#)]
fn last_combine(state: Internal, other: Internal, call: pg_sys::FunctionCallInfo) -> Internal {
    combine(Ordering::Greater, "last", state, other, call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.first_last_serialize(internal) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.first_last_serialize(internal) IS 'Part of the aggregates first and last. Not to be called';
"#)]
fn first_last_serialize(state: Internal) -> Vec<u8> {
    let mut message = Vec::new();
    // SAFETY: the server calls with a state of ours.
    unsafe {
        let Some(best) = state.get::<Best>() else { return message };
        for (kept, form) in [(best.value, best.value_form), (best.time, best.time_form)] {
            message.extend_from_slice(&u64::from(form.oid.to_u32()).to_ne_bytes());
            kept.write(form, &mut message);
        }
    }
    message
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.first_last_deserialize(bytea, internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.first_last_deserialize(bytea, internal) IS 'Part of the aggregates first and last. Not to be called';
"#)]
fn first_last_deserialize(message: &[u8], _unused: Internal, call: pg_sys::FunctionCallInfo) -> Internal {
    // SAFETY: refuses to run outside an aggregate, so the message is ours.
    or_raise(unsafe { aggregate_memory(call, "first") });
    let mut rest = message;
    let mut read = || {
        let form = TypeForm::of(pg_sys::Oid::from(take_number(&mut rest)? as u32));
        Some((form, Kept::read(form, &mut rest)?))
    };
    let read = read().zip(read());
    let Some(((value_form, value), (time_form, time))) = read else {
        Error::new(Kind::Internal, "a worker's message about first or last is cut off").raise();
    };
    let order = or_raise(Order::of(time_form.oid));
    Internal::new(Best { value_form, time_form, order, value, time })
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.first_last_final(internal, anyelement, "any") RETURNS anyelement
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.first_last_final(internal, anyelement, "any") IS 'Part of the aggregates first and last. Not to be called';
"#)]
fn first_last_final(
    state: Internal,
    _value: Option<AnyElement>,
    _time: Option<AnyElement>,
    call: pg_sys::FunctionCallInfo,
) -> Option<AnyElement> {
    // SAFETY: the server calls with a state of ours; the value lives as long as the state.
    unsafe {
        or_raise(aggregate_memory(call, "first"));
        let best = state.get::<Best>()?;
        AnyElement::from_polymorphic_datum(best.value.datum?, false, best.value_form.oid)
    }
}

extension_sql!(
    r#"
CREATE AGGREGATE headroom.first(value anyelement, "time" "any") (
    SFUNC = headroom.first_transition, STYPE = internal, COMBINEFUNC = headroom.first_combine,
    SERIALFUNC = headroom.first_last_serialize, DESERIALFUNC = headroom.first_last_deserialize,
    FINALFUNC = headroom.first_last_final, FINALFUNC_EXTRA, PARALLEL = SAFE);
COMMENT ON AGGREGATE headroom.first(anyelement, "any") IS 'The value of the row with the smallest time';
CREATE AGGREGATE headroom.last(value anyelement, "time" "any") (
    SFUNC = headroom.last_transition, STYPE = internal, COMBINEFUNC = headroom.last_combine,
    SERIALFUNC = headroom.first_last_serialize, DESERIALFUNC = headroom.first_last_deserialize,
    FINALFUNC = headroom.first_last_final, FINALFUNC_EXTRA, PARALLEL = SAFE);
COMMENT ON AGGREGATE headroom.last(anyelement, "any") IS 'The value of the row with the largest time';
"#,
    name = "first_last",
    requires = [
        first_transition,
        last_transition,
        first_combine,
        last_combine,
        first_last_serialize,
        first_last_deserialize,
        first_last_final
    ]
);
