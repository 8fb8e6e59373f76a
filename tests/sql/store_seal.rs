//! Sealing and unsealing: every row is there before, between and after, once, whoever asks.

use headroom_tests::Cluster;

/// A hypertable of three devices with a reading every ten minutes for a week, and a plain table with the same rows.
fn readings(cluster: &Cluster) {
    cluster.database("db");
    cluster.psql(
        "db",
        "create table readings (
             at timestamptz not null, device bigint not null, used bigint, busy float4, load float8, hot smallint,
             wear int, ok boolean, note text, boot uuid, extra jsonb, price numeric(12, 3), unique (at, device));
         insert into readings
         select t, d, case when n % 7 <> 0 then 4096 * (n + d) end, (n % 1000) / 100.0::float4, n / 3.0::float8,
                n % 90, n / 100, n % 5 <> 0, case n % 3 when 0 then 'a' when 1 then 'ünt' end,
                md5((n / 500)::text)::uuid, jsonb_build_object('n', n % 4), (n % 77) / 8.0
         from generate_series(1, 3) d,
              generate_series(timestamptz '2026-01-01', '2026-01-08', '10 minutes') with ordinality s(t, n);
         create table plain as table readings;
         select headroom.create_hypertable('readings', 'at', 'device')",
    );
}

const SAME: &str = "select (select count(*) from (table readings except all table plain) a)
    + (select count(*) from (table plain except all table readings) b), (select count(*) from readings)";

#[test]
fn sealed_rows_are_the_rows_that_were_sealed() {
    let cluster = Cluster::start();
    readings(&cluster);
    assert_eq!(cluster.psql("db", "select headroom.seal('readings', timestamptz '2026-01-05')"), "1728");
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "1299");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
    assert_eq!(cluster.psql("db", "select headroom.seal('readings')"), "1299");
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "0");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
    assert_eq!(cluster.psql("db", "select headroom.seal('readings')"), "0");
    assert_eq!(cluster.psql("db", "select headroom.unseal('readings')"), "3027");
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "3027");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
}

/// Segments of types that blocks hold as text are told apart by their datums, which may be no strings.
#[test]
fn segments_of_any_type_are_sealed() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", "create type mood as enum ('low', 'high')");
    for (number, (kind, value)) in [
        ("mood", "(array['low', 'high'])[1 + n % 2]::mood"),
        ("name", "('n' || n % 2)::name"),
        ("numeric", "(array['1.0', '1.00', '2'])[1 + n % 3]::numeric"),
    ]
    .into_iter()
    .enumerate()
    {
        let (t, p) = (format!("t{number}"), format!("p{number}"));
        cluster.psql(
            "db",
            &format!(
                "create table {t} (at timestamptz not null, device {kind} not null, used int);
                 insert into {t} select timestamptz '2026-01-01' + n * interval '1 hour', {value}, n from generate_series(1, 300) n;
                 create table {p} as table {t};
                 select headroom.create_hypertable('{t}', 'at', 'device'); select headroom.seal('{t}', timestamptz '2026-01-09')"
            ),
        );
        for question in
            ["at, device::text, used from TABLE", "max(used), count(*) from TABLE group by device"]
        {
            let ask = |table: &str| format!("select {}", question.replace("TABLE", table));
            let (t, p) = (ask(&t), ask(&p));
            let differences =
                format!("select count(*) from (({t} except all {p}) union all ({p} except all {t})) d");
            assert_eq!(cluster.psql("db", &differences), "0", "{kind}: {question}");
        }
    }
}

#[test]
fn a_sealing_that_is_undone_leaves_everything_as_it_was() {
    let cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "begin; select headroom.seal('readings'); rollback");
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "3027");
    cluster.psql("db", "select headroom.seal('readings', timestamptz '2026-01-03')");
    cluster.psql("db", "begin; select headroom.seal('readings'); rollback");
    cluster.psql("db", "begin; select headroom.unseal('readings'); rollback");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
}

#[test]
fn slices_together_seal_everything_that_is_older() {
    let cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "call headroom.seal_by_slices('readings', timestamptz '2026-01-03')");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
    assert_eq!(cluster.psql("db", "select min(at) = '2026-01-03' from only readings"), "t");
    cluster.psql(
        "db",
        "select headroom.unseal('readings'); call headroom.seal_by_slices('readings', '1 day'::interval)",
    );
    assert_eq!(cluster.psql("db", SAME), "0|3027");
    assert_eq!(cluster.psql("db", "select count(*) from only readings"), "0");
}

