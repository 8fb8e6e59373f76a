//! Altering and dropping a hypertable with sealed rows: what works, and what is refused with which remedy.

use headroom_tests::Cluster;

fn twins(cluster: &Cluster) {
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t (at timestamptz not null, device bigint not null, used bigint, note text, constraint t_key unique (at, device));
         alter table t drop column note;
         alter table t add column note text;
         insert into t select timestamptz '2026-01-01' + n * interval '1 hour', d, n, 'n' || n % 3
         from generate_series(1, 3) d, generate_series(0, 167) n;
         create table p (like t including all);
         insert into p table t;
         select headroom.create_hypertable('t', 'at', 'device');
         select headroom.seal('t', timestamptz '2026-01-04')",
    );
}

fn same(cluster: &Cluster) {
    let differences = cluster.psql(
        "db",
        "(table t except all table p) union all (table p except all table t) order by 1, 2 limit 5",
    );
    assert_eq!(differences, "");
}

#[test]
fn columns_are_added_renamed_and_dropped() {
    let cluster = Cluster::start();
    twins(&cluster);
    for sql in [
        "alter table TABLE add column score float8 default 2.5",
        "alter table TABLE add column tag text default 'it''s', add column empty int",
        "alter table TABLE add column since timestamptz not null default '2026-01-01'",
        "insert into TABLE values ('2026-01-02 00:30', 1, 1, 'late', 1, 't', 2)",
        "alter table TABLE rename column used to spent",
        "alter table TABLE rename column at to moment",
        "alter table TABLE rename column device to unit",
        "insert into TABLE (moment, unit) values ('2026-01-02 00:30', 2)",
        "update TABLE set score = score + spent, tag = tag || 'x' where unit = 2 and moment < '2026-01-03'",
        "alter table TABLE drop column spent",
        "alter table TABLE add column spent text default 'new'",
        "alter table TABLE drop column score, add column score smallint default 7",
        "alter table TABLE alter column tag set default 'other'",
        "alter table TABLE add constraint c check (score > 0)",
        "alter table TABLE alter column since drop default",
    ] {
        for table in ["t", "p"] {
            cluster.psql("db", &sql.replace("TABLE", table));
        }
        same(&cluster);
        cluster.psql("db", "select headroom.seal('t', timestamptz '2026-01-05')");
        same(&cluster);
    }
    assert_eq!(
        cluster.psql("db", "select time_column, segment_column from headroom.hypertables"),
        "moment|unit"
    );
    cluster.psql("db", "select headroom.unseal('t')");
    same(&cluster);
    assert_eq!(
        cluster.psql("db", "select count(*) from only t"),
        cluster.psql("db", "select count(*) from p")
    );
}

#[test]
fn what_could_not_be_kept_is_refused_with_the_remedy() {
    let cluster = Cluster::start();
    twins(&cluster);
    for (sql, words) in [
        ("alter table t alter column used type numeric", "cannot change from bigint to numeric"),
        ("alter table t add column r float8 default random()", "its value would be another in every row"),
        (
            "alter table t add column g bigint generated always as (used + 1) stored",
            "cannot be added over sealed rows",
        ),
        ("alter table t drop column at", "cannot be dropped"),
        ("alter table t alter column device drop not null", "may be null"),
        (
            "create table other (id bigint primary key); alter table t add foreign key (device) references other",
            "foreign key",
        ),
        (
            "create table other (at timestamptz, device bigint, foreign key (at, device) references t (at, device))",
            "foreign key",
        ),
        ("create table child () inherits (t)", "inherit"),
        ("create rule r as on delete to t do instead nothing", "it has a rule"),
        ("create unique index on t (at, device, used)", "unique key cannot be added"),
        ("truncate t, p; create unique index on t (used)", "the time column is not part of it"),
        ("alter table t add constraint c check (used > 20)", "violated"),
        ("alter table t alter column used set not null; alter table t set unlogged", "unlogged"),
        ("alter foreign table t_sealed no inherit t", "must inherit from public.t"),
        ("alter table t add column kind regclass", "can be renamed or dropped"),
        ("create publication p1 for table only t", "publication \"p1\" cannot have public.t"),
        ("create publication p2 for all tables", "publication \"p2\" cannot have public.t"),
        ("drop extension headroom cascade", "cannot be dropped: public.t has sealed rows"),
        ("drop schema headroom cascade", "cannot be dropped: public.t has sealed rows"),
        ("drop index t_at_device_idx", "guard index of public.t cannot be dropped"),
        (
            "alter table t drop constraint t_key; alter table t add constraint t_key unique (at, device)",
            "unique key cannot be added",
        ),
        ("drop foreign table t_sealed", "cannot be dropped"),
        ("drop table t_blocks", "cannot be dropped"),
        ("delete from only t; alter table t add column n int not null", "NOT NULL and has no default"),
    ] {
        let error = cluster.try_psql("db", &format!("begin; {sql}; commit")).expect_err(sql);
        let told = format!("{error:#}");
        assert!(told.contains(words), "expected «{words}» for {sql}\nbut got {told}");
        same(&cluster);
    }
}

