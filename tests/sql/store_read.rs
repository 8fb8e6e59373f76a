//! Reading blocks as a whole: `daily_arrays`, `latest` and aggregates give what the same questions give on a plain table,
//! as whoever asks, and say what cannot be.

use headroom_tests::Cluster;

/// A hypertable `t` and a plain table `p` with the same rows: some sealed, some not, some late, with nulls and NaN; a
/// column was added after the first sealing. Device 4 has no sealed row.
const TWINS: &str = "
create table t (at timestamptz not null, device bigint not null, used bigint, busy float8, pct float4, hot smallint, ok boolean,
    note text, size int, unique (device, at));
create table p (like t including all);
select headroom.create_hypertable('t', 'at', 'device');
insert into t select timestamptz '2026-01-01' + n * interval '35 minutes', d, case when n % 11 <> 0 then 4096 * (n * d - 2000) end,
       case when n % 29 = 0 then 'NaN' when n % 13 <> 0 then n / 7.0 end, case when n % 31 = 0 then '-0' else n % 50 / 8.0 end,
       n % 70, n % 5 = 0, case n % 4 when 0 then 'a' when 1 then 'bb' end, case when d = 2 then null else n % 9 end
  from generate_series(1, 4) d, generate_series(0, 600) n where d < 4 or n > 500;
insert into p table t;
select headroom.seal('t', timestamptz '2026-01-10');
alter table t add column wear smallint default 7;
alter table p add column wear smallint default 7;
select headroom.seal('t', timestamptz '2026-01-12');
-- Late rows, before, between and after sealed ones; and a change that unseals a block.
insert into t (at, device, used, busy, size, wear) select timestamptz '2026-01-01 00:11' + n * interval '31 hours', d, -n, n, n, n
  from generate_series(1, 3) d, generate_series(0, 9) n;
insert into p (at, device, used, busy, size, wear) select timestamptz '2026-01-01 00:11' + n * interval '31 hours', d, -n, n, n, n
  from generate_series(1, 3) d, generate_series(0, 9) n;
delete from t where device = 3 and at between '2026-01-04' and '2026-01-05';
delete from p where device = 3 and at between '2026-01-04' and '2026-01-05';
select headroom.seal('t', timestamptz '2026-01-05');
create function same(text) returns text language plpgsql as $$
declare differences bigint; rows bigint;
begin
    execute format('select count(*) from ((%1$s except all %2$s) union all (%2$s except all %1$s)) d',
                   '(' || replace($1, 'TABLE', 't') || ')', '(' || replace($1, 'TABLE', 'p') || ')') into differences;
    execute 'select count(*) from (' || replace($1, 'TABLE', 't') || ') a' into rows;
    return differences || ' of ' || rows;
end $$;
-- What headroom.daily_arrays gives, in plain SQL.
create function days(relation regclass, segments bigint[], col text, statistic text, companion text, after timestamptz, until timestamptz, origin timestamptz)
returns table (device bigint, day timestamptz[], at timestamptz[], value float8[], companion_value float8[]) language plpgsql as $$
begin
    return query execute format('select device, array_agg(day order by day), array_agg(at order by day), array_agg(value order by day), array_agg(companion order by day)
        from (select device, date_bin(''1 day'', at, $4) as day, max(at) as at, (array_agg(%2$s order by at desc))[1]::float8 as companion, %3$s as value
                from (select device, at, %1$s as v, %2$s from %4$s where %1$s is not null and at > $2 and at <= $3 and ($1 is null or device = any ($1))) r group by 1, 2) d
        group by 1', col, companion,
        case statistic when 'first' then '(array_agg(v order by at))[1]::float8' when 'last' then '(array_agg(v order by at desc))[1]::float8'
            when 'p95' then 'percentile_cont(0.95) within group (order by v::float8)' when 'avg' then 'sum(v)::float8 / count(v)'
            else statistic || '(v)::float8' end, relation) using segments, after, until, origin;
end $$;
create table known as select 1::bigint as device union all select 3;
create role reader; grant select on known to reader; grant usage on schema headroom to reader; grant select on t, p to reader;
create role narrow; grant usage on schema headroom to narrow; grant select (at, device, used) on t to narrow;
";

fn twins() -> Cluster {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", TWINS);
    cluster
}

