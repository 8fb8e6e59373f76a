//! `time_bucket`, `first` and `last`: the same answers as plain SQL, and a documented error for everything else.

use headroom_tests::Cluster;
use proptest::prelude::*;
use tokio_postgres::Client;

/// The SQLSTATE of a statement; "00000" when it succeeds.
async fn sqlstate(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(_) => "00000".to_owned(),
        Err(error) => {
            error.code().unwrap_or_else(|| panic!("no SQLSTATE for {sql}: {error:?}")).code().to_owned()
        }
    }
}

#[test]
fn buckets_are_those_of_the_servers_own_functions() {
    let cluster = Cluster::start();
    cluster.database("db");
    let differing = |ours: &str, theirs: &str| {
        let sql = format!(
            "set timezone = 'America/New_York';
             select count(*) from generate_series(timestamptz '1890-01-01', '2150-01-01', '97 days 13:17:11.25') at
             where ({ours}) is distinct from ({theirs})"
        );
        assert_eq!(cluster.psql("db", &sql), "0", "{ours} against {theirs}");
    };
    for width in ["1 second", "15 minutes", "1 hour", "1 day", "7 days", "10 days 03:00:00"] {
        differing(
            &format!("headroom.time_bucket('{width}', at)"),
            &format!("date_bin('{width}', at, '2000-01-03 00:00+00')"),
        );
        differing(
            &format!("headroom.time_bucket('{width}', at, timestamptz '1999-05-05 05:05+02')"),
            &format!("date_bin('{width}', at, '1999-05-05 05:05+02')"),
        );
        differing(
            &format!("headroom.time_bucket('{width}', at at time zone 'UTC')"),
            &format!("date_bin('{width}', at at time zone 'UTC', '2000-01-03')"),
        );
    }
    differing("headroom.time_bucket('1 week', at)", "date_trunc('week', at, 'UTC')");
    differing("headroom.time_bucket('1 month', at)", "date_trunc('month', at, 'UTC')");
    differing("headroom.time_bucket('3 months', at)", "date_trunc('quarter', at, 'UTC')");
    differing("headroom.time_bucket('1 year', at)", "date_trunc('year', at, 'UTC')");
    differing("headroom.time_bucket('1 month', at::date)", "date_trunc('month', at::date)::date");
    differing("headroom.time_bucket('1 day', at, 'Europe/Berlin')", "date_trunc('day', at, 'Europe/Berlin')");
    differing(
        "headroom.time_bucket('1 month', at, 'Asia/Kolkata')",
        "date_trunc('month', at, 'Asia/Kolkata')",
    );
    differing(
        "headroom.time_bucket('1 day', at, \"offset\" => interval '6 hours')",
        "date_bin('1 day', at, '2000-01-03 06:00+00')",
    );
    differing("headroom.time_bucket(7, extract(day from at)::int)", "extract(day from at)::int / 7 * 7");
}

#[test]
fn the_day_on_which_clocks_change_has_its_own_length() {
    let cluster = Cluster::start();
    cluster.database("db");
    let lengths = cluster.psql(
        "db",
        "select string_agg(n::text, ' ' order by day) from (
           select headroom.time_bucket('1 day', at, 'Europe/Berlin') as day, count(*) as n
           from generate_series(timestamptz '2026-10-23 22:00+00', '2026-10-26 22:30+00', '1 hour') at group by 1) d",
    );
    assert_eq!(lengths, "24 25 24");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bucket_is_refused_by_a_documented_error() {
    let cluster = Cluster::start();
    cluster.database("db");
    let client = cluster.connect("db").await;
    for (call, expected) in [
        ("time_bucket(interval '0', now())", "22023"),
        ("time_bucket(interval '-1 day', now())", "22023"),
        ("time_bucket(interval '-1 month', now())", "22023"),
        ("time_bucket(interval '1 month 1 day', now())", "22023"),
        ("time_bucket(interval '1 month 1 hour', date '2026-01-01')", "22023"),
        ("time_bucket(interval '1 day', now(), 'infinity'::timestamptz)", "22023"),
        ("time_bucket(interval '1 day', now(), interval '1 month')", "22023"),
        ("time_bucket(interval '1 day', now(), 'Mars/Olympus')", "22023"),
        ("time_bucket(interval '1 day', now(), 'UTC', 'infinity')", "22023"),
        ("time_bucket(interval '178000000 years', '4714-11-24 BC'::timestamptz)", "22008"),
        ("time_bucket(interval '100000000 days', '4714-11-24 00:00+00 BC'::timestamptz)", "22008"),
        ("time_bucket(interval '2147483647 days', now())", "22023"),
        ("time_bucket(interval '1 day', date '5874897-12-31')", "22008"),
        ("time_bucket(0, 1)", "22023"),
        ("time_bucket(-1::bigint, 1::bigint)", "22023"),
        ("time_bucket(7::smallint, (-32768)::smallint)", "22003"),
        ("time_bucket(7, -2147483648)", "22003"),
        ("time_bucket(7::bigint, (-9223372036854775808)::bigint)", "22003"),
        ("time_bucket(interval '1 day', 'infinity'::timestamptz)", "00000"),
        ("time_bucket(interval '1 day', '-infinity'::date)", "00000"),
        ("time_bucket(interval '1 day', null::timestamptz)", "00000"),
        ("time_bucket(null::interval, now(), 'UTC')", "00000"),
    ] {
        assert_eq!(sqlstate(&client, &format!("select headroom.{call}")).await, expected, "{call}");
    }
}

