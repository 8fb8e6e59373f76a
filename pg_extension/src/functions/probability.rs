//! The probability of exhaustion by a deadline, and the time that is left.

use headroom_core::forecast::{Forecast, Passage, State};
use jiff::Timestamp;
use pgrx::{Array, JsonB, datum::Interval, prelude::*};

use super::{
    bucket::DAY,
    instant,
    question::{Arrays, Asked, Options, ratio},
};
use crate::server::error::{Error, Kind, Result, or_raise};

/// The deadline of a call: an argument that must be there.
fn deadline_of(deadline: Option<i64>) -> Result<Timestamp> {
    let deadline =
        deadline.ok_or_else(|| Error::new(Kind::InvalidArgument, "deadline must be a moment, not NULL"))?;
    instant::of_argument(deadline, "deadline")
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.p_exhaust_by(at timestamptz[], used double precision[], deadline timestamptz,
    limits double precision[] DEFAULT NULL, resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL,
    resource text DEFAULT 'capacity', horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL)
    RETURNS double precision
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.p_exhaust_by(timestamptz[], double precision[], timestamptz, double precision[], double precision, timestamptz, text, integer, jsonb) IS
'Probability that a history has reached its limit by a deadline; NULL beyond the horizon and where there is no ground for one. Other arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn p_exhaust_by(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    deadline: Option<i64>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
) -> Option<f64> {
    let deadline = or_raise(deadline_of(deadline));
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let answer = or_raise(Asked::new(Arrays { at, used, limits }, options)).forecast();
    probability_by(&answer, deadline)
}

fn probability_by(answer: &Forecast, deadline: Timestamp) -> Option<f64> {
    if answer.state == State::AlreadyExhausted {
        return Some(1.0);
    }
    answer.passage.probability_by(deadline)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.probability_by(passage jsonb, deadline timestamptz) RETURNS double precision
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.probability_by(jsonb, timestamptz) IS
'Probability by a deadline, from the distribution of a date as forecast_document has it under passage: [{at, probability}]. NULL beyond its last point';
"#)]
fn passage_probability_by(passage: Option<JsonB>, deadline: Option<i64>) -> Option<f64> {
    let deadline = or_raise(deadline_of(deadline));
    or_raise(passage_of(passage?)).probability_by(deadline)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.date_of_probability(passage jsonb, probability double precision, p10 timestamptz DEFAULT NULL,
    p50 timestamptz DEFAULT NULL, p90 timestamptz DEFAULT NULL) RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.date_of_probability(jsonb, double precision, timestamptz, timestamptz, timestamptz) IS
'Date by which the limit is reached with this probability, from the distribution of a date as forecast_document has it under passage, and from the dates that it names. NULL where the horizon ends before';
"#)]
fn passage_date_of(
    passage: Option<JsonB>,
    probability: Option<f64>,
    p10: Option<i64>,
    p50: Option<i64>,
    p90: Option<i64>,
) -> Option<i64> {
    let probability = probability?;
    // With certainty, of which a confidence of next to nothing asks, is a question too.
    let probability = if probability == 1.0 { 1.0 } else { or_raise(ratio(probability, "probability")) };
    let named = [p10, p50, p90].map(|date| date.map(|date| or_raise(instant::of_argument(date, "a date"))));
    date_of(&or_raise(passage_of(passage?)), named, probability).map(instant::to_server)
}

fn passage_of(JsonB(document): JsonB) -> Result<Passage> {
    let passage: Passage = serde_json::from_value(document).map_err(|error| {
        Error::new(Kind::InvalidArgument, "passage is no distribution of a date")
            .detail(error.to_string())
            .hint("Give what headroom.forecast_document returns under passage.")
    })?;
    let points = &passage.0;
    if !points.is_sorted_by(|a, b| a.at <= b.at && a.probability <= b.probability)
        || points.iter().any(|point| !(0.0..=1.0).contains(&point.probability))
    {
        return Err(Error::new(Kind::InvalidArgument, "passage is no distribution of a date")
            .detail("Times and probabilities must rise, and probabilities lie between 0 and 1."));
    }
    Ok(passage)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_left(at timestamptz[], used double precision[], confidence double precision DEFAULT 0.9,
    limits double precision[] DEFAULT NULL, resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL,
    resource text DEFAULT 'capacity', horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL) RETURNS interval
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_left(timestamptz[], double precision[], double precision, double precision[], double precision, timestamptz, text, integer, jsonb) IS
'Time from as_of until a history reaches its limit that is left with this probability: 0.9 until P10. NULL where there is no date, 0 where the limit is reached already. Other arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn time_left(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    confidence: Option<f64>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
) -> Option<Interval> {
    let confidence = or_raise(ratio(confidence.unwrap_or(0.9), "confidence"));
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let answer = or_raise(Asked::new(Arrays { at, used, limits }, options)).forecast();
    if answer.state == State::AlreadyExhausted {
        return Some(or_raise(interval(0)));
    }
    if answer.state != State::Dated {
        return None;
    }
    let date = date_of(&answer.passage, [answer.p10, answer.p50, answer.p90], 1.0 - confidence)?;
    let date = date.max(answer.as_of);
    Some(or_raise(interval(instant::to_server(date) - instant::to_server(answer.as_of))))
}

/// The date of this probability: of the three that a forecast names, the one that it names; else from the distribution,
/// whose points are far apart, but never on the wrong side of a named one.
fn date_of(passage: &Passage, named: [Option<Timestamp>; 3], probability: f64) -> Option<Timestamp> {
    const SAME: f64 = 1e-9; // 1 − 0.9 is not quite 0.1
    let named = [0.1, 0.5, 0.9].into_iter().zip(named);
    let mut date = passage.date_of(probability);
    for (at, named) in named {
        if (probability - at).abs() < SAME && named.is_some() {
            return named;
        }
        date = match named {
            Some(named) if probability > at => date.map(|date| date.max(named)),
            Some(named) => date.or(Some(named)).map(|date| date.min(named)),
            None => date,
        };
    }
    date
}

/// An interval of days and microseconds, as the difference of two moments is.
fn interval(micros: i64) -> Result<Interval> {
    let days = i32::try_from(micros / DAY).unwrap_or(i32::MAX);
    Interval::new(0, days, micros % DAY)
        .map_err(|_| Error::new(Kind::MomentOutOfRange, "the time that is left is too long for an interval"))
}
