//! Writing into a hypertable with sealed rows: as into a plain table with the same keys.

use headroom_tests::Cluster;

/// A hypertable with a unique key, sealed up to the fourth, and a plain twin of it.
fn twins(cluster: &Cluster) {
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t (at timestamptz not null, device bigint not null, used bigint check (used >= 0), note text,
             constraint t_key unique (device, at));
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
    assert_eq!(cluster.psql("db", "select count(*) - count(distinct (at, device)) from t"), "0");
}

/// Runs a statement on both tables; both must do the same.
fn both(cluster: &Cluster, sql: &str) {
    let hyper = cluster.try_psql("db", &sql.replace("TABLE", "t"));
    let plain = cluster.try_psql("db", &sql.replace("TABLE", "p"));
    match (hyper, plain) {
        (Ok(hyper), Ok(plain)) => {
            // Without ORDER BY a statement's rows are in no order.
            let sorted = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&hyper), sorted(&plain), "{sql}");
        }
        (Err(hyper), Err(plain)) => {
            let first = |error: &anyhow::Error| {
                error
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .replace("p_device_at_key", "t_key")
                    .replace("\"p\"", "\"t\"")
                    .replace("p_used_check", "t_used_check")
            };
            assert_eq!(first(&hyper), first(&plain), "{sql}");
        }
        (hyper, plain) => panic!("{sql}\nhypertable: {hyper:?}\nplain: {plain:?}"),
    }
    same(cluster);
}

#[test]
fn sealed_keys_are_keys() {
    let cluster = Cluster::start();
    twins(&cluster);
    for sql in [
        "insert into TABLE values ('2026-01-02', 1, 5, 'x')",
        "insert into TABLE values ('2026-01-02 00:30', 1, 5, 'late')",
        "insert into TABLE values ('2026-01-02 00:30', 1, 6, 'late')",
        "insert into TABLE values ('2026-01-02 01:00', 1, 5, 'x') on conflict do nothing returning used",
        "insert into TABLE values ('2026-01-02 02:00', 1, 5, 'x'), ('2026-02-02 02:00', 1, 5, 'x') on conflict (device, at) do nothing returning used",
        "insert into TABLE values ('2026-01-02 03:00', 2, 55, 'new') on conflict (device, at) do update set used = excluded.used, note = TABLE.note || '!' returning *",
        "insert into TABLE values ('2026-01-02 03:00', 2, 56, 'new'), ('2026-01-02 03:00', 2, 57, 'new') on conflict (device, at) do update set used = excluded.used",
        "insert into TABLE select at, device, used + 1, note from TABLE where device = 3 on conflict (device, at) do update set used = excluded.used where TABLE.used % 2 = 0",
        "with new as (insert into TABLE values ('2026-01-02 04:00', 1, 77, 'cte') on conflict (at, device) do update set used = 78 returning used) select * from new",
        "begin; insert into TABLE values ('2026-01-02 05:00', 1, 78, 'twice') on conflict (at, device) do update set used = 79; insert into TABLE values ('2026-01-02 05:00', 1, 80, 'twice') on conflict (at, device) do update set used = TABLE.used + 1 returning used; commit",
        "begin; savepoint s; insert into TABLE values ('2026-01-02 06:00', 2, 78, 'undone') on conflict (at, device) do update set used = 79; rollback to s; insert into TABLE values ('2026-01-02 06:00', 2, 81, 'kept') on conflict (at, device) do update set used = 82 returning used; commit",
        "insert into TABLE values ('2026-01-02 07:00', 1, -5, 'refused') on conflict (at, device) do update set used = -1",
        "copy TABLE from stdin;\n2026-01-02 08:00:00+00\t1\t4\tcopied\n\\.\n",
        "copy TABLE from stdin;\n2026-01-02 08:10:00+00\t1\t4\tcopied\n2026-03-02 08:10:00+00\t1\t4\tcopied\n\\.\n",
    ] {
        both(&cluster, sql);
    }
}

#[test]
fn sealed_rows_are_updated_and_deleted() {
    let cluster = Cluster::start();
    twins(&cluster);
    for sql in [
        "update TABLE set used = used + 1000 where at = '2026-01-02' returning device, used",
        "update TABLE set note = 'all'",
        "update TABLE set used = -1 where at = '2026-01-02' and device = 3",
        "update TABLE set at = at + interval '1 hour' where at = '2026-01-02' and device = 3",
        "update TABLE set at = at + interval '1 minute' where at < '2026-01-02' and device = 3 returning *",
        "update TABLE a set used = b.used from TABLE b where a.device = 1 and b.device = 2 and a.at = b.at and a.at < '2026-01-02'",
        "update TABLE a set used = b.n from (values (1, 7), (1, 8)) b (device, n) where a.device = b.device and a.at = '2026-01-03' and b.n = 7",
        "delete from TABLE where device = 2 and used % 2 = 0 returning at, device, used, note",
        "begin; delete from TABLE where device = 1; rollback",
        "begin; delete from TABLE where at = '2026-01-03'; insert into TABLE values ('2026-01-03', 1, 1, 'again'); commit",
        "with gone as (delete from TABLE where at = '2026-01-03 05:00' returning *) insert into TABLE select at, device, used + 1, note from gone returning device, used",
        "begin isolation level repeatable read; select count(*) from TABLE; update TABLE set used = 3 where at = '2026-01-03 06:00'; select sum(used) from TABLE; commit",
        "prepare q (int) as update TABLE set used = $1 where at = '2026-01-03 07:00'; execute q (1); execute q (2); execute q (3); execute q (4); execute q (5); execute q (6); execute q (7)",
        // Two parts of a statement change rows of one block.
        "with a as (update TABLE set used = 0 where at = '2026-01-02 09:00' returning *), b as (delete from TABLE where at = '2026-01-02 10:00' returning *), c as (insert into TABLE values ('2026-01-02 11:00', 1, 5) on conflict (device, at) do update set used = 6 returning *) select (select count(*) from a), (select count(*) from b), (select sum(used) from c), (select count(*) from TABLE)",
        "with a as (delete from TABLE where at = '2026-01-02 12:00' and device = 2 returning used) update TABLE set used = used + (select min(used) from a) where device in (1, 2) and at between '2026-01-02 12:00' and '2026-01-02 13:00' and (device = 1 or at > '2026-01-02 12:00')",
        "delete from TABLE where device = 1",
    ] {
        both(&cluster, sql);
        cluster.psql("db", "select headroom.seal('t', timestamptz '2026-01-05')");
        same(&cluster);
    }
    assert_eq!(cluster.psql("db", "select count(*) from t_blocks where segment = 1"), "0");
    both(&cluster, "truncate TABLE");
    assert_eq!(cluster.psql("db", "select count(*) from t_blocks"), "0");
    both(&cluster, "insert into TABLE values ('2026-01-02', 1, 5, 'x')");
}