#[test]
fn first_and_last_are_those_of_a_sort() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql(
        "db",
        "create table t as select g % 17 as k, timestamptz '2026-01-01' + (g * 7919 % 50021) * interval '1 s' as at,
                nullif(g % 11, 3) as n, case when g % 5 > 0 then repeat(md5(g::text), g % 300) end as word,
                array[g, g + 1] as pair, (g * 7919 % 50021)::text collate \"C\" as rank
           from generate_series(1, 20000) g; analyze t",
    );
    let parallel =
        "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
                    set min_parallel_table_scan_size = 0;";
    for settings in ["set max_parallel_workers_per_gather = 0;", parallel] {
        for value in ["n", "word", "pair", "at", "t"] {
            for time in ["at", "at::timestamp", "extract(epoch from at)", "rank"] {
                for (function, order) in [("first", "asc"), ("last", "desc")] {
                    let differing = cluster.psql(
                        "db",
                        &format!(
                            "{settings} select count(*) from
                               (select k, headroom.{function}({value}, {time}) v from t group by k) ours
                               join (select distinct on (k) k, {value} as v from t order by k, {time} {order}) theirs
                               using (k) where ours.v is distinct from theirs.v"
                        ),
                    );
                    assert_eq!(differing, "0", "{settings} {function} {value} by {time}");
                }
            }
        }
    }
    let plan =
        cluster.psql("db", &format!("{parallel} explain (costs off) select headroom.last(word, at) from t"));
    assert!(plan.contains("Partial Aggregate"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_and_last_of_nothing_and_of_what_has_no_order() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", "create table t (at timestamptz, v int, place point)");
    let empty = "select headroom.first(v, at) is null, headroom.last(v, at) is null from t";
    assert_eq!(cluster.psql("db", empty), "t|t");
    cluster.psql("db", "insert into t values (null, 1, null), (null, 2, null)");
    assert_eq!(cluster.psql("db", empty), "t|t");
    cluster.psql("db", "insert into t values ('2026-01-02', null, '(1,2)'), ('2026-01-01', 7, null)");
    assert_eq!(
        cluster.psql("db", "select headroom.first(v, at), headroom.last(v, at) is null from t"),
        "7|t"
    );
    let windowed = "select string_agg(coalesce(l::text, '-'), ' ' order by at) from
                    (select at, headroom.last(v, at) over (order by at) l from t where at is not null) w";
    assert_eq!(cluster.psql("db", windowed), "7 -");
    let client = cluster.connect("db").await;
    for (sql, expected) in [
        ("select headroom.first(v, place) from t", "42883"),
        ("select headroom.first_transition(null, 1, 2)", "0A000"),
        ("select headroom.last_combine(null, null)", "0A000"),
        ("select headroom.first_last_final(null, 1, 2)", "0A000"),
        ("select headroom.first_last_deserialize('\\x00', null)", "0A000"),
    ] {
        assert_eq!(sqlstate(&client, sql).await, expected, "{sql}");
    }
}

#[test]
fn any_arguments_give_a_bucket_or_a_documented_error() {
    let cluster = Cluster::start();
    cluster.database("db");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(cluster.connect("db"));
    let interval = (any::<i32>(), any::<i32>(), any::<i64>());
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 500, ..Default::default() });
    runner
        .run(
            &(interval, any::<i64>(), any::<i64>(), any::<i32>(), 0..4_usize),
            |((months, days, micros), at, origin, day, form)| {
                let width = format!("interval '{months} months {days} days {} seconds'", micros / 1_000_000);
                let at = format!("to_timestamp({})", at / 100_000_000);
                let call = match form {
                    0 => format!("time_bucket({width}, {at})"),
                    1 => format!("time_bucket({width}, {at}, to_timestamp({}))", origin / 100_000_000),
                    2 => format!("time_bucket({width}, date '2000-01-01' + {})", day % 2_000_000),
                    _ => format!("time_bucket({width}, {at}, 'Asia/Tokyo', null, interval '{days} days')"),
                };
                let state = runtime.block_on(sqlstate(&client, &format!("select headroom.{call}")));
                prop_assert!(
                    ["00000", "22023", "22008", "22015"].contains(&state.as_str()),
                    "{} gives {}",
                    call,
                    state
                );
                Ok(())
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
}
