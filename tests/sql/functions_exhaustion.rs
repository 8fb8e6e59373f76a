//! Forecasts in SQL on anybody's tables: the aggregate and the functions on arrays give core's answer, the same in parallel,
//! and a state or a documented error for whatever they are given.

use headroom_core::{
    forecast::{Observation, Prior, Question, forecast},
    unit::Resource,
};
use headroom_tests::Cluster;
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Row};

/// A growing disk, a shrinking one, one that is full, one that is idle, one seen for a week, one without limit.
const DISKS: &str = "
create table disks as
select d.name, timestamptz '2026-01-01 06:00+00' + g * interval '6 hours' as at,
       d.base + d.slope * g + d.noise * (abs(hashint4(g)) % 1000) as used, d.size as size
  from (values ('growing', 2e11, 2e8, 1e6, 1e12), ('shrinking', 8e11, -2e8, 1e6, 1e12), ('full', 1e12, 0, 1e3, 1e12),
               ('idle', 5e11, 0, 0, 1e12), ('unlimited', 2e11, 2e8, 1e6, null)) d (name, base, slope, noise, size),
       generate_series(0, 1399) g
union all
select 'new', timestamptz '2026-12-10' + g * interval '1 hour', 1e11 + g * 1e8, 1e12 from generate_series(0, 100) g;
analyze disks;";

const COLUMNS: &str =
    "(f).state, (f).p10, (f).p50, (f).p90, (f).probability, (f).last_used, (f).resource_limit, (f).samples";

#[test]
fn the_aggregate_dates_what_runs_out() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", DISKS);
    let states = cluster.psql(
        "db",
        "select string_agg(name || ' ' || (f).state, ', ' order by name)
           from (select name, headroom.exhaustion(at, used, size) f from disks group by name) d",
    );
    assert_eq!(
        states,
        "full already_exhausted, growing dated, idle flat_or_shrinking, new too_short, \
         shrinking flat_or_shrinking, unlimited unknown_limit"
    );
    let dates = "select (f).p10 <= (f).p50 and (f).p50 <= (f).p90 and (f).p10 > (f).as_of and (f).as_of = (f).data_until,
                        (f).p50 between timestamptz '2028-06-01' and '2029-02-01'
                   from (select headroom.exhaustion(at, used, size) f from disks where name = 'growing') d";
    // 0.52e12 are free at 0.8e9 a day: 650 days after mid-December 2026.
    assert_eq!(cluster.psql("db", dates), "t|t");
    let dateless = "select count(*) from (select name, headroom.exhaustion(at, used, size) f from disks group by name) d
                     where (f).state <> 'dated' and ((f).p10, (f).p50, (f).p90) is distinct from (null, null, null)";
    assert_eq!(cluster.psql("db", dateless), "0");
}

#[test]
fn parallel_workers_give_the_same_answer() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", DISKS);
    let query = format!(
        "select {COLUMNS} from (select headroom.exhaustion(at, used, size) f from disks where name = 'growing') d"
    );
    let workers = |n: u8| {
        format!(
            "set max_parallel_workers_per_gather = {n}; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
             set min_parallel_table_scan_size = 0; "
        )
    };
    let plan = cluster.psql("db", &format!("{} explain (costs off) {query}", workers(2)));
    assert!(plan.contains("Partial Aggregate"), "{plan}");
    assert_eq!(
        cluster.psql("db", &format!("{} {query}", workers(2))),
        cluster.psql("db", &format!("{} {query}", workers(0)))
    );
    let shuffled = query.replace("from disks", "from (select * from disks order by hashfloat8(used)) disks");
    assert_eq!(
        cluster.psql("db", &shuffled),
        cluster.psql("db", &query),
        "the order of the rows does not matter"
    );
}

#[test]
fn the_moment_of_asking_hides_what_came_later() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", DISKS);
    let asked = |table: &str| {
        format!(
            "select {COLUMNS}, (f).as_of from (select headroom.exhaustion(at, used, size, timestamptz '2026-09-01') f
               from {table} where name = 'growing') d"
        )
    };
    let until = "(select * from disks where at <= '2026-09-01') disks";
    assert_eq!(cluster.psql("db", &asked("disks")), cluster.psql("db", &asked(until)));
    let inodes = "select (f).state from (select headroom.exhaustion(at, used, size, timestamptz '2026-12-16', 'inodes', 30) f
                    from disks where name = 'growing') d";
    assert_eq!(cluster.psql("db", inodes), "beyond_horizon");
    let stale = "select (headroom.exhaustion(at, used, size, timestamptz '2028-12-16')).state from disks where name = 'growing'";
    assert_eq!(cluster.psql("db", stale), "stale");
}

