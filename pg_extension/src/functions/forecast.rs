//! The fan of a history over time, in the form that Grafana draws.

use pgrx::{Array, JsonB, iter::TableIterator, prelude::*};

use super::{
    instant,
    question::{Arrays, Asked, Options},
};
use crate::server::error::or_raise;

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.forecast(at timestamptz[], used double precision[], limits double precision[] DEFAULT NULL,
    resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, resource text DEFAULT 'capacity',
    horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL)
    RETURNS TABLE ("time" timestamptz, p10 double precision, p50 double precision, p90 double precision,
        probability double precision)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 ROWS 36 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.forecast(timestamptz[], double precision[], double precision[], double precision, timestamptz, text, integer, jsonb) IS
'Quantiles of the future values of a history, and the probability that its limit has been reached by then; no row where there is no ground for them. The column time suits Grafana. Arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn forecast(
    at: Option<Array<'_, i64>>,
    used: Option<Array<'_, f64>>,
    limits: Option<Array<'_, f64>>,
    resource_limit: Option<f64>,
    as_of: Option<i64>,
    resource: Option<&str>,
    horizon_days: Option<i32>,
    prior: Option<JsonB>,
) -> TableIterator<
    'static,
    (name!(time, i64), name!(p10, f64), name!(p50, f64), name!(p90, f64), name!(probability, Option<f64>)),
> {
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let answer = or_raise(Asked::new(Arrays { at, used, limits }, options)).forecast();
    let passage = answer.passage;
    TableIterator::new(answer.fan.into_iter().map(move |point| {
        let probability = passage.probability_by(point.at);
        (instant::to_server(point.at), point.p10, point.p50, point.p90, probability)
    }))
}