/// Daily arrays of the hypertable, of one column, as the function `days` gives them.
fn arrays(segments: &str, column: &str, statistic: &str, companion: &str, rest: &str) -> String {
    format!(
        "select segment as device, day, at, value, companion as companion_value from headroom.daily_arrays('t', {segments}, array['{column}'], array['{statistic}'], array['{companion}']{rest})"
    )
}

fn plain(
    segments: &str,
    column: &str,
    statistic: &str,
    companion: &str,
    after: &str,
    until: &str,
    origin: &str,
) -> String {
    format!(
        "select * from days('p', {segments}, '{column}', '{statistic}', '{companion}', '{after}', '{until}', '{origin}')"
    )
}

fn differences(one: &str, other: &str) -> String {
    format!("select count(*) from (({one} except all {other}) union all ({other} except all {one})) d")
}

#[test]
fn daily_arrays_are_those_of_plain_sql() {
    let cluster = twins();
    for (column, companion) in [
        ("used", "size"),
        ("hot", "used"),
        ("size", "wear"),
        ("wear", "pct"),
        ("pct", "hot"),
        ("size", "hot"),
    ] {
        for statistic in ["first", "last", "min", "max", "count", "p95"] {
            let one = arrays("null::bigint[]", column, statistic, companion, "");
            let other =
                plain("null", column, statistic, companion, "-infinity", "infinity", "2000-01-01 00:00+00");
            assert_eq!(cluster.psql("db", &differences(&one, &other)), "0", "{statistic} of {column}");
        }
    }
    for statistic in ["sum", "avg"] {
        let one = arrays("null::bigint[]", "used", statistic, "size", "");
        let other = plain("null", "used", statistic, "size", "-infinity", "infinity", "2000-01-01 00:00+00");
        assert_eq!(cluster.psql("db", &differences(&one, &other)), "0", "{statistic}");
    }
    // NaN is above everything; days from another origin; bounds in the middle of blocks; segments that are not there.
    let (after, until, origin) = ("2026-01-02 03:10+00", "2026-01-11 17:05+00", "2026-01-03 05:07+00");
    for (segments, statistic) in [
        ("array[2, 4, 9, null, 2]::bigint[]", "max"),
        ("array[1]::bigint[]", "min"),
        ("array[]::bigint[]", "last"),
    ] {
        let rest = format!(", \"after\" => '{after}', until => '{until}', origin => '{origin}'");
        let one = arrays(segments, "busy", statistic, "hot", &rest);
        let other = plain(segments, "busy", statistic, "hot", after, until, origin);
        assert_eq!(cluster.psql("db", &differences(&one, &other)), "0", "{segments} {statistic}");
    }
    // Several columns at once, in the order given, by rising segment; a divisor; without a companion there is none.
    let several = "select string_agg(segment || column_name || statistic || coalesce(companion[1]::text, '-') || value[1], ' ')
        from headroom.daily_arrays('t', array[2, 1]::bigint[], array['hot', 'used', 'size'], array['max', null, 'last'], array[null, 'hot', null], array[100, null, null]::float8[])";
    assert_eq!(
        cluster.psql("db", several),
        "1hotmax-0.41 1usedlast41-8024064 1sizelast-5 2hotmax-0.41 2usedlast41-7856128 2sizelast-0"
    );
}

