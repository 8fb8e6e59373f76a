//! Making, changing and deleting jobs. Names and meaning as TimescaleDB's, where the thing is the same.

use pgrx::{JsonB, datum::Interval, pg_sys, prelude::*};

use super::tables::{job, value, write};
use crate::{
    hypertable::catalogue,
    server::{
        error::{Error, Kind, Result, given, or_raise},
        identity, relation,
    },
};

fn positive(interval: Option<&Interval>, name: &str) -> Result<()> {
    match interval {
        Some(interval) if interval.as_micros() <= 0 => {
            Err(Error::new(Kind::InvalidArgument, format!("{name} must be greater than 0"))
                .hint("Give an interval such as '1 hour'."))
        }
        _ => Ok(()),
    }
}

/// What both policies on a hypertable are given, as SQL gives it.
struct Policy {
    kind: &'static str,
    relation: Option<pg_sys::Oid>,
    /// The name of the argument that says how old rows become, and what it says.
    age: (&'static str, Option<Interval>),
    if_not_exists: Option<bool>,
    schedule_interval: Option<Interval>,
    initial_start: Option<TimestampWithTimeZone>,
}

fn add(policy: Policy) -> Result<Option<i32>> {
    let Policy {
        kind,
        relation: table,
        age: (age_name, age),
        if_not_exists,
        schedule_interval,
        initial_start,
    } = policy;
    let table = given(table, "relation")?;
    let age = given(age, age_name)?;
    let schedule_interval = given(schedule_interval, "schedule_interval")?;
    let name = relation::name(table);
    if !identity::owns(table) {
        return Err(Error::new(Kind::NotPermitted, format!("must be owner of table {name}")));
    }
    if !catalogue::contains(table)? {
        return Err(Error::new(Kind::WrongObject, format!("{name} is no hypertable"))
            .hint(format!("SELECT headroom.create_hypertable('{name}', 'time column', 'segment column');")));
    }
    positive(Some(&schedule_interval), "schedule_interval")?;
    positive(Some(&age), "the age")?;
    let is_number = value::<bool>(
        "SELECT a.atttypid OPERATOR(pg_catalog.=) ANY ('{int2,int4,int8}'::pg_catalog.regtype[])
           FROM headroom.hypertables h JOIN pg_catalog.pg_attribute a
             ON a.attrelid OPERATOR(pg_catalog.=) h.relation::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) h.time_column
          WHERE h.relation OPERATOR(pg_catalog.=) $1",
        &[table.into()],
    )?;
    if is_number == Some(true) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("the time of {name} is a number: its age is not known"),
        )
        .hint("Call headroom.seal or headroom.delete_older from a job of your own, see headroom.add_job."));
    }
    let made = value::<i32>(
        "INSERT INTO headroom.jobs (kind, relation, owner, config, schedule_interval, next_start)
         SELECT $1, $2, c.relowner, pg_catalog.jsonb_build_object('age', $3), $4, coalesce($5, pg_catalog.now())
           FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) $2
         ON CONFLICT (kind, relation) DO NOTHING RETURNING job_id",
        &[kind.into(), table.into(), age.into(), schedule_interval.into(), initial_start.into()],
    )?;
    if made.is_none() {
        if !if_not_exists.unwrap_or_default() {
            return Err(Error::new(Kind::Duplicate, format!("{name} has a {kind} policy already"))
                .hint("Pass if_not_exists => true to accept that, or change it with headroom.alter_job."));
        }
        pgrx::notice!("{name} has a {kind} policy already, skipping");
    }
    Ok(made)
}

