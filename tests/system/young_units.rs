//! Units with days of history borrow from units alike, and the same everywhere.

use headroom_tests::Hub;

/// Territory, two customers, and a way to make units: a model, a customer, a first value and a growth a day in bytes,
/// days of history.
const BASE: &str = "
insert into fleet.territories (name) values ('North');
insert into fleet.customers (reference, name, territory_id) select 'C-' || n, 'Customer ' || n, territory_id
    from fleet.territories, generate_series(1, 2) n;
create function public.make(model text, customer text, units int, growth bigint, days int) returns void language sql as $$
    with u as (insert into fleet.units (kind, name, model, customer_id, life)
                   select 'nas', model || ' ' || days || ' ' || n, model, c.customer_id, 'matched'
                     from fleet.customers c, generate_series(1, units) n where c.reference = customer returning unit_id),
         k as (insert into fleet.components (unit_id, node_key, kind, capacity_bytes, status_until)
                   select unit_id, 'pool', 'pool', 10000000000000, date_trunc('hour', now()) from u returning component_id)
    insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
        select component_id, date_trunc('hour', now()) - make_interval(days => d), 10000000000000,
               7000000000000 + (days - d) * growth / 2 + (days - d) * growth / 100 * (component_id % 101)
                   + (d * 7919 + component_id * 104729) % 13 * 1000000000, 'zfs'
          from k, generate_series(0, days - 1) d $$;";

fn hub() -> Hub {
    let hub = Hub::new();
    hub.psql(BASE);
    hub
}