#[test]
fn the_latest_rows_are_those_of_plain_sql() {
    let cluster = twins();
    let plain = "select distinct on (device) * from p order by device, at desc";
    for (what, segments) in
        [("all", ""), ("some", ", array[3, 4, 8, 3]::bigint[]"), ("null", ", null::bigint[]")]
    {
        let condition = if what == "some" { "where device in (3, 4)" } else { "" };
        let one = format!("select (l).* from (select headroom.latest(null::t{segments}) as l) x");
        let other = format!("select * from ({plain}) y {condition}");
        assert_eq!(cluster.psql("db", &differences(&one, &other)), "0", "{what}");
    }
    let one = "select * from headroom.latest(null::t)";
    // From the index alone, in a table where everybody sees everything and after blocks have gone; as one look-up each.
    let looked_up = "select l.* from generate_series(0, 9) d, lateral (select * from t where device = d order by at desc limit 1) l";
    for change in [
        "select headroom.seal('t')",
        "vacuum t",
        "delete from t where device = 3; delete from p where device = 3",
        "vacuum t",
    ] {
        cluster.psql("db", change);
        for one in [one, looked_up] {
            assert_eq!(cluster.psql("db", &differences(one, &format!("({plain})"))), "0", "{change}: {one}");
        }
    }
    // Everything sealed, then the newest rows gone; an index that does not help; many blocks of a segment.
    cluster.psql(
        "db",
        "select headroom.seal('t'); alter table t drop column pct; alter table p drop column pct",
    );
    assert_eq!(cluster.psql("db", &differences(one, &format!("({plain})"))), "0");
    cluster.psql("db", "delete from t where at > '2026-01-14'; delete from p where at > '2026-01-14'; alter table t drop constraint t_device_at_key");
    assert_eq!(cluster.psql("db", &differences(one, &format!("({plain})"))), "0");
    cluster.psql(
        "db",
        "do $$ begin for n in 1..9 loop
             insert into t (at, device, used) select timestamptz '2026-02-01' + n * interval '1 day', d, n from generate_series(0, 6) d;
             insert into p (at, device, used) select timestamptz '2026-02-01' + n * interval '1 day', d, n from generate_series(0, 6) d;
             perform headroom.seal('t');
         end loop; end $$",
    );
    assert_eq!(cluster.psql("db", "select count(*) > 60 from t_blocks"), "t");
    assert_eq!(cluster.psql("db", &differences(one, &format!("({plain})"))), "0");
    // Pages of the blocks that are looked at: none but that of the visibility map.
    cluster.psql("db", "vacuum t");
    let seen = "select pg_stat_force_next_flush(); select heap_blks_hit + heap_blks_read from pg_statio_user_tables where relname = 't_blocks'";
    let said = cluster.psql("db", &format!("{seen}; select count(*) from (select device, at, used, busy from headroom.latest(null::t)) l; {seen}"));
    let counts: Vec<i64> = said.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(matches!(counts[..], [before, 7, after] if after - before <= 2), "{said}");
}

/// Aggregates that are answered from blocks, and a few that look like it and are not.
const AGGREGATES: [&str; 17] = [
    "select count(*), count(used), sum(used), avg(used), min(used), max(used), min(busy), max(busy), min(pct), max(pct), sum(hot), avg(size), min(at), max(at), count(note), count(device), max(wear) from TABLE",
    "select device, count(*), sum(used), avg(hot), min(busy), max(pct), headroom.first(used, at), headroom.last(busy, at), headroom.last(ok, at), headroom.first(size, at), max(wear) from TABLE group by device",
    "select device, date_bin('1 day', at, '2026-01-01 00:00+00') as day, max(used), min(pct), avg(hot), count(size), headroom.last(used, at), headroom.first(wear, at) from TABLE group by 2, 1",
    "select headroom.time_bucket('5 hours', at) as b, sum(used), avg(size), max(busy), count(*) from TABLE group by b having count(*) > 3",
    "select headroom.time_bucket('1 day', at, timestamptz '2030-01-01 07:00+00'), max(at) - min(at) from TABLE group by 1",
    "select device, date_bin('1 day', at, '2026-01-01 00:00+00') as day, count(*), count(hot), sum(hot), avg(size), min(pct), max(pct), headroom.first(hot, at), headroom.last(ok, at), min(at), max(at), headroom.last(size, at), max(wear) from TABLE group by 1, 2",
    "select headroom.time_bucket('7 days', at) as week, sum(hot), max(pct), count(*) from TABLE where at >= '2026-01-02' group by 1",
    "select device, date_bin('2 days', at, '2026-01-02 00:00+00') as days, headroom.last(pct, at), min(hot) from TABLE group by 1, 2",
    "select device, max(used) + count(*), device * 2 from TABLE where at >= '2026-01-02 12:00' and at < '2026-01-11 13:30' group by device",
    "select device, sum(wear) from TABLE where device in (1, 3, 8) and '2026-01-06' >= at group by device order by device desc",
    "select count(*), max(used) from TABLE where device = 77",
    "select device, count(*) from TABLE where device = 77 group by 1",
    "select count(*), min(hot) from TABLE where at = '2026-01-01 00:35+00'",
    "select device, count(*) > 0 from TABLE group by device",
    "select d, (select max(used) from TABLE a where a.device = d and a.at > timestamptz '2026-01-01' + d * interval '2 days') from generate_series(0, 5) d",
    "select d, l.* from generate_series(0, 5) d, lateral (select device, count(*), headroom.last(used, at) from TABLE a where a.device = d group by device) l",
    "select max(m) from (select device, date_bin('7 days', at, '2026-01-03 00:00+00') as w, sum(hot) as m from TABLE group by 1, 2) s",
];

