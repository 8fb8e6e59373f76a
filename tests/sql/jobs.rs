//! Jobs: run by hand and by themselves, parked when they keep failing, and in nobody's way.

use std::{
    thread,
    time::{Duration, Instant},
};

use headroom_tests::Cluster;

const READINGS: &str = "
create table readings (at timestamptz not null, device bigint not null, value float8);
select headroom.create_hypertable('readings', 'at', 'device');
insert into readings select now() - g * interval '1 hour', g % 5, g from generate_series(1, 2400) g;";

/// A server whose launcher looks every second.
fn lively() -> Cluster {
    Cluster::with(&[("shared_preload_libraries", "headroom"), ("headroom.job_interval", "1s")])
}

/// Asks until the answer is the wanted one; panics with the last answer after a minute.
fn comes_to(cluster: &Cluster, sql: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let answer = cluster.psql("db", sql);
        if answer == wanted {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{sql} stays {answer}\n{}", cluster.log());
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn policies_run_by_hand_without_preload() {
    let cluster = Cluster::with(&[]);
    cluster.database("db");
    cluster.psql("db", READINGS);
    // Blocks that end before the age of retention: they go as a whole.
    assert_eq!(cluster.psql("db", "select headroom.seal('readings', interval '70 days')"), "721");
    let seal = cluster.psql("db", "select headroom.add_seal_policy('readings', interval '30 days')");
    let retention =
        cluster.psql("db", "select headroom.add_retention_policy('readings', interval '60 days')");
    cluster.psql("db", &format!("call headroom.run_job({seal})"));
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "719");
    assert_eq!(cluster.psql("db", "select count(*) from readings"), "2400");
    cluster.psql("db", &format!("call headroom.run_job({retention})"));
    let left = cluster.psql("db", "select count(*) from readings");
    assert_eq!(left, "1439", "what is older goes, and never a row that is younger");
    let runs = "select string_agg(outcome || ' ' || (row_count > 0), ', ' order by run_id) from headroom.job_history";
    assert_eq!(cluster.psql("db", runs), "done true, done true");
}

#[test]
fn what_is_due_runs_by_itself_and_a_failing_job_is_parked() {
    let cluster = lively();
    cluster.database("db");
    cluster.psql("db", READINGS);
    cluster.psql(
        "db",
        "create procedure broken(job_id int, config jsonb) language plpgsql as $$ begin raise exception 'no luck' using errcode = '22012'; end $$;
         create procedure slow(job_id int, config jsonb) language plpgsql as $$ begin perform pg_sleep(600); end $$;
         create table done (at timestamptz, who text, told jsonb);
         create function good(job_id int, config jsonb) returns void language sql as $$ insert into done values (now(), current_user, config) $$;
         create role keeper; grant all on table done to keeper; grant usage on schema public to keeper;
         select headroom.alter_job(headroom.add_job('broken', '1 hour'), max_retries => 1, retry_period => '1 second');
         select headroom.alter_job(headroom.add_job('slow', '1 hour'), max_retries => 0, max_runtime => '1 second');
         set role keeper; select headroom.add_job('good', '1 hour', '{\"a\": 1}'); reset role;
         select headroom.add_seal_policy('readings', interval '30 days');",
    );
    comes_to(&cluster, "select count(*) from only readings", "719");
    comes_to(&cluster, "select string_agg(who || told, '') from done", "keeper{\"a\": 1}");
    comes_to(
        &cluster,
        "select string_agg(proc::text || ' ' || failures || ' ' || last_sqlstate, ', ' order by job_id)
           from headroom.job_stats where parked_at is not null",
        "broken(integer,jsonb) 2 22012, slow(integer,jsonb) 1 57014",
    );
    assert_eq!(
        cluster.psql("db", "select last_detail from headroom.job_stats where proc::text like 'broken%'"),
        "no luck"
    );
    cluster.psql(
        "db",
        "create or replace procedure broken(job_id int, config jsonb) language sql as $$ select 1 $$",
    );
    cluster.psql("db", "select headroom.alter_job(job_id, scheduled => true) from headroom.job_stats where proc::text like 'broken%'");
    comes_to(
        &cluster,
        "select last_outcome from headroom.job_stats where proc::text like 'broken%' and parked_at is null",
        "done",
    );
}

#[test]
fn the_launcher_keeps_no_database_and_outlives_a_bad_one() {
    let cluster = lively();
    cluster.database("db");
    cluster.psql("db", READINGS);
    cluster.psql("postgres", "create database other");
    cluster.psql("other", "create schema headroom; create table headroom.jobs (nonsense int)");
    cluster.psql("db", "select headroom.add_seal_policy('readings', interval '30 days')");
    comes_to(&cluster, "select count(*) from only readings", "719");
    cluster.psql("postgres", "drop database other");
    cluster.psql("postgres", "create database copy template db");
    cluster.psql("postgres", "drop database copy");
    let launchers = "select count(*) from pg_stat_activity where backend_type = 'headroom launcher'";
    assert_eq!(cluster.psql("db", launchers), "1");
}

#[test]
fn a_disk_that_is_nearly_full_holds_sealing_back_and_says_so() {
    let cluster = Cluster::with(&[
        ("shared_preload_libraries", "headroom"),
        ("headroom.job_interval", "1s"),
        ("headroom.min_free_disk", "2000TB"),
    ]);
    cluster.database("db");
    cluster.psql("db", READINGS);
    cluster.psql("db", "select headroom.add_seal_policy('readings', interval '30 days')");
    comes_to(
        &cluster,
        "select last_outcome || ' ' || last_sqlstate || ' ' || failures from headroom.job_stats",
        "held_back 53100 0",
    );
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "2400");
    assert!(cluster.log().contains("are free on the disk of the data"), "{}", cluster.log());
}

