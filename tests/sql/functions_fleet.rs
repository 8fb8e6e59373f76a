//! Questions about a unit in SQL: the stored forecast, the same figures computed anew, and what each role may ask.

use headroom_tests::Cluster;

/// Two customers with a unit each; the first granted the sales purpose. 400 days of growth; a run made of the
/// extension's own answers, as the hub's fleet run publishes them.
const FLEET: &str = "
insert into fleet.territories (name) values ('north');
insert into fleet.customers (reference, name, territory_id) values ('one', 'One', 1), ('two', 'Two', 1);
insert into fleet.consents (customer_id, purpose, granted) values (1, 'sales', true);
insert into fleet.people (name, email, role, password_hash, territory_id, customer_id, database_role) values
    ('S', 's@x', 'sales', '$argon2', 1, null, 'test_sales'), ('C', 'c@x', 'customer', '$argon2', null, 2, 'test_customer');
create role test_sales login in role headroom_sales;
create role test_customer login in role headroom_customer;
create role test_reader login in role headroom_reader;
create role test_nobody login;
insert into fleet.units (kind, name, customer_id) values ('nas', 'first', 1), ('nas', 'second', 2);
insert into fleet.components (unit_id, node_key, kind) values (1, 'a', 'file_system'), (1, 'b', 'file_system'), (2, 'a', 'pool');
insert into fleet.status (component_id, at, used_bytes, capacity_bytes, inodes_used, inodes_total)
    select c, timestamptz '2025-10-20 12:00+00' + g * interval '6 hours', 200000000000 + (200 + c * 60) * 1000000::bigint * g + g * 7919::bigint % 1000000,
           1000000000000, 1000 + g, case when c = 1 then 100000 end
      from generate_series(1, 3) c, generate_series(0, 1599) g;
insert into fleet.forecast_runs (as_of, model) values ('2026-11-24 00:00+00', 'test');
insert into fleet.forecasts select (jsonb_populate_record(null::fleet.forecasts, to_jsonb(f) || '{\"run_id\": 1}')).*
    from fleet.units u, fleet.forecasts_of(u.unit_id, null, '2026-11-24 00:00+00') f;
update fleet.forecast_runs set is_current = true, published_at = now();";

fn fleet() -> Cluster {
    let cluster = Cluster::start();
    cluster.migrated_database("db");
    cluster.psql("db", FLEET);
    cluster
}

/// Runs SQL as another login role, and gives back its answer or the server's words.
fn as_role(cluster: &Cluster, role: &str, sql: &str) -> String {
    let mut psql = cluster.client_program("psql");
    psql.env("PGUSER", role).args([
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-v",
        "VERBOSITY=verbose",
        "-d",
        "db",
        "-c",
        sql,
    ]);
    let output = psql.output().expect("psql runs");
    let said = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
}

#[test]
fn stored_and_computed_anew_are_the_same_to_the_last_digit() {
    let cluster = fleet();
    let asked = |function: &str, arguments: &str, as_of: &str| {
        cluster.psql(
            "db",
            &format!("select f::text from fleet.{function}(1, {arguments} as_of => {as_of}) f order by 1"),
        )
    };
    for (function, arguments) in [
        ("exhaustion", ""),
        ("forecast", "null,"),
        ("why", ""),
        ("p_exhaust_by", "'2027-11-24',"),
        ("time_left", "0.9,"),
        ("time_left", "0.35,"),
        ("time_left", "1e-300,"),
        ("what_if", "5e11, 1.5, null,"),
    ] {
        let stored = asked(function, arguments, "null");
        assert!(!stored.is_empty() || arguments == "1e-300,", "{function}");
        assert_eq!(asked(function, arguments, "'2026-11-24 00:00+00'"), stored, "{function}");
    }
    let states = "select string_agg(component_id || ' ' || resource || ' ' || state, ', ' order by component_id, resource) from fleet.exhaustion(1)";
    assert_eq!(
        cluster.psql("db", states),
        "1 capacity dated, 1 inodes beyond_horizon, 2 capacity dated, 2 inodes unknown_limit"
    );
}

#[test]
fn another_moment_knows_nothing_later() {
    let cluster = fleet();
    let before = "select e::text from fleet.exhaustion(1, as_of => '2026-06-01') e order by 1";
    let answer = cluster.psql("db", before);
    cluster.psql("db", "delete from fleet.status where at > '2026-06-01'");
    assert_eq!(cluster.psql("db", before), answer);
    assert!(answer.contains("dated"), "{answer}");
    let sooner = "select bool_and(a.last_used > b.last_used and a.data_until > b.data_until) from fleet.exhaustion(1, 'capacity') a join fleet.exhaustion(1, 'capacity', '2026-06-01') b using (component_id)";
    assert_eq!(cluster.psql("db", sooner), "t");
}

