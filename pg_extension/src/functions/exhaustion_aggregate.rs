//! The aggregate `exhaustion`: dates exhaustion on anybody's table of (time, value), in parallel.

use headroom_core::{
    forecast::{Observation, Prior},
    unit::Resource,
};
use pgrx::{AnyElement, Internal, pg_sys, prelude::*};

use super::{
    answer,
    daily::{Daily, Value},
    instant,
    kept::{aggregate_memory, take_number},
    question::{self, Asked},
};
use crate::server::error::{Error, Kind, Result, or_raise};

const NAME: &str = "exhaustion";

/// What is asked, the same in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    /// Microseconds since 2000-01-01; `None` asks at the last value.
    as_of: Option<i64>,
    resource: Resource,
    horizon_days: u16,
}

impl Options {
    fn of(as_of: Option<i64>, resource: Option<&str>, horizon_days: Option<i32>) -> Result<Self> {
        if let Some(as_of) = as_of {
            instant::of_argument(as_of, "as_of")?;
        }
        Ok(Self {
            as_of,
            resource: question::resource(resource)?,
            horizon_days: question::horizon_days(horizon_days)?,
        })
    }
}

/// The state: the question and the history so far.
#[derive(Debug, Clone)]
struct State {
    options: Options,
    daily: Daily,
}

fn transition(
    mut state: Internal,
    at: Option<i64>,
    used: Option<f64>,
    limit: Option<f64>,
    options: impl FnOnce() -> Result<Options>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    // SAFETY: the server calls with a state of ours.
    unsafe {
        let mut memory = or_raise(aggregate_memory(call, NAME));
        let options = or_raise(options());
        let kept = match state.get_mut::<State>() {
            Some(kept) => {
                or_raise(same(kept.options, options));
                kept
            }
            None => memory.switch_to(|_| state.insert(State { options, daily: Daily::default() })),
        };
        if let (Some(at), Some(used)) = (at, used) {
            kept.daily.take(Value { at, used, limit: limit.unwrap_or(f64::NAN) }, options.as_of);
        }
    }
    state
}

