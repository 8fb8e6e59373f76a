//! What must hold whatever happens to bytes, processes and sessions.

use std::time::Duration;

use headroom_tests::Cluster;
use tokio_postgres::{NoTls, SimpleQueryMessage};

fn sealed(cluster: &Cluster, rows: u32) {
    cluster.database("db");
    cluster.psql(
        "db",
        &format!(
            "create table t (at timestamptz not null, device bigint not null, used bigint, busy float4, ok boolean, note text);
             insert into t select timestamptz '2026-01-01 23:10+00' + n * interval '1 minute', 1, 4096 * (n * n % 1000), n / 3.0, n % 5 = 0,
                 case n % 3 when 0 then 'a' when 1 then 'ä' end from generate_series(1, {rows}) n;
             create table p as table t;
             select headroom.create_hypertable('t', 'at', 'device');
             select headroom.seal('t')"
        ),
    );
}

/// Rows in which the hypertable differs from its twin.
const EVERY_ROW: &str = "(table t except all table p) union all (table p except all table t)";
/// The same of figures that come from the blocks' summaries.
const SUMMARIES: &str = "select count(*), count(note), sum(used), max(used), min(at), avg(used) from t \
    except all select count(*), count(note), sum(used), max(used), min(at), avg(used) from p";

/// The same of figures that come from the blocks' days, of all columns that have them.
const DAYS: &str = "select device, headroom.time_bucket('1 day', at, timestamptz '2026-01-01 00:00+00'), count(*), sum(used), max(busy), headroom.last(ok, at) from t group by 1, 2 \
    except all select device, headroom.time_bucket('1 day', at, timestamptz '2026-01-01 00:00+00'), count(*), sum(used), max(busy), headroom.last(ok, at) from p group by 1, 2";
/// The same as arrays.
const ARRAYS: &str = "select column_name, v from headroom.daily_arrays('t', null::bigint[], array['used', 'busy', 'ok'], array['max', 'min', 'first']) a, unnest(a.value) v \
    except all (select 'used', max(used)::float8 from p group by date_bin('1 day', at, '2026-01-01 00:00+00') union all select 'busy', min(busy)::float8 from p group by date_bin('1 day', at, '2026-01-01 00:00+00') \
    union all select 'ok', (array_agg(ok::int order by at))[1]::float8 from p group by date_bin('1 day', at, '2026-01-01 00:00+00'))";

/// The newest row, by the function and by its plain words.
const LATEST: &str = "select (l).* from (select headroom.latest(null::t) as l) x except all (select * from p order by at desc limit 1)";
const NEWEST: &str = "(select * from t where device = 1 order by at desc limit 1) except all (select * from p order by at desc limit 1)";

/// Flips bits of every byte of a column of the blocks, and asks how it differs from its twin: damage is told, or the
/// answer is right.
async fn flip(cluster: &Cluster, column: &str, difference: &str) -> (usize, usize) {
    let client = cluster.connect("db").await;
    // So few rows are cheaper to aggregate one by one; the blocks' days are to be asked.
    client.batch_execute("set cpu_tuple_cost = 1").await.expect("sets");
    let length: i32 = client
        .query_one(&format!("select length({column}) from t_blocks"), &[])
        .await
        .expect("answers")
        .get(0);
    let (mut told, mut right) = (0, 0);
    for byte in 0..length {
        for bits in [0x01_i32, 0x80, 0xff] {
            client.batch_execute("begin").await.expect("begins");
            client
                .batch_execute(&format!(
                    "update t_blocks set {column} = set_byte({column}, {byte}, get_byte({column}, {byte}) # {bits})"
                ))
                .await
                .expect("flips");
            let answer = client.simple_query(&format!("select count(*) from ({difference}) d")).await;
            match answer {
                Ok(messages) => {
                    let row = messages.iter().find_map(|message| match message {
                        SimpleQueryMessage::Row(row) => row.get(0),
                        _ => None,
                    });
                    assert_eq!(row, Some("0"), "byte {byte} of {column}, bits {bits:#x}: a wrong answer");
                    right += 1;
                }
                Err(error) => {
                    let code = error.code().map(|code| code.code().to_owned());
                    assert_eq!(code.as_deref(), Some("XX001"), "byte {byte} of {column}: {error:?}");
                    told += 1;
                }
            }
            client.batch_execute("rollback").await.expect("the backend lives");
        }
    }
    (told, right)
}