#[test]
fn others_neither_see_nor_touch_a_job() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", READINGS);
    cluster.psql("db", "create role stranger; create role keeper; alter table readings owner to keeper");
    let job = cluster
        .psql("db", "set role keeper; select headroom.add_seal_policy('readings', interval '30 days')");
    for (call, words) in [
        (format!("call headroom.run_job({job})"), "there is no job"),
        (format!("select headroom.alter_job({job}, scheduled => false)"), "there is no job"),
        (format!("select headroom.delete_job({job})"), "there is no job"),
        (format!("select headroom.run_job_step({job}, 0)"), "there is no job"),
        ("select headroom.remove_seal_policy('readings')".to_owned(), "must be owner"),
        ("select headroom.add_retention_policy('readings', '1 day')".to_owned(), "must be owner"),
        ("delete from headroom.jobs".to_owned(), "permission denied"),
        ("select headroom.add_job('pg_sleep', '1 day')".to_owned(), "arguments (integer, jsonb)"),
    ] {
        let told = cluster.try_psql("db", &format!("set role stranger; {call}")).expect_err(&call);
        assert!(format!("{told:#}").contains(words), "{call}: {told:#}");
    }
    assert_eq!(cluster.psql("db", "set role stranger; select count(*) from headroom.job_stats"), "0");
    assert_eq!(cluster.psql("db", "set role keeper; select count(*) from headroom.job_stats"), "1");
    for (call, words) in [
        ("select headroom.add_seal_policy('readings', '1 day')", "has a seal policy already"),
        ("select headroom.add_seal_policy(null, '1 day')", "relation must not be null"),
        ("select headroom.add_seal_policy('readings', null)", "seal_after must not be null"),
        ("select headroom.add_retention_policy('readings', null)", "drop_after must not be null"),
        (
            "select headroom.add_retention_policy('readings', '1 day', schedule_interval => null)",
            "schedule_interval must not be null",
        ),
        ("select headroom.add_retention_policy('readings', '-1 day')", "greater than 0"),
        (
            "select headroom.add_retention_policy('readings', '1 day', schedule_interval => '0')",
            "greater than 0",
        ),
        ("select headroom.remove_retention_policy('readings')", "has no retention policy"),
        ("select headroom.add_seal_policy('pg_class', '1 day')", "is no hypertable"),
        ("select headroom.alter_job(99)", "there is no job 99"),
        ("select headroom.delete_older('pg_class'::regclass, now())", "is no hypertable"),
    ] {
        let told = cluster.try_psql("db", call).expect_err(call);
        assert!(format!("{told:#}").contains(words), "{call}: {told:#}");
    }
    cluster.psql("db", "select headroom.remove_retention_policy('readings', if_exists => true); select headroom.remove_seal_policy('readings')");
    assert_eq!(cluster.psql("db", "select count(*) from headroom.job_stats"), "0");
}