fn forecast(hub: &Hub, arguments: &[&str]) {
    let ran = hub.run(&[&["forecast"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// What the current run says of a unit, as SQL tells it.
fn told(hub: &Hub, unit: &str, what: &str) -> String {
    hub.psql(&format!(
        "select {what} from fleet.forecasts f join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current
           join fleet.components k using (component_id) join fleet.units u using (unit_id) where u.name = '{unit}'"
    ))
}

#[test]
fn a_young_unit_is_told_what_units_alike_do_and_sql_and_command_line_say_the_same() {
    let hub = hub();
    // Growing by half to two thirds of .1 % of the limit a day: 3 TB last about 550 days. Neither is known of a unit of six days.
    hub.psql("select public.make('quick', 'C-1', 1, 10000000000, 6), public.make('still', 'C-1', 1, 10000000000, 6),
        public.make('quick', 'C-1', 1, 10000000000, 2)");
    forecast(&hub, &[]);
    assert_eq!(told(&hub, "quick 6 1", "f.state, f.pooled"), "too_short|");
    hub.psql(
        "select public.make('quick', 'C-1', 12, 10000000000, 200), public.make('still', 'C-2', 12, 0, 200)",
    );
    forecast(&hub, &[]);
    assert_eq!(told(&hub, "quick 6 1", "f.state, f.reason_code"), "dated|grows_as_units_alike");
    assert_eq!(told(&hub, "quick 2 1", "f.state, f.pooled"), "too_short|", "a day is no ground");
    let sentence = told(
        &hub,
        "quick 6 1",
        "jsonb_path_query_first(f.why, '$[*] ? (@.kind == \"prior\")') ->> 'sentence'",
    );
    assert!(
        sentence.contains(
            "100 % of the date rests on 12 units alike (model quick, the same customer, territory North)"
        ),
        "{sentence}"
    );
    let days: f64 =
        told(&hub, "quick 6 1", "extract(epoch from f.p50 - f.as_of) / 86400").parse().expect("days");
    assert!((300.0..800.0).contains(&days), "about 550 days at the pace of its like: {days}");
    let slower = told(&hub, "still 6 1", "coalesce(extract(epoch from f.p50 - f.as_of) / 86400, 'infinity')");
    assert!(slower.parse::<f64>().expect("days") > 1.2 * days, "its model stands still: {slower} {days}");
    assert_eq!(told(&hub, "quick 200 1", "f.state, f.pooled"), "dated|", "a long history borrows nothing");

    let anew = hub.psql(
        "select bool_and((a.state, a.reason, a.p10, a.p50, a.p90) is not distinct from (s.state, s.reason, s.p10, s.p50, s.p90))
             and count(*) = 1
           from fleet.units u cross join lateral fleet.exhaustion(u.unit_id) s
          cross join lateral fleet.exhaustion(u.unit_id, as_of => s.as_of) a where u.name = 'quick 6 1'",
    );
    assert_eq!(anew, "t", "asked anew, SQL borrows the same");
    let unit = hub.psql("select unit_id from fleet.units where name = 'quick 6 1'");
    let json = hub.run(&["forecast", "--json", "--unit", &unit]).json();
    let p50: jiff::Timestamp = json["forecasts"][0]["p50"].as_str().expect("a date").parse().expect("a time");
    let sql = hub.psql(&format!("select extract(epoch from p50)::bigint from fleet.exhaustion({unit})"));
    assert_eq!(p50.as_second().to_string(), sql);
    let doubled = hub.psql(&format!(
        "select a.p10 is not null and coalesce(b.p10, 'infinity') > a.p10 from fleet.what_if({unit}, 10000000000000) a join fleet.what_if({unit}, 10000000000000) b
             using (component_id) where a.variant = 'as_is' and b.variant = 'what_if'"
    ));
    assert_eq!(doubled, "t", "more space lasts longer");
}

#[test]
fn what_came_later_is_not_lent() {
    let hub = hub();
    hub.psql("select public.make('quick', 'C-1', 12, 10000000000, 300)");
    let then = hub.psql("select to_char(date_trunc('second', now() - interval '100 days') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
    let lent = |hub: &Hub| {
        forecast(hub, &["--as-of", &then]);
        hub.psql("select units || ' ' || constants from fleet.priors order by run_id desc limit 1")
    };
    let whole = lent(&hub);
    assert!(whole.starts_with("12 "), "{whole}");
    // From then on everything grows ten times as fast.
    hub.psql(&format!("update fleet.status set used_bytes = used_bytes * 10 where at > '{then}'"));
    assert_eq!(lent(&hub), whole);
}

#[test]
fn what_cannot_be_read_of_units_alike_is_said_and_never_taken_for_nothing() {
    let hub = hub();
    hub.psql("select public.make('quick', 'C-1', 12, 10000000000, 200), public.make('quick', 'C-1', 1, 10000000000, 6)");
    forecast(&hub, &[]);
    let of_another_version = r#"'{"families": "of another version"}'"#;
    // As if a service of another version had begun a run and died.
    let begun = hub.psql(&format!(
        "with run as (insert into fleet.forecast_runs (as_of, model, scope, constants)
                          select date_trunc('second', now()), model, 'all', constants from fleet.forecast_runs where is_current
                          returning run_id),
              fitted as (insert into fleet.priors (run_id, units, constants) select run_id, 12, {of_another_version} from run)
         insert into fleet.run_ranges (run_id, first_unit, last_unit)
             select run.run_id, min(unit_id), max(unit_id) from run, fleet.units group by 1 returning run_id"
    ));
    let ran = hub.run(&["forecast", "--all"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("fleet.priors cannot be read") && ran.err.contains(&begun), "{}", ran.err);
    assert_eq!(told(&hub, "quick 6 1", "f.state, f.reason_code"), "dated|grows_as_units_alike");
    assert_eq!(
        hub.psql(&format!("select published_at is null from fleet.forecast_runs where run_id = {begun}")),
        "t"
    );

    hub.psql(&format!(
        "update fleet.priors p set constants = {of_another_version}
           from fleet.forecast_runs r where r.run_id = p.run_id and r.is_current"
    ));
    let ran = hub.run(&["plan"]);
    assert!(ran.code != 0 && ran.err.contains("fleet.priors cannot be read"), "{} {}", ran.code, ran.err);

    hub.psql("update fleet.forecast_runs set constants = '{\"version\": 7}' where is_current");
    let ran = hub.run(&["plan"]);
    let told =
        ran.err.contains("fleet.forecast_runs.constants of run") && ran.err.contains("headroom forecast");
    assert!(ran.code != 0 && told, "{} {}", ran.code, ran.err);
    let begun = hub.psql(
        "insert into fleet.forecast_runs (as_of, model, scope, constants)
             select date_trunc('second', now()), model, 'all', constants from fleet.forecast_runs where is_current
             returning run_id",
    );
    let ran = hub.run(&["forecast", "--all"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains(&format!("constants of run {begun} ")), "{}", ran.err);
    assert_eq!(hub.run(&["plan"]).code, 0, "the new run mended it");
}

#[test]
fn nobody_but_the_service_reads_what_was_fitted_of_customers() {
    let hub = hub();
    hub.psql("select public.make('quick', 'C-1', 12, 10000000000, 200)");
    forecast(&hub, &[]);
    let may =
        |role: &str| hub.psql(&format!("select has_table_privilege('{role}', 'fleet.priors', 'select')"));
    for role in ["headroom_sales", "headroom_customer", "headroom_reader"] {
        assert_eq!(may(role), "f", "{role}");
    }
    assert_eq!(hub.psql("select relrowsecurity from pg_class where oid = 'fleet.priors'::regclass"), "t");
}
