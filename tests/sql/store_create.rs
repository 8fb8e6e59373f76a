//! `headroom.create_hypertable`: what becomes a hypertable, and what is refused with which remedy.

use headroom_tests::Cluster;

const TABLE: &str = "create table readings (at timestamptz not null, device bigint not null, value float8)";

#[test]
fn an_ordinary_table_becomes_a_hypertable_and_keeps_its_rows() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", TABLE);
    cluster.psql("db", "insert into readings values ('2026-01-01', 1, 2.5)");
    cluster.psql("db", "select headroom.create_hypertable('readings', 'at', 'device')");
    let entered =
        cluster.psql("db", "select relation, time_column, segment_column from headroom.hypertables");
    assert_eq!(entered, "readings|at|device");
    assert_eq!(cluster.psql("db", "select count(*) from readings"), "1");
}

#[test]
fn a_second_call_is_refused_unless_it_is_expected() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", TABLE);
    cluster.psql("db", "select headroom.create_hypertable('readings', 'at')");
    refused(&cluster, "", "select headroom.create_hypertable('readings', 'at')", "is a hypertable already");
    cluster.psql("db", "select headroom.create_hypertable('readings', 'at', if_not_exists => true)");
}

#[test]
fn what_could_not_be_kept_is_refused_with_the_remedy() {
    let cluster = Cluster::start();
    cluster.database("db");
    let call = "select headroom.create_hypertable('t', 'at', 'device')";
    let columns = "at timestamptz not null, device bigint not null, value float8";
    for (make, call, words) in [
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable('t', 'when')",
            "does not exist",
        ),
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable('t', 'value')",
            "cannot order rows in time",
        ),
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable('t', 'at', 'at')",
            "time and segment at once",
        ),
        (
            "create table t (at timestamptz, device bigint not null)".to_owned(),
            call,
            "ALTER COLUMN at SET NOT NULL",
        ),
        (
            "create table t (at timestamptz not null, device bigint)".to_owned(),
            call,
            "ALTER COLUMN device SET NOT NULL",
        ),
        ("create table t (at timestamptz not null, device json not null)".to_owned(), call, "has no order"),
        (format!("create table t ({columns}, unique (device))"), call, "the time column is not part of it"),
        (format!("create table t ({columns}, unique (at))"), call, "the segment column is not part of it"),
        (format!("create table t ({columns}, unique (at, device) deferrable)"), call, "it is deferrable"),
        (
            format!("create table t ({columns}); create unique index on t (at, device) where value > 0"),
            call,
            "covers part",
        ),
        (
            format!("create table t ({columns}); create unique index on t (at, device, abs(value))"),
            call,
            "expression",
        ),
        (
            format!("create table t ({columns}, unique nulls not distinct (at, device, value))"),
            call,
            "takes nulls for equal",
        ),
        (
            format!(
                "create table other (id bigint primary key); create table t ({columns}, foreign key (device) references other)"
            ),
            call,
            "DROP CONSTRAINT",
        ),
        (
            format!(
                "create table t ({columns}, primary key (at, device)); create table other (at timestamptz, device bigint, foreign key (at, device) references t)"
            ),
            call,
            "ALTER TABLE other DROP CONSTRAINT",
        ),
        (
            format!("create table t ({columns}); create rule r as on delete to t do instead nothing"),
            call,
            "DROP RULE r",
        ),
        (format!("create unlogged table t ({columns})"), call, "unlogged"),
        (format!("create table t ({columns}) partition by range (at)"), call, "partitioned"),
        (format!("create table u ({columns}); create view t as select * from u"), call, "it is a view"),
        (format!("create table t ({columns}); create table child () inherits (t)"), call, "inherits"),
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable('pg_class', 'oid')",
            "system catalogue",
        ),
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable(0::regclass, 'at')",
            "ERROR",
        ),
        (
            format!("create table t ({columns})"),
            "select headroom.create_hypertable('headroom.hypertables', 'at')",
            "system catalogue",
        ),
    ] {
        refused(&cluster, &make, call, words);
        assert_eq!(cluster.psql("db", "select count(*) from headroom.hypertables"), "0", "after {make}");
    }
}

#[test]
fn only_the_owner_may() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", "create role stranger; create role keeper; grant usage on schema headroom to public");
    cluster.psql("db", TABLE);
    cluster.psql("db", "alter table readings owner to keeper");
    refused(
        &cluster,
        "",
        "set role stranger; select headroom.create_hypertable('readings', 'at')",
        "must be owner of table readings",
    );
    cluster.psql("db", "set role keeper; select headroom.create_hypertable('readings', 'at')");
    assert_eq!(cluster.psql("db", "select count(*) from headroom.hypertables"), "1");
    refused(&cluster, "", "set role keeper; delete from headroom.hypertables", "permission denied");
}

/// Runs it in a transaction that is undone, and expects an error with these words.
fn refused(cluster: &Cluster, make: &str, call: &str, words: &str) {
    let error = cluster
        .try_psql("db", &format!("begin; {make}; {call}; rollback"))
        .expect_err(&format!("it must be refused: {make}; {call}"));
    let told = format!("{error:#}");
    assert!(told.contains(words), "expected «{words}» for {make}; {call}\nbut got {told}");
}