#[tokio::test]
async fn every_flipped_byte_is_told_or_harmless() {
    let cluster = Cluster::start();
    sealed(&cluster, 100);
    for (column, difference) in [
        ("directory", EVERY_ROW),
        ("payload", EVERY_ROW),
        ("directory", SUMMARIES),
        ("rollup", DAYS),
        ("rollup", ARRAYS),
        ("last_row", LATEST),
        ("last_row", NEWEST),
    ] {
        let (told, right) = flip(&cluster, column, difference).await;
        assert_eq!(right, 0, "{column}: {told} told");
    }
}

#[test]
fn cut_and_foreign_blocks_are_told() {
    let cluster = Cluster::start();
    sealed(&cluster, 100);
    for change in [
        "directory = substr(directory, 1, length(directory) - 1)",
        "directory = ''",
        "directory = directory || '\\x00'",
        "payload = substr(payload, 1, length(payload) - 1)",
        "payload = ''",
        "payload = directory, directory = payload",
        "rollup = substr(rollup, 1, length(rollup) - 1)",
        "rollup = rollup || '\\x00'",
        "rollup = directory",
        "rollup = payload",
        "row_count = row_count + 1",
        "row_count = -1",
        "first_time = first_time - interval '1 day'",
        "last_time = '-infinity'",
    ] {
        let error = cluster
            .try_psql("db", &format!("\\set VERBOSITY verbose\nbegin; update t_blocks set {change}; select sum(used + 0), count(lower(note)) from t; select headroom.time_bucket('1 day', at), sum(used) from t group by 1; commit"))
            .expect_err(change);
        assert!(format!("{error:#}").contains("XX001"), "{change}: {error:#}");
    }
}

#[test]
fn a_killed_server_has_every_row_once() {
    killed(5);
}

#[test]
#[ignore = "a long run, for make soak"]
fn a_killed_server_has_every_row_once_for_long() {
    killed(50);
}

fn killed(times: u32) {
    let mut cluster = Cluster::with(&[
        ("shared_preload_libraries", "headroom"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
    ]);
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t (at timestamptz not null, device bigint not null, used bigint, unique (at, device));
         insert into t select timestamptz '2026-01-01' + n * interval '1 minute', d, n * d
         from generate_series(1, 20) d, generate_series(1, 1500) n;
         create table p as table t;
         select headroom.create_hypertable('t', 'at', 'device')",
    );
    for time in 0..times {
        let mut sealing = cluster
            .client_program("psql")
            .args([
                "-XAtq",
                "-d",
                "db",
                "-c",
                "call headroom.seal_by_slices('t', interval '0')",
                "-c",
                "select headroom.unseal('t')",
                "-c",
                "select headroom.seal('t')",
            ])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("psql starts");
        std::thread::sleep(Duration::from_millis(u64::from(60 + 170 * (time % 7))));
        cluster.server().kill();
        let _ended = sealing.wait().expect("psql ends");
        cluster.server().start_again().expect("it starts after a crash");
        let answer = cluster.psql(
            "db",
            "select (select count(*) from ((table t except all table p) union all (table p except all table t)) d), (select count(*) from t)",
        );
        assert_eq!(answer, "0|30000", "after kill {time}");
    }
}

/// At whatever moment it is asked, a statement works on for less than 250 ms: of its own CPU time, since on a busy machine
/// a wall clock tells what others do.
#[tokio::test]
async fn a_running_statement_can_be_cancelled_at_any_moment() {
    const PROMISED: Duration = Duration::from_millis(250);
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t (at timestamptz not null, device bigint not null, used bigint, unique (at, device));
         insert into t select timestamptz '2026-01-01' + n * interval '1 minute', d, n * d
         from generate_series(1, 30) d, generate_series(1, 3000) n;
         create table staged as table t; select headroom.create_hypertable('t', 'at', 'device')",
    );
    for (before, statement) in [
        ("", "select headroom.seal('t')"),
        ("", "select headroom.begin_sealing('t', interval '0')"),
        (
            "select headroom.begin_sealing('t', interval '0'); select headroom.seal_slice('t', 0)",
            "select headroom.seal_slice('t', 1)",
        ),
        ("select headroom.seal('t')", "select headroom.unseal('t')"),
        ("select headroom.seal('t')", "select count(*) from t a, t b where a.used <> b.used"),
        ("select headroom.seal('t')", "select sum(used), max(at) from t, generate_series(1, 20)"),
        ("select headroom.seal('t')", "update t set used = used + 1"),
        ("select headroom.seal('t')", "insert into t table staged on conflict do nothing"),
        (
            "select headroom.seal('t')",
            "insert into t table staged on conflict (at, device) do update set used = 1",
        ),
        ("select headroom.seal('t')", "analyze t"),
    ] {
        let mut cancelled = 0;
        for wait in [5, 30, 90, 200] {
            let client = cluster.connect("db").await;
            client.batch_execute(before).await.expect("prepares");
            let row = client.query_one("select pg_backend_pid()", &[]).await.expect("answers");
            let process: i32 = row.get(0);
            let cancel = client.cancel_token();
            let begun = tokio::spawn(async move { (client.batch_execute(statement).await, client) });
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let asked = cpu_time(process);
            cancel.cancel_query(NoTls).await.expect("asks");
            let (ended, client) = begun.await.expect("ends");
            let worked_on = cpu_time(process) - asked;
            match ended {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.code().map(|code| code.code()), Some("57014"), "{statement}: {error:?}");
                    cancelled += 1;
                }
            }
            assert!(worked_on < PROMISED, "{statement}, cancelled after {wait} ms: {worked_on:?}");
            drop(client);
        }
        let count = cluster.psql("db", "select count(*) from t");
        assert_eq!(count, "90000", "{statement}");
        println!("{statement}: cancelled {cancelled} times of 4");
        cluster.psql("db", "select headroom.unseal('t'); update t set used = -1 where used = 1; vacuum t");
    }
}

