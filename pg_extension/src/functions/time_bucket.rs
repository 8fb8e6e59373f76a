//! `time_bucket`: the start of the bucket that a time lies in. Names and meaning as TimescaleDB's.

use pgrx::{datum::Interval, fcinfo::direct_function_call, pg_sys, prelude::*};

use super::bucket::{self, DAY, ORIGIN, Width};
use crate::server::error::{Error, Kind, Result, or_raise};

/// The length that an interval means: months, or a fixed number of microseconds with days of 24 hours.
fn width_of(interval: &Interval) -> Result<Width> {
    let refuse = |why: &str| Err(Error::new(Kind::InvalidArgument, format!("bucket_width {why}")));
    let (months, days, micros) = (interval.months(), interval.days(), interval.micros());
    let fixed = i64::from(days).checked_mul(DAY).and_then(|days| days.checked_add(micros));
    match (months, fixed) {
        (0, Some(fixed)) if fixed > 0 => Ok(Width::Fixed(fixed)),
        (1.., Some(0)) => Ok(Width::Months(months)),
        (0, Some(_)) | (..=-1, Some(0)) => {
            refuse("must be greater than 0").map_err(|e: Error| e.hint("Give an interval such as '1 day'."))
        }
        (_, None) => refuse("is too long"),
        _ => refuse("cannot mix months with days or hours").map_err(|e: Error| {
            e.detail("Months differ in length.").hint("Give whole months, or days and hours alone.")
        }),
    }
}

/// The microseconds of an interval that has no months.
fn shift_of(offset: &Interval) -> Result<i64> {
    let fixed = i64::from(offset.days()).checked_mul(DAY).and_then(|days| days.checked_add(offset.micros()));
    match (offset.months(), fixed) {
        (0, Some(shift)) => Ok(shift),
        (0, None) => Err(Error::new(Kind::InvalidArgument, "\"offset\" is too long")),
        _ => Err(Error::new(Kind::InvalidArgument, "\"offset\" cannot have months")
            .detail("Months differ in length.")
            .hint("Give an origin instead.")),
    }
}

fn is_finite(at: i64) -> bool {
    at != i64::MIN && at != i64::MAX
}

/// The bucket of a moment, shifted. An infinite moment is a bucket of its own.
fn of_moment(width: &Interval, at: i64, origin: i64, shift: i64) -> Result<i64> {
    let width = width_of(width)?;
    if !is_finite(at) {
        return Ok(at);
    }
    if !is_finite(origin) {
        return Err(Error::new(Kind::InvalidArgument, "origin must be a moment, not infinity"));
    }
    let unshifted = at.checked_sub(shift).and_then(|at| bucket::start(width, at, origin));
    let shifted = unshifted.and_then(|start| start.checked_add(shift));
    shifted.ok_or_else(|| {
        Error::new(Kind::MomentOutOfRange, "the bucket begins before the server's first moment")
    })
}

/// The bucket of a day, as a day. The server's days are counted from 2000-01-01; the extremes mean infinity.
fn of_day(width: &Interval, day: i32, origin: i64, shift: i64) -> Result<i32> {
    width_of(width)?;
    if day == i32::MIN || day == i32::MAX {
        return Ok(day);
    }
    let at = i64::from(day).checked_mul(DAY);
    let at = at.ok_or_else(|| {
        Error::new(Kind::MomentOutOfRange, "the date is beyond the last moment of the server")
    })?;
    Ok(of_moment(width, at, origin, shift)?.div_euclid(DAY) as i32)
}

/// The bucket of a whole number.
fn of_number(width: i64, value: i64, offset: i64) -> Result<i64> {
    if width <= 0 {
        return Err(Error::new(Kind::InvalidArgument, "bucket_width must be greater than 0"));
    }
    bucket::start_of_number(width, value, offset).ok_or_else(below)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamptz) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamptz) IS