#[test]
fn aggregates_come_from_blocks_and_are_those_of_plain_rows() {
    let cluster = twins();
    for sql in AGGREGATES {
        let same = cluster.psql("db", &format!("select same({})", quoted(sql)));
        assert!(same.starts_with("0 of "), "{sql}: {same}");
        let plan =
            cluster.psql("db", &format!("set cpu_tuple_cost = 1; explain {}", sql.replace("TABLE", "t")));
        assert!(plan.contains("HeadroomAggregate"), "{sql}: {plan}");
    }
    for sql in [
        "select device, sum(pct), avg(pct) from TABLE group by device",
        "select device, max(used) from TABLE where hot > 30 group by device",
        "select count(distinct hot), max(used) filter (where ok), string_agg(note, '' order by at, device) from TABLE",
        "select device, at, max(used) from TABLE group by 1, 2",
        "select device, max(note), bool_or(ok) from TABLE group by 1",
        "select headroom.time_bucket('1 month', at), headroom.time_bucket('1 day', at), max(used) from TABLE group by 1, 2",
        "select device, max(used) from TABLE group by rollup (device)",
        "select device, max(used), random() < 2 from TABLE where random() < 2 group by device",
        "select device, rank() over (order by max(used)) from TABLE group by device",
        "select count(*) from TABLE where used is null",
        "select max(used) from TABLE where (device = 1 or hot = 3)",
    ] {
        let same = cluster.psql("db", &format!("select same({})", quoted(sql)));
        assert!(same.starts_with("0 of "), "{sql}: {same}");
        let plan = cluster.psql("db", &format!("explain {}", sql.replace("TABLE", "t")));
        assert!(!plan.contains("HeadroomAggregate"), "{sql}: {plan}");
    }
    cluster.psql("db", "select headroom.seal('t')");
    let explained = cluster.psql("db", "explain (analyze, timing off) select max(used), count(*) from t");
    assert!(explained.contains("Blocks Answered from Summaries: 12"), "{explained}");
    assert!(explained.contains("Blocks Decoded: 0"), "{explained}");
    let daily = "explain (analyze, timing off) select device, headroom.time_bucket('1 day', at), sum(hot), count(*) from t where {bounds} group by 1, 2";
    let explained = cluster.psql("db", &daily.replace("{bounds}", "true"));
    assert!(explained.contains("Blocks Answered by Day: 6"), "{explained}");
    let cut = cluster.psql("db", &daily.replace("{bounds}", "at > '2026-01-02 12:00+00'"));
    assert!(cut.contains("Blocks Answered by Day: 4"), "{cut}");
}

#[test]
fn the_first_rows_in_order_are_those_of_plain_rows() {
    let cluster = twins();
    for sealing in ["select 1", "select headroom.seal('t')"] {
        cluster.psql("db", sealing);
        for columns in ["at, used, hot, pct, ok, size", "device, wear, busy", "note, at"] {
            for (order, limit) in [("at desc", 1), ("at", 1), ("at desc", 3), ("at", 3)] {
                for bounds in ["true", "at < '2026-01-09 03:00+00'", "at > '2026-01-03 01:00+00'", "hot > 3"]
                {
                    let sql = format!(
                        "select d, l.* from generate_series(0, 5) d, lateral (select {columns} from TABLE a where a.device = d and {bounds} order by {order} limit {limit}) l"
                    );
                    let same = cluster.psql("db", &format!("select same({})", quoted(&sql)));
                    assert!(same.starts_with("0 of ") && !same.ends_with(" 0"), "{sql}: {same}");
                }
            }
        }
    }
    let plan = cluster.psql(
        "db",
        "explain (analyze, costs off, timing off) select at, used, hot from t where device = 1 and at < '2026-01-20' order by at desc limit 1",
    );
    assert!(plan.contains("Blocks Read: 0"), "{plan}");
    assert!(plan.contains("Block Cond: ((t_2.at < '2026-01-20"), "{plan}");
}

fn quoted(sql: &str) -> String {
    format!("$q${sql}$q$")
}