#[test]
fn answers_agree_with_each_other() {
    let cluster = fleet();
    for (claim, sql) in [
        (
            "the time that is left ends at the earliest P10",
            "select fleet.time_left(1) = min(p10 - as_of) from fleet.exhaustion(1, 'capacity')",
        ),
        (
            "no time is told where its date lies beyond the horizon",
            "with f as (update fleet.forecasts set p90 = null, passage = jsonb_build_array(
                            jsonb_build_object('at', p10, 'probability', 0.1), jsonb_build_object('at', p50, 'probability', 0.5))
                         where component_id = 3 and resource = 'capacity' returning state)
             select bool_and(state = 'dated') from f",
        ),
        ("as there is none of that confidence", "select fleet.time_left(2, 0.2) is null and fleet.time_left(2, 1e-300) is null and fleet.time_left(2) > '0'"),
        (
            "the worst component counts",
            "select fleet.p_exhaust_by(1, '2027-11-24') = max(headroom.probability_by(passage, '2027-11-24')) from fleet.forecasts_of(1, 'capacity')",
        ),
        (
            "added capacity lasts longer",
            "select bool_and(coalesce(b.p50, 'infinity') > a.p50 and b.resource_limit = a.resource_limit + 1e11)
               from fleet.what_if(1, 1e11) a join fleet.what_if(1, 1e11) b using (component_id, resource)
              where a.variant = 'as_is' and b.variant = 'what_if'",
        ),
        (
            "what would be is compared with the stored dates",
            "select bool_and((w.p10, w.p50, w.p90) is not distinct from (e.p10, e.p50, e.p90))
               from fleet.what_if(1) w join fleet.exhaustion(1) e using (component_id, resource) where w.variant = 'as_is'",
        ),
        (
            "nobody's dates: no accuracy yet",
            "select judged = 0 and coverage80 is null from fleet.accuracy()",
        ),
    ] {
        assert_eq!(cluster.psql("db", sql), "t", "{claim}");
    }
}

#[test]
fn each_role_asks_about_the_units_that_it_sees() {
    let cluster = fleet();
    let ask = |role: &str, unit: u8| {
        as_role(&cluster, role, &format!("select state from fleet.exhaustion({unit}, 'capacity')"))
    };
    let unknown = |answer: &str, unit: u8| {
        answer.starts_with(&format!("ERROR:  RM001: there is no unit {unit} that you may see"))
    };
    assert_eq!(ask("test_sales", 1), "dated");
    let refused = ask("test_sales", 2);
    assert!(unknown(&refused, 2), "sales without consent: {refused}");
    let refused = ask("test_customer", 1);
    assert!(unknown(&refused, 1), "another customer: {refused}");
    assert_eq!(ask("test_customer", 2), "dated");
    assert_eq!(ask("test_reader", 1), "dated");
    assert!(ask("test_nobody", 1).starts_with("ERROR:  42501"), "no role at all");
    // Computed anew it is the caller's own reading of the status series, not the owner's.
    let anew = "select state from fleet.exhaustion(1, 'capacity', '2026-11-01') union all select count(*)::text from fleet.daily_history('2026-11-01')";
    assert_eq!(as_role(&cluster, "test_sales", anew), "dated");
    assert_eq!(
        as_role(
            &cluster,
            "test_customer",
            "select count(distinct component_id) from fleet.daily_history('2026-11-01')"
        ),
        "1"
    );
    cluster
        .psql("db", "insert into fleet.consents (customer_id, purpose, granted) values (1, 'sales', false)");
    let refused = ask("test_sales", 1);
    assert!(unknown(&refused, 1), "after the withdrawal: {refused}");
    assert_eq!(ask("test_reader", 1), "dated");
}

#[test]
fn what_cannot_be_is_refused_by_a_documented_error() {
    let cluster = fleet();
    for (call, state) in [
        ("exhaustion(99)", "RM001"),
        ("exhaustion(null)", "RM001"),
        ("exhaustion(1, 'memory')", "22023"),
        ("exhaustion(1, as_of => 'infinity')", "22023"),
        ("forecast(1, 'capacity', '-infinity')", "22023"),
        ("p_exhaust_by(1, null)", "22023"),
        ("p_exhaust_by(1, 'infinity')", "22023"),
        ("p_exhaust_by(99, now())", "RM001"),
        ("time_left(1, 'NaN')", "22023"),
        ("time_left(1, 1)", "22023"),
        ("time_left(1, null)", "22023"),
        ("what_if(1, 'NaN')", "22023"),
        ("what_if(1, -1e15)", "22023"),
        ("what_if(1, 0, -1)", "22023"),
        ("why(99)", "RM001"),
        ("accuracy(99)", "RM001"),
        ("purchase_plan(99)", "RM001"),
        ("order_by(99)", "RM001"),
        ("daily_history('infinity')", "22023"),
    ] {
        let answer = as_role(&cluster, "postgres", &format!("select * from fleet.{call}"));
        assert!(answer.starts_with(&format!("ERROR:  {state}:")), "{call} gives {answer}");
    }
}