#[test]
fn code_of_a_job_stays_its_owner() {
    let cluster = lively();
    cluster.database("db");
    cluster.psql(
        "db",
        "create role sly; create table seen (who text); grant insert on seen to public; create schema own authorization sly;
         set role sly;
         create procedure own.become(job_id int, config jsonb) language plpgsql as $$ begin set role postgres; insert into public.seen values (current_user); end $$;
         create procedure own.reset(job_id int, config jsonb) language plpgsql as $$ begin reset session authorization; insert into public.seen values (current_user); end $$;
         create table own.t (id int); create function own.later() returns trigger language plpgsql as $$ begin insert into public.seen values (current_user); return null; end $$;
         create constraint trigger later after insert on own.t deferrable initially deferred for each row execute function own.later();
         create procedure own.defer(job_id int, config jsonb) language sql as $$ insert into own.t values (1) $$;
         select headroom.alter_job(headroom.add_job(p::regproc, '1 hour'), max_retries => 0) from unnest('{own.become,own.reset,own.defer}'::text[]) p;",
    );
    comes_to(&cluster, "select count(*) from headroom.job_stats where parked_at is not null", "3");
    assert_eq!(cluster.psql("db", "select count(*) from seen where who <> 'sly'"), "0");
}

/// What headroom does as somebody mightier calls nothing that a user can put in the way: functions and operators of the
/// search path, and triggers of the table.
#[test]
fn nobodys_code_runs_as_somebody_mightier() {
    let cluster = lively();
    cluster.database("db");
    cluster.psql(
        "db",
        "create role sly; create table seen (who text); grant insert on seen to public; create schema own authorization sly;
         grant usage on schema headroom to sly; alter database db set search_path = own, pg_catalog;
         set role sly;
         create function own.least_of(timestamptz, timestamptz) returns timestamptz language plpgsql as $$ begin insert into public.seen values (current_user); return $2; end $$;
         create aggregate own.min (timestamptz) (sfunc = own.least_of, stype = timestamptz);
         create function own.times(numeric, int) returns numeric language plpgsql as $$ begin insert into public.seen values (current_user); return $1; end $$;
         create operator own.* (function = own.times, leftarg = numeric, rightarg = int);
         create function own.told() returns trigger language plpgsql as $$ begin insert into public.seen values (current_user); return null; end $$;
         create table own.t (at timestamptz not null, device int not null);
         create trigger told after delete on own.t execute function own.told();
         alter table own.t enable row level security; alter table own.t force row level security;
         insert into own.t select '2026-01-01'::timestamptz + n * interval '1 hour', 1 from generate_series(1, 0) n;
         alter table own.t no force row level security;
         insert into own.t select '2026-01-01'::timestamptz + n * interval '1 hour', 1 from generate_series(1, 100) n;
         alter table own.t force row level security;
         select headroom.create_hypertable('own.t', 'at', 'device');
         select headroom.add_seal_policy('own.t', interval '1 day');",
    );
    comes_to(&cluster, "select max(last_outcome) from headroom.job_stats", "done");
    cluster.psql(
        "db",
        "set role sly; set search_path = own, pg_catalog; call headroom.run_job(1);
         alter table own.t no force row level security; insert into own.t values ('2026-01-01', 2); alter table own.t force row level security;
         select headroom.delete_older('own.t', interval '1 day')",
    );
    assert_eq!(cluster.psql("db", "select count(*) from own.t"), "0");
    assert_eq!(cluster.psql("db", "select distinct who from public.seen"), "sly");
}