/// A session remembers times of sealed rows over transactions: what others seal and unseal meanwhile must count.
#[tokio::test]
async fn a_session_that_knows_sealed_times_learns_what_others_do() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t (at timestamptz not null, device bigint not null, used bigint, unique (at, device));
         insert into t select timestamptz '2026-01-01' + n * interval '1 hour', 1, n from generate_series(0, 99) n;
         select headroom.create_hypertable('t', 'at', 'device'); select headroom.seal('t')",
    );
    let writer = cluster.connect("db").await;
    let insert = async |at: &str| {
        let sql = format!("insert into t values (timestamptz '2026-01-01' + interval '{at}', 1, -1)");
        writer
            .batch_execute(&sql)
            .await
            .err()
            .and_then(|error| error.code().map(|code| code.code().to_owned()))
    };
    let taken = Some("23505".to_owned());
    assert_eq!(insert("5 hours").await, taken);
    assert_eq!(insert("5 hours 1 minute").await, None);
    cluster.psql("db", "select headroom.seal('t')");
    assert_eq!(insert("5 hours 1 minute").await, taken);
    assert_eq!(insert("5 hours 2 minutes").await, None);
    cluster.psql("db", "delete from t where at = timestamptz '2026-01-01' + interval '5 hours'");
    assert_eq!(insert("5 hours").await, None);
    assert_eq!(insert("6 hours").await, taken, "unsealed with the other");
    writer
        .batch_execute("begin; savepoint s; update t set used = 0 where used = 77; rollback to s")
        .await
        .expect("unseals and undoes it");
    let sealed_again = "insert into t values (timestamptz '2026-01-01' + interval '5 hours 1 minute', 1, -1)";
    assert!(writer.batch_execute(sealed_again).await.is_err(), "what was undone is sealed again");
    writer.batch_execute("rollback").await.expect("ends");
    assert_eq!(insert("5 hours 1 minute").await, taken);
    assert_eq!(cluster.psql("db", "select count(*), count(distinct at) from t"), "102|102");
}

#[test]
fn what_leaves_sealed_rows_out_by_its_own_word_says_so() {
    let cluster = Cluster::start();
    twins(&cluster);
    let warned = |sql: &str| {
        let output = cluster
            .client_program("psql")
            .args(["-XAtq", "-d", "db", "-c", sql])
            .output()
            .expect("psql runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for sql in [
        "select count(*) from only t",
        "copy t to '/dev/null'",
        "delete from only t where used < 0",
        "update only t set used = 0 where false",
        "begin; truncate only t; rollback",
    ] {
        let told = warned(sql);
        assert!(told.contains("WARNING") && told.contains("not sealed"), "{sql}: {told}");
    }
    for sql in [
        "select count(*) from t",
        "copy (select * from t) to '/dev/null'",
        "select headroom.seal('t')",
        "select count(*) from only p",
    ] {
        assert_eq!(warned(sql), "", "{sql}");
    }
}

#[test]
fn what_would_be_done_to_some_rows_only_is_refused() {
    let cluster = Cluster::start();
    twins(&cluster);
    let refused = |sql: &str, words: &str| {
        let told = format!("{:#}", cluster.try_psql("db", sql).expect_err(sql));
        assert!(told.contains(words) && told.contains("HINT"), "{sql}: {told}");
        same(&cluster);
    };
    let merge =
        "merge into t using p on t.at = p.at and t.device = p.device when matched then update set used = 1";
    let told = format!("{:#}", cluster.try_psql("db", merge).expect_err(merge));
    assert!(told.contains("cannot execute MERGE"), "{told}");
    same(&cluster);
    cluster.psql(
        "db",
        "create function loud() returns trigger language plpgsql as 'begin return new; end';
         create trigger loud before update on t for each row execute function loud()",
    );
    refused("update t set used = 5", "row triggers for UPDATE");
    refused("select count(*) from t tablesample bernoulli (10)", "TABLESAMPLE of public.t is not possible");
}