fn same(a: Options, b: Options) -> Result<()> {
    if a == b {
        return Ok(());
    }
    Err(Error::new(
        Kind::InvalidArgument,
        "as_of, resource and horizon_days must be the same in every row of a group",
    )
    .hint("Give constants, or GROUP BY what they depend on."))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
fn exhaustion_transition(
    state: Internal,
    at: Option<i64>,
    used: Option<f64>,
    limit: Option<f64>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    transition(state, at, used, limit, || Options::of(None, None, None), call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision, timestamptz) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision, timestamptz) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
fn exhaustion_transition_as_of(
    state: Internal,
    at: Option<i64>,
    used: Option<f64>,
    limit: Option<f64>,
    as_of: Option<i64>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    transition(state, at, used, limit, || Options::of(as_of, None, None), call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision, timestamptz, text, integer) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_transition(internal, timestamptz, double precision, double precision, timestamptz, text, integer) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the aggregate has")]
fn exhaustion_transition_resource(
    state: Internal,
    at: Option<i64>,
    used: Option<f64>,
    limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    call: pg_sys::FunctionCallInfo,
) -> Internal {
    transition(state, at, used, limit, || Options::of(as_of, resource, horizon_days), call)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_combine(internal, internal) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_combine(internal, internal) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
fn exhaustion_combine(mut state: Internal, other: Internal, call: pg_sys::FunctionCallInfo) -> Internal {
    // SAFETY: the server calls with states of ours; the other one is copied.
    unsafe {
        let mut memory = or_raise(aggregate_memory(call, NAME));
        let Some(other) = other.get::<State>() else { return state };
        match state.get_mut::<State>() {
            Some(kept) => {
                or_raise(same(kept.options, other.options));
                kept.daily.merge(&other.daily, kept.options.as_of);
            }
            None => {
                memory.switch_to(|_| {
                    state.insert(other.clone());
                });
            }
        }
    }
    state
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_serialize(internal) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_serialize(internal) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
fn exhaustion_serialize(state: Internal) -> Vec<u8> {
    let mut message = Vec::new();
    // SAFETY: the server calls with a state of ours.
    if let Some(state) = unsafe { state.get::<State>() } {
        let Options { as_of, resource, horizon_days } = state.options;
        let resource = Resource::ALL.iter().position(|r| *r == resource).unwrap_or_default() as u64;
        let as_of = [u64::from(as_of.is_some()), as_of.unwrap_or_default() as u64];
        for number in as_of.into_iter().chain([resource, u64::from(horizon_days)]) {
            message.extend_from_slice(&number.to_ne_bytes());
        }
        state.daily.write(&mut message);
    }
    message
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_deserialize(bytea, internal) RETURNS internal
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_deserialize(bytea, internal) IS 'Part of the aggregate exhaustion. Not to be called';
"#)]
fn exhaustion_deserialize(message: &[u8], _unused: Internal, call: pg_sys::FunctionCallInfo) -> Internal {
    // SAFETY: refuses to run outside an aggregate.
    or_raise(unsafe { aggregate_memory(call, NAME) });
    let Some(state) = read(message) else {
        Error::new(Kind::Internal, "a worker's message about exhaustion is cut off").raise();
    };
    Internal::new(state)
}

fn read(mut message: &[u8]) -> Option<State> {
    let mut number = || take_number(&mut message);
    let (has_as_of, as_of, resource, horizon_days) = (number()?, number()?, number()?, number()?);
    let options = Options {
        as_of: (has_as_of == 1).then_some(as_of as i64),
        resource: *Resource::ALL.get(usize::try_from(resource).ok()?)?,
        horizon_days: u16::try_from(horizon_days).ok()?,
    };
    Some(State { options, daily: Daily::read(&mut message)? })
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion_final(internal) RETURNS headroom.exhaustion_forecast
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion_final(internal) IS 'Part of the aggregate exhaustion. Not to be called';
"#, requires = ["exhaustion_forecast"])]
fn exhaustion_final(state: Internal, call: pg_sys::FunctionCallInfo) -> AnyElement {
    // SAFETY: the server calls with a state of ours; the SQL above says what it returns.
    unsafe {
        or_raise(aggregate_memory(call, NAME));
        let none = State { options: or_raise(Options::of(None, None, None)), daily: Daily::default() };
        let asked = asked(state.get::<State>().unwrap_or(&none));
        or_raise(answer::row(&with_counts(&asked, state.get::<State>()), asked.as_of.is_some(), call))
    }
}

fn asked(state: &State) -> Asked {
    let observations: Vec<Observation> = state
        .daily
        .values()
        .iter()
        .filter_map(|value| {
            let limit = Some(value.limit).filter(|limit| !limit.is_nan());
            Some(Observation { at: instant::from_server(value.at)?, used: value.used, limit })
        })
        .collect();
    let last = observations.last().map(|o| o.at);
    Asked {
        as_of: state.options.as_of.and_then(instant::from_server).or(last),
        set_aside: state.daily.set_aside,
        limit: None,
        resource: state.options.resource,
        horizon_days: state.options.horizon_days,
        prior: Prior::builtin(),
        observations,
    }
}

/// Core's answer with the number of rows instead of the number of days.
fn with_counts(asked: &Asked, state: Option<&State>) -> headroom_core::forecast::Forecast {
    let mut answer = asked.forecast();
    answer.samples = state.map_or(0, |state| state.daily.samples);
    answer
}

extension_sql!(
    r#"
CREATE AGGREGATE headroom.exhaustion(at timestamptz, used double precision, resource_limit double precision) (
    SFUNC = headroom.exhaustion_transition, STYPE = internal, SSPACE = 12000, COMBINEFUNC = headroom.exhaustion_combine,
    SERIALFUNC = headroom.exhaustion_serialize, DESERIALFUNC = headroom.exhaustion_deserialize,
    FINALFUNC = headroom.exhaustion_final, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE);
COMMENT ON AGGREGATE headroom.exhaustion(timestamptz, double precision, double precision) IS
'When the rows'' value reaches its limit, asked at the time of the last row. Keeps the last value of each UTC day, of about four years. resource_limit is the limit at the time of the row; the last one counts. Rows without time or value are left out';
CREATE AGGREGATE headroom.exhaustion(at timestamptz, used double precision, resource_limit double precision,
    as_of timestamptz) (
    SFUNC = headroom.exhaustion_transition, STYPE = internal, SSPACE = 12000, COMBINEFUNC = headroom.exhaustion_combine,
    SERIALFUNC = headroom.exhaustion_serialize, DESERIALFUNC = headroom.exhaustion_deserialize,
    FINALFUNC = headroom.exhaustion_final, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE);
COMMENT ON AGGREGATE headroom.exhaustion(timestamptz, double precision, double precision, timestamptz) IS
'When the rows'' value reaches its limit, asked at as_of, the same in every row: later rows are not looked at, days are counted back from it';
CREATE AGGREGATE headroom.exhaustion(at timestamptz, used double precision, resource_limit double precision,
    as_of timestamptz, resource text, horizon_days integer) (
    SFUNC = headroom.exhaustion_transition, STYPE = internal, SSPACE = 12000, COMBINEFUNC = headroom.exhaustion_combine,
    SERIALFUNC = headroom.exhaustion_serialize, DESERIALFUNC = headroom.exhaustion_deserialize,
    FINALFUNC = headroom.exhaustion_final, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE);
COMMENT ON AGGREGATE headroom.exhaustion(timestamptz, double precision, double precision, timestamptz, text, integer) IS
'When the rows'' value reaches its limit, asked at as_of, of a resource (capacity, load, endurance, inodes, thin_metadata), within a horizon of 1 to 1096 days';
"#,
    name = "exhaustion_aggregate",
    requires = [
        exhaustion_transition,
        exhaustion_transition_as_of,
        exhaustion_transition_resource,
        exhaustion_combine,
        exhaustion_serialize,
        exhaustion_deserialize,
        exhaustion_final
    ]
);