/// Rows are read first and sealed later: whatever happens to them in between must show.
#[test]
fn rows_that_change_between_reading_and_sealing_stay_as_they_are_now() {
    let cluster = Cluster::start();
    readings(&cluster);
    let steps = [
        "select headroom.begin_sealing('readings', timestamptz '2026-01-08')",
        "update readings set used = -1 where device = 1 and at < '2026-01-02'",
        "update plain set used = -1 where device = 1 and at < '2026-01-02'",
        "delete from readings where device = 2 and at = '2026-01-05 01:00'; delete from plain where device = 2 and at = '2026-01-05 01:00'",
        // The place of the row that is gone is given to another.
        "vacuum readings",
        "insert into readings (at, device, used) values ('2026-01-05 01:00', 2, -2), ('2026-01-05 01:01', 2, -3)",
        "insert into plain (at, device, used) values ('2026-01-05 01:00', 2, -2), ('2026-01-05 01:01', 2, -3)",
        "select headroom.seal_slice('readings', 0)",
        "select headroom.seal_slice('readings', 1)",
    ];
    let answers = psql_in_one_session(&cluster, &steps);
    // Device 3 alone is as it was.
    assert_eq!(answers.last().map(String::as_str), Some("1008"), "{answers:?}");
    assert_eq!(cluster.psql("db", SAME), "0|3028");
    assert_eq!(cluster.psql("db", "select headroom.seal('readings')"), "2020");
    assert_eq!(cluster.psql("db", SAME), "0|3028");
}

/// A table that is written anew in between has other rows where the old ones were.
#[test]
fn rows_that_move_between_reading_and_sealing_are_not_sealed() {
    let cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "create index by_used on readings (used desc)");
    for (rewrite, until) in [("vacuum full readings", "03:00"), ("cluster readings using by_used", "06:00")] {
        let old = format!("where at < '2026-01-01 {until}'");
        cluster.psql("db", &format!("delete from readings {old}; delete from plain {old}"));
        let mut psql = cluster.client_program("psql");
        let begin = "select headroom.begin_sealing('readings', timestamptz '2026-01-08')";
        psql.args(["-XAtq", "-d", "db"]);
        for sql in [
            begin,
            rewrite,
            "select headroom.seal_slice('readings', 0)",
            "select headroom.seal_slice('readings', 1)",
        ] {
            psql.args(["-c", sql]);
        }
        let output = psql.output().expect("psql runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("the places of all rows of public.readings changed"), "{rewrite}: {told}");
        let differences = cluster.psql("db", "select count(*) from ((table readings except all table plain) union all (table plain except all table readings)) d");
        assert_eq!(differences, "0", "{rewrite}");
    }
}

#[test]
fn a_slice_that_was_not_begun_or_does_not_fit_any_more_is_refused() {
    let cluster = Cluster::start();
    readings(&cluster);
    let refused = |sql: &str| format!("{:#}", cluster.try_psql("db", sql).expect_err(sql));
    assert!(refused("select headroom.seal_slice('readings', 0)").contains("has not begun to seal"));
    let begin = "select headroom.begin_sealing('readings', interval '0')";
    let altered = refused(&format!(
        "{begin}; select headroom.seal_slice('readings', 0); alter table readings add more int; select headroom.seal_slice('readings', 1)"
    ));
    assert!(altered.contains("changed while it was sealed"), "{altered}");
    assert_eq!(cluster.psql("db", "select count(*), count(more) from readings"), "3027|0");
}

/// Each statement is a transaction of its own; its last line of output.
fn psql_in_one_session(cluster: &Cluster, statements: &[&str]) -> Vec<String> {
    let mut psql = cluster.client_program("psql");
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "db"]);
    let mut answers = Vec::new();
    for statement in statements {
        psql.args(["-c", statement, "-c", "select 'end'"]);
    }
    let output = psql.output().expect("psql starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in text.split("end\n") {
        answers.push(part.trim().lines().last().unwrap_or_default().to_owned());
    }
    answers.pop();
    answers
}