#[test]
fn functions_on_arrays_agree_with_each_other_and_the_aggregate() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", DISKS);
    // One value a day at one time of day: the aggregate keeps every row, so both see the same.
    cluster.psql(
        "db",
        "create table daily as select * from disks where extract(hour from at at time zone 'UTC') = 0 and name = 'growing';
         create view history as select array_agg(at order by at) as at, array_agg(used order by at) as used,
                                       array_agg(size order by at) as limits from daily",
    );
    let from_rows =
        format!("select {COLUMNS} from (select headroom.exhaustion(at, used, size) f from daily) d");
    let from_arrays =
        format!("select {COLUMNS} from (select headroom.exhaustion(at, used, limits) f from history) d");
    let answer = cluster.psql("db", &from_rows);
    assert_eq!(cluster.psql("db", &from_arrays), answer);
    assert!(answer.starts_with("dated|"), "{answer}");
    for (claim, sql) in [
        (
            "the document has the same figures",
            "select (f).p50 = (d ->> 'p50')::timestamptz and (f).state = d ->> 'state'
                    and (f).probability = (d #>> '{passage,-1,probability}')::float8
               from (select headroom.exhaustion(at, used, limits) f, headroom.forecast_document(at, used, limits) d from history) x",
        ),
        (
            "few futures have arrived well before P10, most well after P90",
            "select headroom.p_exhaust_by(at, used, (f).p10 - interval '60 days', limits) <= 0.1
                    and headroom.p_exhaust_by(at, used, (f).p90 + interval '60 days', limits) >= 0.9
               from (select *, headroom.exhaustion(at, used, limits) f from history) x",
        ),
        (
            "nobody has arrived before the first value",
            "select headroom.p_exhaust_by(at, used, '2020-01-01', limits) = 0 from history",
        ),
        (
            "beyond the horizon nothing is known",
            "select headroom.p_exhaust_by(at, used, '2099-01-01', limits) is null from history",
        ),
        (
            "the time that is left ends at P10",
            "select headroom.time_left(at, used, 0.9, limits) = (f).p10 - (f).as_of and headroom.time_left(at, used, 0.5, limits) = (f).p50 - (f).as_of
                    and headroom.time_left(at, used, 0.7, limits) between (f).p10 - (f).as_of and (f).p50 - (f).as_of
               from (select at, used, limits, headroom.exhaustion(at, used, limits) f from history) x",
        ),
        (
            "the fan is in order and Grafana finds its column",
            "select count(*) > 10 and bool_and(p10 <= p50 and p50 <= p90 and probability between 0 and 1)
               from history, headroom.forecast(at, used, limits) f where f.\"time\" > '2026-12-01'",
        ),
        (
            "the reasons have a trend",
            "select count(*) > 0 from history, headroom.why(at, used, limits) w where w.kind = 'trend' and w.amount > 0",
        ),
        (
            "more capacity lasts longer, more growth shorter",
            "select a.p50 < b.p50 and c.p50 < a.p50 and same.p50 = a.p50 and b.resource_limit = 1.1e12 from history h,
                    lateral (select * from headroom.what_if(at, used, 1e11, 1, limits) where variant = 'as_is') a,
                    lateral (select * from headroom.what_if(at, used, 1e11, 1, limits) where variant = 'what_if') b,
                    lateral (select * from headroom.what_if(at, used, 0, 2, limits) where variant = 'what_if') c,
                    lateral (select * from headroom.what_if(at, used, 0, 1, limits) where variant = 'what_if') same",
        ),
        (
            "twice the growth is as half of what is free",
            "select a.p50 = b.p50 and a.probability = b.probability from history h,
                    lateral (select * from headroom.what_if(at, used, 0, 2, limits) where variant = 'what_if') a,
                    lateral (select used[array_upper(used, 1)] last) l,
                    lateral (select * from headroom.exhaustion(at, used, limits, last + (1e12 - last) / 2)) b",
        ),
        (
            "the model's constants may be given",
            "select headroom.exhaustion(at, used, limits, resource_limit => 9e11, prior => null) is not null from history",
        ),
        (
            "a date can be asked of the distribution, and back",
            "select abs(headroom.probability_by(p, headroom.date_of_probability(p, 0.4)) - 0.4) < 1e-3
               from (select headroom.forecast_document(at, used, limits) -> 'passage' p from history) x",
        ),
    ] {
        assert_eq!(cluster.psql("db", sql), "t", "{claim}");
    }
}