fn remove(kind: &str, table: pg_sys::Oid, if_exists: bool) -> Result<()> {
    let name = relation::name(table);
    if !identity::owns(table) {
        return Err(Error::new(Kind::NotPermitted, format!("must be owner of table {name}")));
    }
    let gone = value::<i32>(
        "DELETE FROM headroom.jobs WHERE kind OPERATOR(pg_catalog.=) $1 AND relation OPERATOR(pg_catalog.=) $2 RETURNING job_id",
        &[kind.into(), table.into()],
    )?;
    if gone.is_none() && !if_exists {
        return Err(Error::new(Kind::Undefined, format!("{name} has no {kind} policy"))
            .hint("Pass if_exists => true to accept that."));
    }
    Ok(())
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.add_seal_policy(relation regclass, seal_after interval, if_not_exists boolean DEFAULT false,
    schedule_interval interval DEFAULT '1 hour', initial_start timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.add_seal_policy(regclass, interval, boolean, interval, timestamptz) IS
'Seals rows of a hypertable once they are so old, again and again; the number of the job';
"#, requires = ["jobs"])]
fn add_seal_policy(
    relation: Option<pg_sys::Oid>,
    seal_after: Option<Interval>,
    if_not_exists: Option<bool>,
    schedule_interval: Option<Interval>,
    initial_start: Option<TimestampWithTimeZone>,
) -> Option<i32> {
    or_raise(add(Policy {
        kind: "seal",
        relation,
        age: ("seal_after", seal_after),
        if_not_exists,
        schedule_interval,
        initial_start,
    }))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.add_retention_policy(relation regclass, drop_after interval, if_not_exists boolean DEFAULT false,
    schedule_interval interval DEFAULT '1 day', initial_start timestamptz DEFAULT NULL) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.add_retention_policy(regclass, interval, boolean, interval, timestamptz) IS
'Drops rows of a hypertable once they are so old, again and again, as headroom.delete_older does; the number of the job';
"#, requires = ["jobs"])]
fn add_retention_policy(
    relation: Option<pg_sys::Oid>,
    drop_after: Option<Interval>,
    if_not_exists: Option<bool>,
    schedule_interval: Option<Interval>,
    initial_start: Option<TimestampWithTimeZone>,
) -> Option<i32> {
    or_raise(add(Policy {
        kind: "retention",
        relation,
        age: ("drop_after", drop_after),
        if_not_exists,
        schedule_interval,
        initial_start,
    }))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.remove_seal_policy(relation regclass, if_exists boolean DEFAULT false) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.remove_seal_policy(regclass, boolean) IS 'Ends the sealing of a hypertable by itself';
"#, requires = ["jobs"])]
fn remove_seal_policy(relation: pg_sys::Oid, if_exists: bool) {
    or_raise(remove("seal", relation, if_exists));
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.remove_retention_policy(relation regclass, if_exists boolean DEFAULT false) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.remove_retention_policy(regclass, boolean) IS 'Ends the dropping of old rows of a hypertable by itself';
"#, requires = ["jobs"])]
fn remove_retention_policy(relation: pg_sys::Oid, if_exists: bool) {
    or_raise(remove("retention", relation, if_exists));
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.add_job(proc regproc, schedule_interval interval, config jsonb DEFAULT NULL,
    initial_start timestamptz DEFAULT NULL, scheduled boolean DEFAULT true) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.add_job(regproc, interval, jsonb, timestamptz, boolean) IS
'Calls a procedure or function (job_id integer, config jsonb) again and again, as the role that adds it and in one transaction a run; the number of the job';
"#, requires = ["jobs"])]
fn add_job(
    proc: Option<pg_sys::Oid>,
    schedule_interval: Option<Interval>,
    config: Option<JsonB>,
    initial_start: Option<TimestampWithTimeZone>,
    scheduled: Option<bool>,
) -> i32 {
    let proc = or_raise(given(proc, "proc"));
    let interval = or_raise(given(schedule_interval, "schedule_interval"));
    or_raise(add_procedure(proc, interval, config, initial_start, scheduled.unwrap_or(true)))
}

fn add_procedure(
    proc: pg_sys::Oid,
    schedule_interval: Interval,
    config: Option<JsonB>,
    initial_start: Option<TimestampWithTimeZone>,
    scheduled: bool,
) -> Result<i32> {
    positive(Some(&schedule_interval), "schedule_interval")?;
    let fits = value::<bool>(
        "SELECT p.prokind OPERATOR(pg_catalog.=) ANY ('{f,p}'::pg_catalog.\"char\"[])
                AND p.proargtypes::pg_catalog.text OPERATOR(pg_catalog.=) '23 3802'
           FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.=) $1",
        &[proc.into()],
    )?;
    if fits != Some(true) {
        return Err(Error::new(
            Kind::WrongObject,
            "a job calls a procedure or function with the arguments (integer, jsonb)",
        )
        .hint("CREATE PROCEDURE my_job(job_id integer, config jsonb) …"));
    }
    // SAFETY: look-ups in the server's caches.
    let (caller, may) = unsafe {
        let caller = pg_sys::GetUserId();
        let right = pg_sys::pg_proc_aclcheck(proc, caller, pg_sys::ACL_EXECUTE);
        (caller, right == pg_sys::AclResult::ACLCHECK_OK)
    };
    if !may {
        return Err(Error::new(Kind::NotPermitted, "permission denied for the procedure that the job calls"));
    }
    let config = config.unwrap_or(JsonB(serde_json::json!({})));
    value::<i32>(
        "INSERT INTO headroom.jobs (kind, proc, owner, config, schedule_interval, next_start, scheduled)
         VALUES ('procedure', $1::pg_catalog.oid, $2::pg_catalog.oid, $3, $4, coalesce($5, pg_catalog.now()), $6) RETURNING job_id",
        &[proc.into(), caller.into(), config.into(), schedule_interval.into(), initial_start.into(), scheduled.into()],
    )?
    .ok_or_else(|| Error::new(Kind::Internal, "the job was not entered"))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.alter_job(job_id integer, schedule_interval interval DEFAULT NULL, max_runtime interval DEFAULT NULL,
    max_retries integer DEFAULT NULL, retry_period interval DEFAULT NULL, scheduled boolean DEFAULT NULL,
    config jsonb DEFAULT NULL, next_start timestamptz DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.alter_job(integer, interval, interval, integer, interval, boolean, jsonb, timestamptz) IS
'Changes a job; what is NULL stays. scheduled => true also lets a parked job go on';
"#, requires = ["jobs"])]
#[expect(clippy::too_many_arguments, reason = "as many as the SQL function has")]
fn alter_job(
    job_id: Option<i32>,
    schedule_interval: Option<Interval>,
    max_runtime: Option<Interval>,
    max_retries: Option<i32>,
    retry_period: Option<Interval>,
    scheduled: Option<bool>,
    config: Option<JsonB>,
    next_start: Option<TimestampWithTimeZone>,
) {
    let Some(job_id) = job_id else { return };
    or_raise(job(job_id));
    for (interval, name) in [
        (schedule_interval.as_ref(), "schedule_interval"),
        (max_runtime.as_ref(), "max_runtime"),
        (retry_period.as_ref(), "retry_period"),
    ] {
        or_raise(positive(interval, name));
    }
    if max_retries.is_some_and(|n| n < 0) {
        Error::new(Kind::InvalidArgument, "max_retries must not be negative").raise();
    }
    or_raise(write(
        "UPDATE headroom.jobs SET schedule_interval = coalesce($2, schedule_interval), max_runtime = coalesce($3, max_runtime),
                max_retries = coalesce($4, max_retries), retry_period = coalesce($5, retry_period),
                scheduled = coalesce($6, scheduled), config = coalesce($7, config),
                next_start = coalesce($8, CASE WHEN $6 AND parked_at IS NOT NULL THEN pg_catalog.now() ELSE next_start END),
                failures = CASE WHEN $6 THEN 0 ELSE failures END, parked_at = CASE WHEN $6 THEN NULL ELSE parked_at END
          WHERE job_id OPERATOR(pg_catalog.=) $1",
        &[
            job_id.into(),
            schedule_interval.into(),
            max_runtime.into(),
            max_retries.into(),
            retry_period.into(),
            scheduled.into(),
            config.into(),
            next_start.into(),
        ],
    ));
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.delete_job(job_id integer) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.delete_job(integer) IS 'Deletes a job; what it did stays in the history for a while';
"#, requires = ["jobs"])]
fn delete_job(job_id: i32) {
    or_raise(job(job_id));
    or_raise(write("DELETE FROM headroom.jobs WHERE job_id OPERATOR(pg_catalog.=) $1", &[job_id.into()]));
}
