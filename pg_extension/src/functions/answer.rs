//! A forecast as a row of `headroom.exhaustion_forecast`.

use headroom_core::forecast::{Forecast, State};
use pgrx::{AnyElement, FromDatum as _, IntoDatum as _, pg_sys, prelude::*};

use super::instant;
use crate::server::error::{Error, Kind, Result};

extension_sql!(
    r#"
CREATE TYPE headroom.exhaustion_forecast AS (
    state text, reason text, p10 timestamptz, p50 timestamptz, p90 timestamptz, probability double precision,
    last_used double precision, resource_limit double precision, data_from timestamptz, data_until timestamptz,
    samples bigint, set_aside bigint, model text, as_of timestamptz);
COMMENT ON TYPE headroom.exhaustion_forecast IS 'When something runs out. Only the state dated has dates; p50 and p90 are NULL where they lie beyond the horizon';
COMMENT ON COLUMN headroom.exhaustion_forecast.state IS 'dated, beyond_horizon, flat_or_shrinking, too_noisy, too_short, stale, already_exhausted or unknown_limit';
COMMENT ON COLUMN headroom.exhaustion_forecast.reason IS 'Why, in a sentence';
COMMENT ON COLUMN headroom.exhaustion_forecast.p10 IS 'Exhausted before this date with a probability of 10 %';
COMMENT ON COLUMN headroom.exhaustion_forecast.p50 IS 'Median date';
COMMENT ON COLUMN headroom.exhaustion_forecast.p90 IS 'Exhausted before this date with a probability of 90 %';
COMMENT ON COLUMN headroom.exhaustion_forecast.probability IS 'Probability of exhaustion within the horizon; NULL where there is no ground for one';
COMMENT ON COLUMN headroom.exhaustion_forecast.last_used IS 'Last value used';
COMMENT ON COLUMN headroom.exhaustion_forecast.resource_limit IS 'The limit that is run into';
COMMENT ON COLUMN headroom.exhaustion_forecast.data_from IS 'First value used';
COMMENT ON COLUMN headroom.exhaustion_forecast.data_until IS 'Last value used';
COMMENT ON COLUMN headroom.exhaustion_forecast.samples IS 'Number of values used';
COMMENT ON COLUMN headroom.exhaustion_forecast.set_aside IS 'Number of values that are not believable: negative, not a number, infinite';
COMMENT ON COLUMN headroom.exhaustion_forecast.model IS 'Name and version of the model and its constants';
COMMENT ON COLUMN headroom.exhaustion_forecast.as_of IS 'The moment of asking';
"#,
    name = "exhaustion_forecast"
);

/// Probability of exhaustion within the horizon.
pub(super) fn probability(answer: &Forecast) -> Option<f64> {
    match answer.state {
        State::AlreadyExhausted => Some(1.0),
        _ => answer.passage.0.last().map(|point| point.probability),
    }
}

/// The forecast as the row that this call returns; `asked_at` is null where nothing says when it was asked.
///
/// # Safety
/// `call` is the call of a function that returns `headroom.exhaustion_forecast`.
pub(super) unsafe fn row(
    answer: &Forecast,
    asked_at: bool,
    call: pg_sys::FunctionCallInfo,
) -> Result<AnyElement> {
    let at = |at: Option<jiff::Timestamp>| at.map(instant::to_server).and_then(|at| at.into_datum());
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX).into_datum();
    let values = [
        answer.state.as_str().into_datum(),
        answer.reason.sentence.as_str().into_datum(),
        at(answer.p10),
        at(answer.p50),
        at(answer.p90),
        probability(answer).into_datum(),
        answer.last_used.into_datum(),
        answer.limit.into_datum(),
        at(answer.data_from),
        at(answer.data_until),
        count(answer.samples),
        count(answer.set_aside),
        answer.model.as_str().into_datum(),
        at(asked_at.then_some(answer.as_of)),
    ];
    let mut datums = values.map(|value| value.unwrap_or(pg_sys::Datum::from(0)));
    let mut nulls = values.map(|value| value.is_none());
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the caller's promise; as many values are given as the row has, of their types.
    unsafe {
        let class = pg_sys::get_call_result_type(call, std::ptr::null_mut(), &raw mut descriptor);
        if class != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE || (*descriptor).natts as usize != datums.len()
        {
            return Err(Error::new(
                Kind::NotReady,
                "type headroom.exhaustion_forecast is of another version",
            )
            .hint("ALTER EXTENSION headroom UPDATE;"));
        }
        let descriptor = pg_sys::BlessTupleDesc(descriptor);
        let tuple = pg_sys::heap_form_tuple(descriptor, datums.as_mut_ptr(), nulls.as_mut_ptr());
        let datum = pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data);
        AnyElement::from_polymorphic_datum(datum, false, (*descriptor).tdtypeid)
            .ok_or_else(|| Error::new(Kind::Internal, "a row of a forecast is null"))
    }
}
