//! The same question with more capacity or another growth.

use headroom_core::forecast::{Forecast, State};
use pgrx::{Array, JsonB, iter::TableIterator, prelude::*};

use super::{
    answer, instant,
    question::{Arrays, Asked, Options},
};
use crate::server::error::{Error, Kind, Result, or_raise};

/// No growth is scaled by more than this.
const GROWTH_MAX: f64 = 1_000.0;

/// Core's answer with so much added to the limit and growth scaled by a factor.
///
/// A value that grows `growth` times as fast reaches a limit when the value as it is gains the `growth`-th part of what
/// is free. So the model is asked about a nearer or farther limit, and its values are scaled back about the last one.
fn answer_with(asked: &Asked, added: f64, growth: f64) -> Result<Forecast> {
    if !added.is_finite() {
        return Err(Error::new(Kind::InvalidArgument, format!("added must be a number, not {added}")));
    }
    if !(growth > 0.0 && growth <= GROWTH_MAX) {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("growth must be a factor above 0 and up to {GROWTH_MAX}, not {growth}"),
        ));
    }
    let as_is = asked.forecast();
    let (Some(last), Some(limit)) = (as_is.last_used, as_is.limit) else { return Ok(as_is) };
    let wanted = limit + added;
    if !(wanted > 0.0 && wanted.is_finite()) {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("with {added:e} added, a limit of {wanted:e} would be left"),
        )
        .hint("Take away less than there is."));
    }
    let asked_about = if wanted > last { last + (wanted - last) / growth } else { wanted };
    let mut answer = asked.forecast_against(Some(asked_about).filter(|l| l.is_finite()));
    answer.limit = Some(wanted);
    for point in &mut answer.fan {
        for value in [&mut point.p10, &mut point.p50, &mut point.p90] {
            *value = (last + growth * (*value - last)).max(0.0);
        }
    }
    Ok(answer)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.what_if(at timestamptz[], used double precision[], added double precision DEFAULT 0,
    growth double precision DEFAULT 1, limits double precision[] DEFAULT NULL,
    resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, resource text DEFAULT 'capacity',
    horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL)
    RETURNS TABLE (variant text, state text, p10 timestamptz, p50 timestamptz, p90 timestamptz,
        probability double precision, resource_limit double precision)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 200000 ROWS 2 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.what_if(timestamptz[], double precision[], double precision, double precision, double precision[], double precision, timestamptz, text, integer, jsonb) IS
'When a history runs out as it is, and with so much added to its limit (negative: taken away) or with its growth multiplied by a factor: two rows, as_is and what_if. Other arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
#[expect(clippy::type_complexity, reason = "the columns that the SQL function returns")]
fn what_if(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    added: Option<f64>,
    growth: Option<f64>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(variant, &'static str),
        name!(state, &'static str),
        name!(p10, Option<i64>),
        name!(p50, Option<i64>),
        name!(p90, Option<i64>),
        name!(probability, Option<f64>),
        name!(resource_limit, Option<f64>),
    ),
> {
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let asked = or_raise(Asked::new(Arrays { at, used, limits }, options));
    let changed = or_raise(answer_with(&asked, added.unwrap_or(0.0), growth.unwrap_or(1.0)));
    let rows = [("as_is", asked.forecast()), ("what_if", changed)].map(|(variant, f)| {
        let date =
            |date: Option<jiff::Timestamp>| date.filter(|_| f.state == State::Dated).map(instant::to_server);
        let dates = (date(f.p10), date(f.p50), date(f.p90));
        (variant, f.state.as_str(), dates.0, dates.1, dates.2, answer::probability(&f), f.limit)
    });
    TableIterator::new(rows)
}
