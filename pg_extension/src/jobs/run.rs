//! One step of a job, and what came of it.

use std::ffi::CStr;

use pgrx::{JsonB, pg_sys, prelude::*, spi::quote_identifier};

use super::{
    free_space,
    tables::{Job, job, value, write},
};
use crate::{
    hypertable::catalogue,
    server::{
        error::{Error, Kind, Result, or_raise},
        identity, own_query, relation,
    },
};

/// Runs of a job that are remembered.
const RUNS_KEPT: i64 = 100;

extension_sql!(
    r#"
CREATE PROCEDURE headroom.run_job(job_id integer) LANGUAGE plpgsql AS $$
DECLARE
    steps integer := headroom.job_steps(job_id);
    run bigint := headroom.begin_run(job_id);
    moved bigint := 0;
BEGIN
    COMMIT;
    FOR step IN 0 .. steps OPERATOR(pg_catalog.-) 1 LOOP
        moved := moved OPERATOR(pg_catalog.+) headroom.run_job_step(job_id, step);
        COMMIT;
    END LOOP;
    PERFORM headroom.end_run(job_id, run, moved);
END $$;
COMMENT ON PROCEDURE headroom.run_job(integer) IS 'Runs a job now, as its owner, whether it is due, parked or neither; a transaction a step. Errors come to the caller';
"#,
    name = "run_job",
    requires = [job_steps, begin_run, run_job_step, end_run]
);

/// In how many steps the job runs.
#[pg_extern(sql = r#"
CREATE FUNCTION headroom.job_steps(job_id integer) RETURNS integer
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.job_steps(integer) IS 'Part of run_job: in how many transactions a job runs';
"#, requires = ["jobs"])]
fn job_steps(job_id: i32) -> i32 {
    or_raise(steps(job_id))
}

/// In how many steps the job runs. Rows that are to be sealed are read here, and kept for the steps.
pub(super) fn steps(job_id: i32) -> Result<i32> {
    let job = job(job_id)?;
    let Some(table) = job.relation.filter(|_| job.kind == "seal") else { return Ok(1) };
    require_table(&job, table)?;
    if !is_worth_while(&job, table)? {
        return Ok(0);
    }
    free_space::require()?;
    let steps = identity::run_restricted(job.owner, || {
        Spi::get_one_with_args::<i32>(
            "SELECT headroom.begin_sealing($1::pg_catalog.regclass, $2::pg_catalog.interval)",
            &[table.into(), job.age().into()],
        )
    })?;
    Ok(steps.unwrap_or(1))
}

/// Whether enough has come of age since the last sealing: rows that are sealed a few at a time make small blocks, which
/// take several times the space. So rows wait until the oldest is a week (or, with a shorter age, that age) past it.
fn is_worth_while(job: &Job, table: pg_sys::Oid) -> Result<bool> {
    let Some(names) = catalogue::names(table)? else { return Ok(true) };
    // Policies must hide no row from the schedule.
    let owner = relation::owner(table);
    let time = quote_identifier(&names.time);
    let sql = format!(
        "SELECT pg_catalog.min({time}) OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) $1::pg_catalog.interval
             OPERATOR(pg_catalog.-) LEAST($1::pg_catalog.interval, '7 days'::pg_catalog.interval)) FROM ONLY {}",
        relation::name(table)
    );
    let ask = || own_query::run(|| Spi::get_one_with_args::<bool>(&sql, &[job.age().into()]));
    let is = identity::run_as_owner(owner, ask)?;
    Ok(is == Some(true))
}

