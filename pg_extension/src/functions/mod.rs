//! SQL functions that work on anybody's tables and values, without a hypertable.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`bucket`] | the arithmetic of buckets of time |
//! | [`size`] | how much space a hypertable takes, and its blocks |
//! | [`time_bucket`] | `time_bucket` over it |
//! | [`kept`] | a value of any type that an aggregate keeps |
//! | [`first_last`] | the aggregates `first` and `last` |
//! | [`instant`] | moments of the server and moments of core |
//! | [`daily`] | the bounded daily history that the aggregate `exhaustion` keeps |
//! | [`exhaustion_aggregate`] | the aggregate itself: dates exhaustion on anybody's (time, value) table |
//! | [`question`] | the arguments that all functions on a history share, checked |
//! | [`answer`] | a forecast as a row |
//! | [`exhaustion`] | when a history runs out, and the whole forecast as a document |
//! | [`forecast`] | the fan of a history over time |
//! | [`probability`] | the probability of exhaustion by a deadline, and the time that is left |
//! | [`what_if`] | the same question with more capacity or another growth |
//! | [`why`] | what moves the date |

mod answer;
pub(crate) mod bucket;
mod daily;
mod exhaustion;
mod exhaustion_aggregate;
mod first_last;
mod forecast;
mod instant;
mod kept;
mod probability;
mod question;
mod size;
mod time_bucket;
mod what_if;
mod why;

pgrx::extension_sql!(
    r#"
GRANT USAGE ON SCHEMA headroom TO PUBLIC;
COMMENT ON SCHEMA headroom IS 'Hypertables with sealed blocks, time-series functions and forecasts of exhaustion';
"#,
    name = "schema_usage"
);