#[test]
fn policies_and_privileges_hold() {
    let cluster = twins();
    for table in ["t", "p"] {
        cluster.psql("db", &format!("alter table {table} enable row level security"));
    }
    let as_reader = |sql: &str| cluster.psql("db", &format!("set role reader; {sql}"));
    let daily = "select count(*), count(distinct segment), sum((select sum(v) from unnest(value) v)) from headroom.daily_arrays('t', null::bigint[], array['used'], array['count'])";
    let latest = "select count(*), sum(device), max(at) from headroom.latest(null::t)";
    assert_eq!(as_reader(daily), "0|0|");
    assert_eq!(as_reader(latest), "0||");
    assert_eq!(as_reader("select count(*) from t"), "0");
    // By the segment: whole blocks. By anything else: rows. By a function that may change its mind: rows.
    for (policy, is_of_segment) in [
        ("device <> 2", true),
        ("device in (select d from generate_series(3, 4) d) or (select false)", true),
        ("device <> 2 and hot < 35", false),
        ("at > '2026-01-06 01:00+00'", false),
        ("device < 3 + random() * 0", false),
        ("exists (select from known k where k.device = t.device)", true),
    ] {
        cluster.psql(
            "db",
            &format!(
                "create policy seen on t using ({policy}); create policy seen on p using ({})",
                policy.replace("t.device", "p.device")
            ),
        );
        let expected =
            "select count(*), count(distinct device), nullif(count(used), 0) from p where used is not null";
        let counted = as_reader(&daily.replace("count(*), ", "")).replace(['|'], " ");
        let plain = as_reader(&expected.replace("count(*), ", "")).replace(['|'], " ");
        assert_eq!(counted, plain, "{policy}");
        let plain = as_reader(
            "select count(*), sum(device), max(at) from (select distinct on (device) * from p order by device, at desc) x",
        );
        assert_eq!(as_reader(latest), plain, "{policy}");
        for sql in [AGGREGATES[0], AGGREGATES[1], AGGREGATES[5]] {
            let same = as_reader(&format!("select same({})", quoted(sql)));
            assert!(same.starts_with("0 of "), "{policy}: {sql}: {same}");
        }
        let plan = as_reader("explain select max(used) from t");
        assert_eq!(
            plan.contains("HeadroomAggregate"),
            is_of_segment || policy.starts_with("at >"),
            "{policy}: {plan}"
        );
        cluster.psql("db", "drop policy seen on t; drop policy seen on p");
    }
    cluster.psql("db", "alter table t disable row level security");
    let refused = |sql: &str| {
        let answer = cluster.try_psql("db", &format!("set role narrow; {sql}"));
        let said = format!("{:#}", answer.expect_err(sql));
        assert!(said.contains("permission denied for table t"), "{sql}: {said}");
    };
    assert_eq!(
        cluster.psql(
            "db",
            "set role narrow; select count(*) from headroom.daily_arrays('t', null::bigint[], array['used'])"
        ),
        "4"
    );
    refused("select * from headroom.daily_arrays('t', null::bigint[], array['hot'])");
    refused(
        "select * from headroom.daily_arrays('t', null::bigint[], array['used'], companions => array['hot'])",
    );
    refused("select * from headroom.latest(null::t)");
    refused("select max(hot) from t");
}

#[tokio::test]
async fn an_old_snapshot_sees_what_it_saw() {
    let cluster = twins();
    let old = cluster.connect("db").await;
    let questions = [
        "select md5(string_agg(d::text, ',')) from headroom.daily_arrays('t', null::bigint[], array['used', 'busy'], array['p95', 'last']) d",
        "select md5(string_agg(l::text, ',')) from headroom.latest(null::t) l",
        "select md5(string_agg(x::text, ',' order by device)) from (select device, sum(used), headroom.last(busy, at) from t group by device) x",
    ];
    old.batch_execute("begin isolation level repeatable read").await.expect("begins");
    let mut before: Vec<Option<String>> = Vec::new();
    for sql in questions {
        before.push(old.query_one(sql, &[]).await.expect("answers").get(0));
    }
    for change in [
        "select headroom.seal('t')",
        "delete from t where device = 1 and at > '2026-01-09'",
        "select headroom.unseal('t')",
        "insert into t (at, device, used) values ('2027-01-01', 2, 5), ('2027-01-01', 20, 5)",
        "select headroom.seal('t')",
    ] {
        cluster.psql("db", change);
        for (sql, before) in questions.iter().zip(&before) {
            let now: Option<String> = old.query_one(*sql, &[]).await.expect("answers").get(0);
            assert_eq!(&now, before, "{change}: {sql}");
        }
    }
}

