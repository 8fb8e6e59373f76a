//! When a history runs out, and the whole forecast as a document.

use pgrx::{AnyElement, Array, JsonB, pg_sys, prelude::*};

use super::{
    answer,
    question::{Arrays, Asked, Options},
};
use crate::server::error::{Error, Kind, or_raise};

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.exhaustion(at timestamptz[], used double precision[], limits double precision[] DEFAULT NULL,
    resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, resource text DEFAULT 'capacity',
    horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL) RETURNS headroom.exhaustion_forecast
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.exhaustion(timestamptz[], double precision[], double precision[], double precision, timestamptz, text, integer, jsonb) IS
'When a history runs out. limits holds the limit at each time; resource_limit replaces the last of them. Nothing after as_of is used; by default it is the time of the last value. Elements that are NULL are left out';
"#, requires = ["exhaustion_forecast"])]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn exhaustion(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
    call: pg_sys::FunctionCallInfo,
) -> AnyElement {
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let asked = or_raise(Asked::new(Arrays { at, used, limits }, options));
    // SAFETY: the SQL above says what it returns.
    or_raise(unsafe { answer::row(&asked.forecast(), asked.as_of.is_some(), call) })
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.forecast_document(at timestamptz[], used double precision[], limits double precision[] DEFAULT NULL,
    resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, resource text DEFAULT 'capacity',
    horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.forecast_document(timestamptz[], double precision[], double precision[], double precision, timestamptz, text, integer, jsonb) IS
'The whole forecast of a history as one document: state, dates, distribution of the date (passage), quantiles of the value (fan), what moves the date (why). Arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn forecast_document(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
) -> JsonB {
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let asked = or_raise(Asked::new(Arrays { at, used, limits }, options));
    let document = serde_json::to_value(asked.forecast());
    JsonB(or_raise(document.map_err(|error| {
        Error::new(Kind::Internal, format!("a forecast cannot be written as JSON: {error}"))
    })))
}