#[test]
fn sql_gives_cores_answer_to_the_last_digit() {
    let cluster = Cluster::start();
    cluster.database("db");
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(cluster.connect("db"));
    let start: Timestamp = "2025-06-01T03:04:05.678901Z".parse().expect("a time");
    for slope in [-3.0, 0.0, 0.1, 7.25, 1e9] {
        let observations: Vec<Observation> = (0..500_i64)
            .map(|day| Observation {
                at: start + SignedDuration::from_hours(24 * day),
                used: 1e10 + (day as f64) * slope + (day * day % 17) as f64,
                limit: Some(6e11),
            })
            .collect();
        let as_of = start + SignedDuration::from_hours(24 * 500);
        let question = Question {
            resource: Resource::Capacity,
            observations: &observations,
            limit: None,
            as_of,
            horizon_days: 1_096,
        };
        let own = forecast(&question, &Prior::builtin());
        let at: Vec<Timestamp> = observations.iter().map(|o| o.at).collect();
        let used: Vec<f64> = observations.iter().map(|o| o.used).collect();
        let limits: Vec<f64> = observations.iter().filter_map(|o| o.limit).collect();
        // Compared as text by the server: serde_json reads a number's last digit wrong unless told to take care.
        let wanted = serde_json::to_string(&own).expect("json");
        let sql = "select headroom.forecast_document($1, $2, $3, as_of => $4)::text, $5::text::jsonb::text";
        let row: Row = runtime
            .block_on(client.query_one(sql, &[&at, &used, &limits, &as_of, &wanted]))
            .expect("an answer");
        let (answer, own): (String, String) = (row.get(0), row.get(1));
        assert_eq!(answer, own, "slope {slope}");
    }
}

async fn sqlstate(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(_) => "00000".to_owned(),
        Err(error) => {
            error.code().unwrap_or_else(|| panic!("no SQLSTATE for {sql}: {error:?}")).code().to_owned()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_by_a_documented_error() {
    let cluster = Cluster::start();
    cluster.database("db");
    cluster.psql("db", DISKS);
    let client = cluster.connect("db").await;
    for (call, expected) in [
        ("exhaustion(array[now()], array[1.0, 2.0])", "22023"),
        ("exhaustion(array[now()], array[1.0], array[]::float8[])", "22023"),
        ("exhaustion(array[now()], array[1.0], resource => 'memory')", "22023"),
        ("exhaustion(array[now()], array[1.0], resource_limit => 'NaN')", "22023"),
        ("exhaustion(array[now()], array[1.0], resource_limit => -1)", "22023"),
        ("exhaustion(array[now()], array[1.0], as_of => 'infinity')", "22023"),
        ("exhaustion(array[now()], array[1.0], as_of => '200000-01-01')", "22023"),
        ("exhaustion(array[now()], array[1.0], horizon_days => 0)", "22023"),
        ("exhaustion(array[now()], array[1.0], horizon_days => 1097)", "22023"),
        ("exhaustion(array[now()], array[1.0], prior => '{}')", "22023"),
        ("exhaustion(array[now()], array[1.0], prior => '7')", "22023"),
        ("p_exhaust_by(array[now()], array[1.0], null)", "22023"),
        ("p_exhaust_by(array[now()], array[1.0], 'infinity')", "22023"),
        ("time_left(array[now()], array[1.0], 1)", "22023"),
        ("time_left(array[now()], array[1.0], 'NaN')", "22023"),
        ("what_if(array[now()], array[1.0], 'Infinity')", "22023"),
        ("what_if(array[now()], array[1.0], 0, 0)", "22023"),
        ("what_if(array[now()], array[1.0], 0, 'NaN')", "22023"),
        ("probability_by('[{\"at\": 1}]', now())", "22023"),
        ("probability_by('[{\"at\": \"2026-01-01T00:00:00Z\", \"probability\": 2}]', now())", "22023"),
        ("date_of_probability('[]', 0)", "22023"),
        ("date_of_probability('[]', 1.5)", "22023"),
        ("exhaustion_transition(null, now(), 1, 1)", "0A000"),
        ("exhaustion_final(null)", "0A000"),
        ("exhaustion_combine(null, null)", "0A000"),
        // What is missing is no error: there is a state for it.
        ("exhaustion(null::timestamptz[], null)", "00000"),
        ("exhaustion('{}'::timestamptz[], '{}')", "00000"),
        ("exhaustion(array[null]::timestamptz[], array[1.0])", "00000"),
        (
            "exhaustion(array['infinity', '-infinity', '200000-01-01', '4000-01-01 BC']::timestamptz[], array[1.0, 2, 3, 4])",
            "00000",
        ),
        ("exhaustion(array[array[now(), now()], array[now(), now()]], array[1.0, 2, 3, 4])", "00000"),
        ("date_of_probability('[]', 0.5)", "00000"),
        ("date_of_probability('[]', 1)", "00000"),
        ("time_left(array[now()], array[1.0], 1e-300)", "00000"),
    ] {
        assert_eq!(sqlstate(&client, &format!("select headroom.{call}")).await, expected, "{call}");
    }
    let varying = "select headroom.exhaustion(at, used, size, at) from disks";
    assert_eq!(sqlstate(&client, varying).await, "22023");
    let nothing = "select (headroom.exhaustion(at, used, size)).state from disks where false";
    assert_eq!(cluster.psql("db", nothing), "too_short");
}

/// Values as people's tables have them, and as they should not be.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0.0..1e15_f64).prop_map(|v| v.to_string()),
        1 => any::<f64>().prop_map(|v| format!("'{v}'")),
        1 => prop::sample::select(vec!["'NaN'", "'Infinity'", "'-Infinity'", "0", "-1", "1e308", "5e-324", "null"]).prop_map(str::to_owned),
    ]
}