#[test]
fn what_cannot_be_is_said() {
    let cluster = twins();
    cluster.psql(
        "db",
        "create table single (at timestamptz not null); select headroom.create_hypertable('single', 'at');
         create table dated (at date not null, device int not null, v int); select headroom.create_hypertable('dated', 'at', 'device')",
    );
    for (call, state) in [
        ("daily_arrays(null, null::bigint[], array['used'])", "22023"),
        ("daily_arrays(0, null::bigint[], array['used'])", "42P01"),
        ("daily_arrays('p', null::bigint[], array['used'])", "42809"),
        ("daily_arrays('t_blocks', null::bigint[], array['used'])", "42809"),
        ("daily_arrays('single', null::bigint[], array['at'])", "42809"),
        ("daily_arrays('dated', null::int[], array['v'])", "42804"),
        ("daily_arrays('t', null::int[], array['used'])", "42804"),
        ("daily_arrays('t', array['1'], array['used'])", "42804"),
        ("daily_arrays('t', null::bigint[], array['device'])", "22023"),
        ("daily_arrays('t', null::bigint[], null)", "22023"),
        ("daily_arrays('t', null::bigint[], array[null]::text[])", "22023"),
        ("daily_arrays('t', null::bigint[], array['nothing'])", "42703"),
        ("daily_arrays('t', null::bigint[], array['note'])", "42804"),
        ("daily_arrays('t', null::bigint[], array['at'])", "42804"),
        ("daily_arrays('t', null::bigint[], array['used'], array['median'])", "22023"),
        ("daily_arrays('t', null::bigint[], array['used'], array['max', 'min'])", "22023"),
        ("daily_arrays('t', null::bigint[], array['used'], null, array['note'])", "42804"),
        ("daily_arrays('t', null::bigint[], array['used'], null, array['nothing'])", "42703"),
        ("daily_arrays('t', null::bigint[], array['used'], divisors => array[0.0]::float8[])", "22023"),
        ("daily_arrays('t', null::bigint[], array['used'], \"after\" => null)", "22023"),
        ("daily_arrays('t', null::bigint[], array['used'], origin => 'infinity')", "22023"),
        ("latest(1)", "42804"),
        ("latest(null::p)", "42809"),
        ("latest(null::single)", "42809"),
        ("latest(null::t, array['x'])", "42804"),
    ] {
        let said = cluster.psql(
            "db",
            &format!(
                "do $d$ begin perform 1 from headroom.{call}; raise exception 'answered' using errcode = '00001';
                 exception when others then perform set_config('test.state', sqlstate, false); end $d$;
                 select current_setting('test.state')"
            ),
        );
        assert_eq!(said, state, "{call}");
    }
    // The ends of time, and a table of which nothing is sealed or is there at all.
    let ends = "select count(*) from headroom.daily_arrays('t', null::bigint[], array['used'], \"after\" => 'infinity', until => '-infinity')";
    assert_eq!(cluster.psql("db", ends), "0");
    let far = "select count(*) from headroom.daily_arrays('t', null::bigint[], array['used'], origin => '294276-12-31') a, headroom.daily_arrays('t', null::bigint[], array['used'], origin => '4714-11-24 BC') b";
    assert_eq!(cluster.psql("db", far), "16");
    assert_eq!(cluster.psql("db", "select count(*) from headroom.latest(null::dated)"), "0");
    cluster.psql("db", "insert into dated values ('infinity', 3, 1), ('2026-01-01', 3, 2); insert into t (at, device, used) values ('infinity', 1, 5), ('-infinity', 1, 6)");
    assert_eq!(cluster.psql("db", "select v from headroom.latest(null::dated)"), "1");
    assert_eq!(cluster.psql("db", "select used from headroom.latest(null::t, array[1]::bigint[])"), "5");
    cluster.psql("db", "select headroom.seal('t'), headroom.seal('dated')");
    assert_eq!(cluster.psql("db", "select used from headroom.latest(null::t, array[1]::bigint[])"), "5");
    assert_eq!(
        cluster.psql("db", "select min(b), max(b), count(*) filter (where not isfinite(b)) from (select headroom.time_bucket('1 day', at) b, max(used) from t group by 1) x"),
        "-infinity|infinity|2"
    );
    assert_eq!(cluster.psql("db", "select max(v), min(at) from dated"), "2|2026-01-01");
}