/// What commits on the way cannot be refused when it has ended.
#[test]
fn what_is_done_concurrently_is_refused_before_it_begins() {
    let cluster = Cluster::start();
    twins(&cluster);
    let indexes =
        "select count(*), bool_and(indisvalid and indislive) from pg_index where indrelid = 't'::regclass";
    let before = cluster.psql("db", indexes);
    for (sql, words) in [
        ("drop index concurrently t_at_device_idx", "guard index of public.t cannot be dropped"),
        ("create unique index concurrently on t (at, device, used)", "unique key cannot be added"),
    ] {
        let told = format!("{:#}", cluster.try_psql("db", sql).expect_err(sql));
        assert!(told.contains(words) && told.contains("HINT"), "{sql}: {told}");
        assert_eq!(cluster.psql("db", indexes), before, "{sql}");
    }
    let taken = "insert into t (at, device) values ('2026-01-02', 1)";
    assert!(cluster.try_psql("db", taken).is_err(), "the key of a sealed row is taken");
    cluster.psql("db", "create index concurrently t_used on t (used)");
    cluster.psql("db", "drop index concurrently t_used");
}

/// Blocks hold values of types that users made as text: what would change that text, or what it may be, is refused.
#[test]
fn types_that_sealed_rows_have_stay_what_they_are() {
    let cluster = Cluster::start();
    twins(&cluster);
    cluster.psql(
        "db",
        "create type mood as enum ('low', 'high'); create domain share as int; create type pair as (a mood, b int[]);
         create table parts (like t); create type free as enum ('a', 'b')",
    );
    for table in ["t", "p"] {
        cluster.psql(
            "db",
            &format!(
                "alter table {table} add column m mood default 'low', add column s share default 3, add column q pair default row('high', '{{1}}')"
            ),
        );
    }
    cluster.psql("db", "select headroom.seal('t')");
    same(&cluster);
    for (sql, words) in [
        ("alter type mood rename value 'low' to 'less'", "column \"m\" of public.t has sealed rows"),
        ("alter domain share add check (value > 2)", "column \"s\" of public.t has sealed rows"),
        ("alter table t drop column m; alter type mood rename value 'low' to 'less'", "column \"q\""),
    ] {
        let told = format!("{:#}", cluster.try_psql("db", &format!("begin; {sql}; commit")).expect_err(sql));
        assert!(told.contains(words) && told.contains("HINT"), "{sql}: {told}");
        same(&cluster);
    }
    // Renamed or moved, a type is still the same.
    cluster.psql(
        "db",
        "create schema other; alter type mood rename to spirit; alter type spirit set schema other;
         alter type other.spirit add value 'mid'; alter type free rename value 'a' to 'c';
         alter domain share set default 4; alter table t add column more other.spirit default 'mid';
         alter table p add column more other.spirit default 'mid'",
    );
    same(&cluster);
    cluster.psql("db", "select headroom.unseal('t'); alter type other.spirit rename value 'low' to 'less'; select headroom.seal('t')");
    same(&cluster);
}

#[test]
fn a_table_without_sealed_rows_changes_types_and_begins_anew() {
    let cluster = Cluster::start();
    twins(&cluster);
    let refused = "alter table t alter column used type numeric";
    assert!(cluster.try_psql("db", refused).is_err(), "over sealed rows");
    assert!(cluster.try_psql("db", "drop foreign table t_sealed").is_err(), "over sealed rows");
    cluster.psql("db", "select headroom.unseal('t')");
    for sql in [
        "alter table TABLE alter column used type numeric",
        "alter table TABLE alter column device type text",
        "alter table TABLE alter column at type timestamp",
    ] {
        for table in ["t", "p"] {
            cluster.psql("db", &sql.replace("TABLE", table));
        }
        cluster.psql("db", "select headroom.seal('t', timestamp '2026-01-05')");
        same(&cluster);
        assert!(
            cluster.try_psql("db", "insert into t (at, device) values ('2026-01-02', '1')").is_err(),
            "{sql}"
        );
        cluster.psql("db", "select headroom.unseal('t')");
    }
    cluster.psql("db", "drop foreign table t_sealed");
    assert_eq!(
        cluster
            .psql("db", "select sealed is null, to_regclass('t_blocks') is null from headroom.hypertables"),
        "t|t"
    );
    cluster.psql("db", "select headroom.seal('t')");
    same(&cluster);
}

#[test]
fn sealed_rows_go_with_their_table_to_another_owner() {
    let cluster = Cluster::start();
    twins(&cluster);
    cluster.psql(
        "db",
        "create role keeper; grant usage on schema headroom to keeper; grant all on schema public to keeper;
         alter table t owner to keeper; alter table p add column n int default 4;
         set role keeper; alter table t add column n int default 4; select headroom.seal('t')",
    );
    same(&cluster);
    let owners = "select distinct relowner::regrole from pg_class where relname ~ '^t(_sealed|_blocks)?$'";
    assert_eq!(cluster.psql("db", owners), "keeper");
}

#[test]
fn a_dropped_hypertable_takes_its_sealed_rows_along() {
    let cluster = Cluster::start();
    twins(&cluster);
    cluster.psql("db", "drop table t");
    assert_eq!(cluster.psql("db", "select count(*) from headroom.hypertables"), "0");
    assert_eq!(
        cluster.psql("db", "select to_regclass('t_blocks') is null and to_regclass('t_sealed') is null"),
        "t"
    );
    cluster.psql("db", "drop extension headroom");
}