'Start of the bucket that ts lies in, in UTC. Buckets of days and hours are counted from Monday, 2000-01-03; buckets of months begin on the first of a month';
"#)]
fn time_bucket_timestamptz(width: Interval, at: i64) -> i64 {
    or_raise(of_moment(&width, at, ORIGIN, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamptz, origin timestamptz) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamptz, timestamptz) IS
'Start of the bucket that ts lies in, buckets being counted from origin. Of buckets of months the origin''s month counts alone';
"#)]
fn time_bucket_timestamptz_origin(width: Interval, at: i64, origin: i64) -> i64 {
    or_raise(of_moment(&width, at, origin, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamptz, "offset" interval) RETURNS timestamptz
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamptz, interval) IS
'Start of the bucket that ts lies in, all buckets being shifted by offset, whose days have 24 hours';
"#)]
fn time_bucket_timestamptz_offset(width: Interval, at: i64, offset: Interval) -> i64 {
    or_raise(shift_of(&offset).and_then(|shift| of_moment(&width, at, ORIGIN, shift)))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamptz, timezone text,
    origin timestamptz DEFAULT NULL, "offset" interval DEFAULT NULL) RETURNS timestamptz
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamptz, text, timestamptz, interval) IS
'Start of the bucket that ts lies in by the clocks of a time zone, so that a day has 23 or 25 hours where they change. NULL where width, ts or timezone is NULL';
"#)]
fn time_bucket_timezone(
    width: Option<Interval>,
    at: Option<i64>,
    timezone: Option<&str>,
    origin: Option<i64>,
    offset: Option<Interval>,
) -> Option<i64> {
    let (width, at, timezone) = (width?, at?, timezone?);
    if !is_finite(at) {
        or_raise(width_of(&width));
        return Some(at);
    }
    let shift = offset.as_ref().map_or(0, |offset| or_raise(shift_of(offset)));
    // SAFETY: the server's own conversions, called with values of their types; they raise an error for what is no
    // time zone.
    let convert = |convert: unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum, at: i64| unsafe {
        direct_function_call::<i64>(convert, &[timezone.into_datum(), at.into_datum()])
    };
    let local = convert(pg_sys::timestamptz_zone, at)?;
    let origin = match origin {
        Some(origin) if is_finite(origin) => convert(pg_sys::timestamptz_zone, origin)?,
        Some(origin) => origin,
        None => ORIGIN,
    };
    let start = or_raise(of_moment(&width, local, origin, shift));
    convert(pg_sys::timestamp_zone, start)
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamp) RETURNS timestamp
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamp) IS
'Start of the bucket that ts lies in, buckets being counted from Monday, 2000-01-03';
"#)]
fn time_bucket_timestamp(width: Interval, at: i64) -> i64 {
    or_raise(of_moment(&width, at, ORIGIN, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamp, origin timestamp) RETURNS timestamp
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamp, timestamp) IS
'Start of the bucket that ts lies in, buckets being counted from origin';
"#)]
fn time_bucket_timestamp_origin(width: Interval, at: i64, origin: i64) -> i64 {
    or_raise(of_moment(&width, at, origin, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts timestamp, "offset" interval) RETURNS timestamp
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, timestamp, interval) IS
'Start of the bucket that ts lies in, all buckets being shifted by offset';
"#)]
fn time_bucket_timestamp_offset(width: Interval, at: i64, offset: Interval) -> i64 {
    or_raise(shift_of(&offset).and_then(|shift| of_moment(&width, at, ORIGIN, shift)))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts date) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, date) IS
'First day of the bucket that ts lies in, buckets being counted from Monday, 2000-01-03';
"#)]
fn time_bucket_date(width: Interval, day: i32) -> i32 {
    or_raise(of_day(&width, day, ORIGIN, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts date, origin date) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, date, date) IS
'First day of the bucket that ts lies in, buckets being counted from origin';
"#)]
fn time_bucket_date_origin(width: Interval, day: i32, origin: i32) -> i32 {
    let origin = match origin {
        i32::MIN | i32::MAX => i64::MAX,
        origin => i64::from(origin).saturating_mul(DAY),
    };
    or_raise(of_day(&width, day, origin, 0))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width interval, ts date, "offset" interval) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(interval, date, interval) IS
'First day of the bucket that ts lies in, all buckets being shifted by offset';
"#)]
fn time_bucket_date_offset(width: Interval, day: i32, offset: Interval) -> i32 {
    or_raise(shift_of(&offset).and_then(|shift| of_day(&width, day, ORIGIN, shift)))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width smallint, ts smallint, "offset" smallint DEFAULT 0) RETURNS smallint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(smallint, smallint, smallint) IS
'Start of the bucket that a whole number lies in, buckets being counted from offset';
"#)]
fn time_bucket_smallint(width: i16, value: i16, offset: i16) -> i16 {
    let start = or_raise(of_number(width.into(), value.into(), offset.into()));
    or_raise(i16::try_from(start).map_err(|_| below()))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width integer, ts integer, "offset" integer DEFAULT 0) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(integer, integer, integer) IS
'Start of the bucket that a whole number lies in, buckets being counted from offset';
"#)]
fn time_bucket_integer(width: i32, value: i32, offset: i32) -> i32 {
    let start = or_raise(of_number(width.into(), value.into(), offset.into()));
    or_raise(i32::try_from(start).map_err(|_| below()))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.time_bucket(bucket_width bigint, ts bigint, "offset" bigint DEFAULT 0) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.time_bucket(bigint, bigint, bigint) IS
'Start of the bucket that a whole number lies in, buckets being counted from offset';
"#)]
fn time_bucket_bigint(width: i64, value: i64, offset: i64) -> i64 {
    or_raise(of_number(width, value, offset))
}

fn below() -> Error {
    Error::new(Kind::NumberOutOfRange, "the bucket begins below the smallest number of its type")
}