fn require_table(job: &Job, table: pg_sys::Oid) -> Result<()> {
    // SAFETY: a look-up in the server's caches.
    if unsafe { pg_sys::get_rel_name(table) }.is_null() {
        return Err(Error::new(Kind::Undefined, format!("the table of job {} was dropped", job.id))
            .hint(format!("SELECT headroom.delete_job({});", job.id)));
    }
    Ok(())
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.run_job_step(job_id integer, step integer) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.run_job_step(integer, integer) IS 'Part of run_job: one step, numbered from 0; the number of rows that it moved or removed';
"#, requires = ["jobs"])]
fn run_job_step(job_id: i32, step: i32) -> i64 {
    or_raise(run_step(job_id, step))
}

/// Runs a step as the job's owner, who cannot become somebody else in it: temporary tables, deferred triggers and SET ROLE
/// are refused by the server.
pub(super) fn run_step(job_id: i32, step: i32) -> Result<i64> {
    let job = job(job_id)?;
    let moved = match (job.kind.as_str(), job.relation, job.proc) {
        ("seal", Some(table), _) => {
            require_table(&job, table)?;
            free_space::require()?;
            identity::run_restricted(job.owner, || {
                Spi::get_one_with_args::<i64>(
                    "SELECT headroom.seal_slice($1::pg_catalog.regclass, $2)",
                    &[table.into(), step.into()],
                )
            })?
        }
        ("retention", Some(table), _) => {
            require_table(&job, table)?;
            identity::run_restricted(job.owner, || {
                Spi::get_one_with_args::<i64>(
                    "SELECT headroom.delete_older($1::pg_catalog.regclass, $2::pg_catalog.interval)",
                    &[table.into(), job.age().into()],
                )
            })?
        }
        (_, _, Some(proc)) => {
            let call = call_of(&job, proc)?;
            identity::run_restricted(job.owner, || {
                Spi::run_with_args(&call, &[job.id.into(), JsonB(job.config.clone()).into()])
            })?;
            None
        }
        _ => return Err(Error::new(Kind::Internal, format!("job {job_id} has nothing to do"))),
    };
    Ok(moved.unwrap_or(0))
}

fn call_of(job: &Job, proc: pg_sys::Oid) -> Result<String> {
    // SAFETY: look-ups in the server's caches; the strings are copied at once.
    unsafe {
        let name = pg_sys::get_func_name(proc);
        if name.is_null() {
            return Err(Error::new(Kind::Undefined, format!("the procedure of job {} was dropped", job.id))
                .hint(format!("SELECT headroom.delete_job({});", job.id)));
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_func_namespace(proc));
        let name =
            CStr::from_ptr(pg_sys::quote_qualified_identifier(schema, name)).to_string_lossy().into_owned();
        let is_procedure = pg_sys::get_func_prokind(proc) as u8 == b'p';
        Ok(format!("{} {name}($1, $2)", if is_procedure { "CALL" } else { "SELECT" }))
    }
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.begin_run(job_id integer) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.begin_run(integer) IS 'Part of run_job: notes that a job starts';
"#, requires = ["jobs"])]
fn begin_run(job_id: i32) -> i64 {
    or_raise(begin(job_id))
}

/// Notes that a job starts, and when it starts next. A run that never ended is lost.
pub(super) fn begin(job_id: i32) -> Result<i64> {
    job(job_id)?;
    write(
        "UPDATE headroom.job_runs SET outcome = 'lost', ended_at = pg_catalog.clock_timestamp()
          WHERE job_id OPERATOR(pg_catalog.=) $1 AND ended_at IS NULL",
        &[job_id.into()],
    )?;
    write(
        "UPDATE headroom.jobs SET next_start = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) schedule_interval
          WHERE job_id OPERATOR(pg_catalog.=) $1",
        &[job_id.into()],
    )?;
    value(
        "INSERT INTO headroom.job_runs (job_id, started_at) VALUES ($1, pg_catalog.clock_timestamp()) RETURNING run_id",
        &[job_id.into()],
    )?
    .ok_or_else(|| Error::new(Kind::Internal, "the run was not entered"))
}

#[pg_extern(sql = r#"
CREATE FUNCTION headroom.end_run(job_id integer, run_id bigint, row_count bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';
COMMENT ON FUNCTION headroom.end_run(integer, bigint, bigint) IS 'Part of run_job: notes that a job has ended well';
"#, requires = ["jobs"])]
fn end_run(job_id: i32, run_id: i64, row_count: i64) {
    or_raise(end_well(job_id, run_id, row_count));
}

/// Notes that a job has ended well.
pub(super) fn end_well(job_id: i32, run_id: i64, rows: i64) -> Result<()> {
    job(job_id)?;
    note(job_id, run_id, "done", Some(rows), None)?;
    write(
        "UPDATE headroom.jobs SET failures = 0, parked_at = NULL WHERE job_id OPERATOR(pg_catalog.=) $1",
        &[job_id.into()],
    )
}

/// Notes that a job has not ended well: tried again later each time, and parked in the end. A disk that is nearly full is
/// no fault of the job: it waits for its next start.
pub(super) fn end_badly(job_id: i32, run_id: i64, sqlstate: &str, message: &str) -> Result<()> {
    const DISK_FULL: &str = "53100";
    if sqlstate == DISK_FULL {
        return note(job_id, run_id, "held_back", None, Some((sqlstate, message)));
    }
    note(job_id, run_id, "failed", None, Some((sqlstate, message)))?;
    write(
        "UPDATE headroom.jobs SET failures = failures OPERATOR(pg_catalog.+) 1,
                parked_at = CASE WHEN failures OPERATOR(pg_catalog.>=) max_retries THEN pg_catalog.clock_timestamp() END,
                next_start = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) LEAST(schedule_interval,
                    retry_period OPERATOR(pg_catalog.*) pg_catalog.power(2, LEAST(failures, 20))::double precision)
          WHERE job_id OPERATOR(pg_catalog.=) $1",
        &[job_id.into()],
    )
}

fn note(job_id: i32, run_id: i64, outcome: &str, rows: Option<i64>, why: Option<(&str, &str)>) -> Result<()> {
    write(
        "UPDATE headroom.job_runs SET ended_at = pg_catalog.clock_timestamp(), outcome = $3, row_count = $4, sqlstate = $5, detail = $6
          WHERE run_id OPERATOR(pg_catalog.=) $2 AND job_id OPERATOR(pg_catalog.=) $1",
        &[
            job_id.into(),
            run_id.into(),
            outcome.into(),
            rows.into(),
            why.map(|(sqlstate, _)| sqlstate).into(),
            why.map(|(_, message)| message).into(),
        ],
    )?;
    write(
        "DELETE FROM headroom.job_runs WHERE job_id OPERATOR(pg_catalog.=) $1 AND run_id OPERATOR(pg_catalog.<)
            (SELECT pg_catalog.min(run_id) FROM (SELECT run_id FROM headroom.job_runs WHERE job_id OPERATOR(pg_catalog.=) $1
              ORDER BY run_id DESC LIMIT $2) kept)",
        &[job_id.into(), RUNS_KEPT.into()],
    )
}

/// The table of a job, for messages.
pub(super) fn name_of(job_id: i32) -> String {
    match job(job_id) {
        Ok(Job { kind, relation: Some(table), .. }) => format!("{kind} of {}", relation::name(table)),
        Ok(Job { kind, .. }) => kind,
        Err(_) => "gone".to_owned(),
    }
}
