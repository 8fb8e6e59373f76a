//! What a database administrator does: dump and restore, a standby, a check of the files, sizes, an upgrade.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use headroom_tests::cluster::{Cluster, READINGS};
use xtask::server::{Places, Server};

/// Everything about its rows in one line.
const DIGEST: &str = "select count(*), sum(hashtextextended(r::text, 7)::numeric) from readings r";

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn dumps_need_no_hooks_even_without_preload() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", READINGS);
    let digest = cluster.psql("db", DIGEST);
    assert!(digest.starts_with("21001|"), "{digest}");
    let plain =
        cluster.client_program("pg_dump").arg("db").stdout(Stdio::piped()).output().expect("pg_dump starts");
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    let plain = String::from_utf8(plain.stdout).expect("a dump is text");
    let custom = cluster.folder().join("run/db.dump");
    run(cluster.client_program("pg_dump").args(["-Fc", "-f"]).arg(&custom).arg("db"));
    let bare = Cluster::with(&[]);
    for (server, name) in [(&cluster, "with"), (&bare, "without")] {
        server.psql("postgres", "create database plain");
        server.psql("plain", &plain);
        assert_eq!(server.psql("plain", DIGEST), digest, "psql, {name} preload");
        server.psql("postgres", "create database custom");
        let readable = server.folder().join("run/copy.dump");
        fs::copy(&custom, &readable).expect("the dump is copied");
        run(server
            .client_program("pg_restore")
            .args(["-j2", "--exit-on-error", "-d", "custom"])
            .arg(&readable));
        assert_eq!(server.psql("custom", DIGEST), digest, "pg_restore -j2, {name} preload");
        for database in ["plain", "custom"] {
            let alive = "insert into readings values ('2026-02-01 00:00:01', 3, -2, 'later') on conflict (device, at) do update set value = excluded.value;
                         select headroom.seal('readings'); select count(*), min(value) from readings";
            assert_eq!(
                server.psql(database, alive).lines().last(),
                Some("21001|-2"),
                "{database}, {name} preload"
            );
            assert_eq!(
                server.psql(database, "select kind, relation from headroom.job_stats"),
                "seal|readings"
            );
            let again = "select headroom.add_retention_policy('readings', '10 years') > 1";
            assert_eq!(server.psql(database, again), "t", "numbers of jobs go on");
        }
    }
}

#[test]
fn a_standby_reads_everything_and_runs_nothing() {
    let mut cluster =
        Cluster::with(&[("shared_preload_libraries", "headroom"), ("headroom.job_interval", "1s")]);
    cluster.database("db");
    cluster.psql("db", READINGS);
    let data = cluster.folder().join("run/standby");
    run(cluster.client_program("pg_basebackup").args(["-R", "-X", "stream", "-c", "fast", "-D"]).arg(&data));
    let primary = cluster.server().places();
    let places = Places {
        tree: primary.tree.clone(),
        socket: cluster.folder().join("run/s"),
        log: cluster.folder().join("run/standby.log"),
        bound_to_parent: false,
        data,
    };
    let settings = [
        ("shared_preload_libraries", "headroom"),
        ("headroom.job_interval", "1s"),
        ("shared_buffers", "64MB"),
    ];
    let standby = Server::start(places, &settings, None).expect("the standby starts");
    cluster.psql("db", "insert into readings values ('2026-02-02 00:00:01', 3, -1, 'later'); select headroom.seal('readings')");
    let wanted = cluster.psql("db", DIGEST);
    let begun = Instant::now();
    while standby.psql("db", DIGEST).expect("the standby answers") != wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "the standby stays behind");
        thread::sleep(Duration::from_millis(100));
    }
    let refused =
        standby.psql("db", "select headroom.seal('readings')").expect_err("a standby writes nothing");
    assert!(format!("{refused:#}").contains("in a read-only transaction"), "{refused:#}");
    let launchers = "select count(*) from pg_stat_activity where backend_type like 'headroom%'";
    assert_eq!(standby.psql("db", launchers).expect("the standby answers"), "0");
    let forecast = "select (headroom.exhaustion(at, value, 1e6)).state from readings";
    assert_eq!(standby.psql("db", forecast).expect("the standby answers"), cluster.psql("db", forecast));
}

#[test]
fn the_files_are_clean() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", READINGS);
    cluster.psql("db", "create extension amcheck; select headroom.unseal('readings'); select headroom.seal('readings'); vacuum readings");
    // What docs/operations.md says of the space of indexes after a first sealing.
    cluster.psql("db", "reindex table concurrently readings");
    run(cluster.client_program("pg_amcheck").args(["--heapallindexed", "--rootdescend", "-d", "db"]));
}

#[test]
fn sizes_count_rows_blocks_and_indexes() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", READINGS);
    let parts = "select headroom.hypertable_size('readings') = pg_total_relation_size('readings') + pg_total_relation_size(blocks),
                        s.total_bytes = headroom.hypertable_size('readings') and s.table_bytes > 0 and s.index_bytes > 0
                   from headroom.hypertables, headroom.hypertable_detailed_size('readings') s";
    assert_eq!(cluster.psql("db", parts), "t|t");
    assert_eq!(cluster.psql("db", "select headroom.hypertable_size('pg_class') is null"), "t");
    let blocks = "select sum(row_count) = (select count(*) - (select count(*) from only readings) from readings), count(distinct segment_value),
                         min(block_bytes) > 0 from headroom.show_blocks('readings')";
    assert_eq!(cluster.psql("db", blocks), "t|7|t");
    assert_eq!(
        cluster.psql("db", "select count(distinct segment_value) from headroom.show_blocks('readings', '3')"),
        "1"
    );
    let stranger = cluster.try_psql(
        "db",
        "create role stranger; set role stranger; select * from headroom.show_blocks('readings')",
    );
    assert!(format!("{:#}", stranger.expect_err("blocks are the owner's")).contains("permission denied"));
}