/// Times likewise.
fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..1_500_i64, 0..86_400_i64).prop_map(|(day, second)| format!("to_timestamp({})", 1_700_000_000 + day * 86_400 + second)),
        1 => any::<i64>().prop_map(|n| format!("to_timestamp({})", n / 100_000_000)),
        1 => prop::sample::select(vec!["'infinity'", "'-infinity'", "'294276-12-31'", "'4714-11-24 BC'", "null"]).prop_map(str::to_owned),
    ]
}

#[test]
fn any_rows_give_a_state() {
    let cluster = Cluster::start();
    cluster.database("db");
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(cluster.connect("db"));
    let rows = prop::collection::vec((time(), value(), value()), 0..60);
    let resource = prop::sample::select(vec!["capacity", "load", "endurance", "inodes", "thin_metadata"]);
    let mut runner = TestRunner::new(ProptestConfig { cases: 300, ..Default::default() });
    let states = [
        "dated",
        "beyond_horizon",
        "flat_or_shrinking",
        "too_noisy",
        "too_short",
        "stale",
        "already_exhausted",
        "unknown_limit",
    ];
    runner
        .run(&(rows, resource, 1..=1_096), |(rows, resource, horizon)| {
            let rows: Vec<String> = rows
                .iter()
                .map(|(at, used, limit)| format!("({at}::timestamptz, {used}::float8, {limit}::float8)"))
                .chain(["(null::timestamptz, null::float8, null::float8)".to_owned()])
                .collect();
            let sql = format!(
                "select (f).state, (f).p10 is null and (f).p50 is null and (f).p90 is null,
                        coalesce((f).p10 <= coalesce((f).p50, (f).p10), true) and coalesce((f).p50 <= coalesce((f).p90, (f).p50), true)
                   from (select headroom.exhaustion(at, used, size, null, '{resource}', {horizon}) f
                           from (values {}) v (at, used, size)) x",
                rows.join(", ")
            );
            let row = runtime.block_on(client.query_one(&sql, &[]));
            let row = row.map_err(|error| TestCaseError::fail(format!("{error:?} for {sql}")))?;
            let (state, dateless, in_order): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
            prop_assert!(states.contains(&state.as_str()), "{} for {}", state, sql);
            prop_assert!((state == "dated") != dateless, "{}", sql);
            prop_assert!(in_order, "{}", sql);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