#[test]
fn a_session_and_a_server_without_the_library_preloaded_see_every_row() {
    let mut cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "select headroom.seal('readings', timestamptz '2026-01-05')");
    cluster.server().stop();
    cluster.server().set("shared_preload_libraries", "");
    cluster.server().start_again().expect("it starts without the library");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
}

#[tokio::test]
async fn a_snapshot_and_a_cursor_older_than_the_sealing_see_every_row() {
    let cluster = Cluster::start();
    readings(&cluster);
    let old = cluster.connect("db").await;
    let prepared =
        old.prepare("select count(*), count(distinct (device, at)) from readings").await.expect("prepares");
    old.batch_execute(
        "begin isolation level repeatable read; declare c cursor for select * from readings; fetch 5 from c",
    )
    .await
    .expect("begins");
    cluster.psql("db", "select headroom.seal('readings', timestamptz '2026-01-03')");
    cluster.psql("db", "select headroom.seal('readings'); vacuum readings");
    let row = old.query_one(&prepared, &[]).await.expect("answers");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3027, 3027));
    let moved = old.execute("move all from c", &[]).await.expect("moves");
    assert_eq!(moved, 3022);
    old.batch_execute("commit").await.expect("commits");
    let row = old.query_one(&prepared, &[]).await.expect("answers");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3027, 3027));
}

#[test]
fn old_rows_are_deleted_block_by_block() {
    let cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "select headroom.seal('readings', timestamptz '2026-01-05')");
    cluster.psql("db", "insert into readings (at, device) values ('2026-01-01 00:03', 1); insert into plain (at, device) values ('2026-01-01 00:03', 1)");
    for day in ["2026-01-03", "2026-01-06", "2027-01-01"] {
        let hyper =
            cluster.psql("db", &format!("select headroom.delete_older('readings', timestamptz '{day}')"));
        let plain = cluster.psql(
            "db",
            &format!(
                "with gone as (delete from plain where at < '{day}' returning 1) select count(*) from gone"
            ),
        );
        assert_eq!(hyper, plain);
        assert_eq!(cluster.psql("db", "select count(*) from (table readings except all table plain) d"), "0");
    }
    assert_eq!(cluster.psql("db", "select count(*) from readings_blocks"), "0");
}

#[test]
fn explain_tells_how_many_blocks_were_read_and_analyze_knows_sealed_rows() {
    let cluster = Cluster::start();
    readings(&cluster);
    cluster.psql("db", "select headroom.seal('readings'); analyze readings");
    let plan = cluster.psql(
        "db",
        "explain (analyze, costs off, timing off, summary off) select * from readings where device = 2 and at < '2026-01-02' order by at desc limit 3",
    );
    assert!(plan.contains("Order: falling time") && plan.contains("Blocks Read: 1"), "{plan}");
    let plan = cluster.psql(
        "db",
        "explain (analyze, costs off, timing off, summary off) select * from readings where used < 0",
    );
    assert!(plan.contains("Blocks Skipped: 3"), "{plan}");
    let distinct = cluster.psql(
        "db",
        "select n_distinct from pg_stats where tablename = 'readings' and attname = 'device' and inherited",
    );
    assert_eq!(distinct, "3");
    let rows = cluster.psql("db", "select reltuples from pg_class where relname = 'readings_sealed'");
    assert_eq!(rows, "3027");
}

/// An autovacuum of a table that was just filled keeps its lock for minutes; it gives way.
#[test]
fn an_autovacuum_gives_way_to_sealing() {
    let cluster = Cluster::with(&[("shared_preload_libraries", "headroom"), ("autovacuum_naptime", "1s")]);
    readings(&cluster);
    cluster.psql(
        "db",
        "alter table readings set (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 10);
         create role owner; grant usage on schema headroom to owner; grant all on schema public to owner; alter table readings owner to owner;
         update readings set used = used",
    );
    let begun = std::time::Instant::now();
    let running = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
        where a.backend_type = 'autovacuum worker' and l.relation = 'readings'::regclass and l.mode = 'ShareUpdateExclusiveLock' and l.granted";
    while cluster.psql("db", running) == "0" {
        assert!(begun.elapsed().as_secs() < 60, "no autovacuum came");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    cluster.psql("db", "set role owner; call headroom.seal_by_slices('readings', timestamptz '2026-01-05')");
    assert_eq!(cluster.psql("db", "select count(*) < 3000 from only readings"), "t");
    assert_eq!(cluster.psql("db", SAME), "0|3027");
}
