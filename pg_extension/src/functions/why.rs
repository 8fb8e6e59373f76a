//! What moves the date.

use pgrx::{Array, JsonB, iter::TableIterator, prelude::*};

use super::{
    instant,
    question::{Arrays, Asked, Options},
};
use crate::server::error::or_raise;

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.why(at timestamptz[], used double precision[], limits double precision[] DEFAULT NULL,
    resource_limit double precision DEFAULT NULL, as_of timestamptz DEFAULT NULL, resource text DEFAULT 'capacity',
    horizon_days integer DEFAULT 1096, prior jsonb DEFAULT NULL)
    RETURNS TABLE (ord integer, kind text, happened_at timestamptz, amount double precision, sentence text)
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5 AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.why(timestamptz[], double precision[], double precision[], double precision, timestamptz, text, integer, jsonb) IS
'What moves the date of a history, the most important first: trend, steps, expansions, clean-ups, bursts, gaps, with their size and date where they have one. Arguments as those of exhaustion';
"#)]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
#[expect(clippy::type_complexity, reason = "the columns that the SQL function returns")]
fn why(
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
    (
        name!(ord, i32),
        name!(kind, String),
        name!(happened_at, Option<i64>),
        name!(amount, Option<f64>),
        name!(sentence, String),
    ),
> {
    let options = Options { resource_limit, as_of, resource, horizon_days, prior };
    let answer = or_raise(Asked::new(Arrays { at, used, limits }, options)).forecast();
    TableIterator::new(answer.why.into_iter().zip(1..).map(|(factor, ord)| {
        (ord, factor.kind, factor.at.map(instant::to_server), factor.amount, factor.sentence)
    }))
}