/// The time that a process has run.
fn cpu_time(process: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/schedstat")).expect("the process lives");
    let nanoseconds = stat.split_whitespace().next().expect("schedstat has three numbers");
    Duration::from_nanos(nanoseconds.parse().expect("nanoseconds are a number"))
}

#[test]
fn hostile_arguments_get_a_documented_error() {
    let cluster = Cluster::start();
    sealed(&cluster, 10);
    cluster.psql("db", "create table plain (n int); create view v as select 1; create role stranger; grant usage on schema headroom to stranger");
    for call in [
        "headroom.seal(0::regclass)",
        "headroom.seal(4294967295::oid::regclass)",
        "headroom.seal('plain')",
        "headroom.seal('v')",
        "headroom.seal('pg_class')",
        "headroom.seal('t_sealed')",
        "headroom.seal('t_blocks')",
        "headroom.seal('t', 5)",
        "headroom.seal('t', 'yesterday-ish'::text)",
        "headroom.seal('t', 'nonsense')",
        "headroom.seal('t', array[now()])",
        "headroom.begin_sealing('t', 5)",
        "headroom.create_hypertable(null, 'at')",
        "headroom.create_hypertable('t', null)",
        "headroom.add_seal_policy(null, '1 day')",
        "headroom.add_seal_policy('t', null)",
        "headroom.add_retention_policy('t', '1 day', schedule_interval => null)",
        "headroom.add_job(null, '1 day')",
        "headroom.seal_slice('t', -1)",
        "headroom.seal_slice('plain', 0)",
        "headroom.seal('t', interval '999999 years')",
        "headroom.unseal('plain')",
        "headroom.unseal(0::regclass)",
        "headroom.unseal('v')",
        "headroom.number_columns('plain')",
        "headroom.number_columns(0::regclass)",
        "headroom.begin_sealing('v', interval '0')",
        "headroom.begin_sealing(1::regclass, interval '0')",
        "headroom.sealed_rows_handler()",
        "headroom.meet_sealed_key()",
        "headroom.watch_altered()",
        "headroom.create_hypertable('t', '', '')",
        "headroom.create_hypertable('t_sealed', 'at')",
    ] {
        let told = match cluster.try_psql("db", &format!("\\set VERBOSITY verbose\nselect {call}")) {
            Ok(_) => continue,
            Err(error) => format!("{error:#}"),
        };
        assert!(
            told.contains("ERROR:") && !told.contains("XX000") && !told.contains("connection"),
            "{call}: {told}"
        );
    }
    for call in ["headroom.seal('t')", "headroom.unseal('t')", "headroom.number_columns('t')"] {
        let told = format!(
            "{:#}",
            cluster
                .try_psql("db", &format!("\\set VERBOSITY verbose\nset role stranger; select {call}"))
                .expect_err(call)
        );
        assert!(told.contains("42501"), "{call}: {told}");
    }
    for table in ["t", "t_sealed", "t_blocks"] {
        let told = format!(
            "{:#}",
            cluster.try_psql("db", &format!("set role stranger; select * from {table}")).expect_err(table)
        );
        assert!(told.contains("permission denied"), "{told}");
    }
    assert_eq!(cluster.psql("db", "select count(*) from t"), "10");
}
