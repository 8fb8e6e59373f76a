//! The fleet run as its users meet it: one answer everywhere, published whole, shared, resumed, steady.

use headroom_tests::{fleet, hub::Hub};
use serde_json::Value;

fn hub() -> Hub {
    let hub = Hub::new();
    fleet::load(&hub);
    hub
}

fn forecast(hub: &Hub, arguments: &[&str]) -> String {
    let ran = hub.run(&[&["forecast"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

fn json(hub: &Hub) -> Vec<Value> {
    let ran = hub.run(&["forecast", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()["forecasts"].as_array().expect("a list").clone()
}

/// Dates of the current run, as SQL tells them.
fn dates(hub: &Hub) -> String {
    hub.psql(
        "select string_agg(format('%s %s %s %s %s', u.name, e.state, e.p10, e.p50, e.p90), E'\\n' order by u.name, e.resource)
           from fleet.units u cross join lateral fleet.exhaustion(u.unit_id) e",
    )
}

#[test]
fn sql_and_the_command_line_give_the_same_figures_to_the_last_digit() {
    let hub = hub();
    forecast(&hub, &[]);
    let told = json(&hub);
    assert_eq!(told.len(), 5);
    for one in &told {
        let (unit, component) = (&one["unit_id"], &one["component_id"]);
        let sql = hub.psql(&format!(
            "select jsonb_build_object('state', e.state, 'p10', e.p10, 'p50', e.p50, 'p90', e.p90, 'used', e.last_used,
                        'limit', e.resource_limit, 'samples', e.samples, 'fan', f.fan, 'passage', f.passage)
               from fleet.exhaustion({unit}, 'capacity') e
               join fleet.forecasts f on f.component_id = e.component_id and f.resource = e.resource
               join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current where e.component_id = {component}"
        ));
        let sql: Value = serde_json::from_str(&sql).expect("JSON");
        for date in ["p10", "p50", "p90"] {
            let read =
                |value: &Value| value.as_str().map(|at| at.parse::<jiff::Timestamp>().expect("a time"));
            assert_eq!(read(&sql[date]), read(&one[date]), "{date} of {unit}");
        }
        assert_eq!(sql["state"], one["state"]);
        for (ours, theirs) in [("used", "last_used"), ("limit", "limit"), ("samples", "samples")] {
            assert_eq!(sql[ours].as_f64(), one[theirs].as_f64(), "{ours} of {unit}");
        }
        for list in ["fan", "passage"] {
            let numbers = |value: &Value| {
                let points = value.as_array().expect(list).iter();
                points
                    .map(|p| {
                        let at =
                            p["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
                        (
                            at,
                            ["p10", "p50", "p90", "probability"]
                                .map(|level| p[level].as_f64().map(f64::to_bits)),
                        )
                    })
                    .collect::<Vec<_>>()
            };
            assert!(!numbers(&one[list]).is_empty(), "{list} of {unit}");
            assert_eq!(numbers(&sql[list]), numbers(&one[list]), "{list} of {unit}");
        }
    }
    let states = hub.psql(
        "select string_agg(u.name || ' ' || e.state, ', ' order by u.name) from fleet.units u
          cross join lateral fleet.exhaustion(u.unit_id) e where u.name in ('filling', 'calm')",
    );
    assert!(states.ends_with("filling dated"), "{states}");
    assert!(!states.starts_with("calm dated"), "{states}");
}

#[test]
fn sql_asks_anew_as_far_ahead_as_the_run_looked() {
    let hub = Hub::with("forecast.horizon_days = 200");
    fleet::load(&hub);
    forecast(&hub, &[]);
    let differing = hub.psql(
        "select count(*) filter (where (a.state, a.reason, a.p10, a.p50, a.p90) is distinct from (s.state, s.reason, s.p10, s.p50, s.p90))
                || ' of ' || count(*)
           from fleet.units u cross join lateral fleet.exhaustion(u.unit_id) s
          cross join lateral fleet.exhaustion(u.unit_id, as_of => s.as_of) a",
    );
    assert_eq!(differing, "0 of 5");
    let last = "select max(f.\"time\" - s.as_of) <= interval '201 days' from fleet.units u
        cross join lateral fleet.exhaustion(u.unit_id) s cross join lateral fleet.forecast(u.unit_id, as_of => s.as_of) f";
    assert_eq!(hub.psql(last), "t");
}

#[test]
fn readers_see_one_run_or_the_other_and_a_lost_history_replaces_nothing() {
    let hub = hub();
    forecast(&hub, &[]);
    let before = dates(&hub);
    hub.psql("create table kept as select * from fleet.status; delete from fleet.status");
    let ran = hub.run(&["forecast", "--all"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("given up"), "{}", ran.err);
    assert_eq!(dates(&hub), before, "the run before stays");
    assert_eq!(hub.psql("select count(*) from fleet.forecast_runs where is_current"), "1");
    hub.psql("insert into fleet.status select * from kept");
    forecast(&hub, &["--all"]);
    assert_eq!(dates(&hub), before, "hardly moved dates stay");
}

#[test]
fn what_has_not_changed_is_carried_over_and_what_has_is_forecast() {
    let hub = hub();
    forecast(&hub, &[]);
    assert!(forecast(&hub, &["--changed"]).contains("5 forecasts"), "all are there");
    assert_eq!(hub.psql("select sum(carried) from fleet.run_ranges where run_id = (select max(run_id) from fleet.forecast_runs)"), "5");
    let plans = "select count(*) from fleet.plans p join fleet.forecast_runs r using (run_id) where r.is_current and p.chosen";
    let planned = hub.psql(plans);
    hub.psql(
        "with k as (update fleet.components k set status_until = now() from fleet.units u
                     where u.unit_id = k.unit_id and u.name = 'filling' returning k.component_id)
         insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
         select component_id, now() - interval '5 seconds', 28000000000000, 18500000000000, 'zfs' from k",
    );
    let earlier = hub.psql("select max(e.p50) from fleet.units u cross join lateral fleet.exhaustion(u.unit_id) e where u.name = 'filling'");
    forecast(&hub, &["--changed"]);
    assert_eq!(hub.psql("select sum(carried) from fleet.run_ranges where run_id = (select max(run_id) from fleet.forecast_runs)"), "4");
    let later = hub.psql("select max(e.p50) from fleet.units u cross join lateral fleet.exhaustion(u.unit_id) e where u.name = 'filling'");
    assert!(later.is_empty() || later > earlier, "an expansion is told at once: {earlier} {later}");
    assert!(hub.psql(plans).parse::<i64>().expect("a count") >= planned.parse::<i64>().expect("a count") - 1);
}

#[test]
fn a_run_that_a_dead_service_began_is_gone_on_with_and_the_past_does_not_replace_the_present() {
    let hub = Hub::with("forecast.claim = 2");
    fleet::load(&hub);
    forecast(&hub, &["--as-of", "2026-11-01T00:00:00Z"]);
    forecast(&hub, &[]);
    let current = "select run_id from fleet.forecast_runs where is_current";
    let now = hub.psql(current);
    let told = forecast(&hub, &["--as-of", "2026-10-01T00:00:00Z"]);
    assert!(told.contains("readers go on seeing the later run"), "{told}");
    assert_eq!(hub.psql(current), now);
    // As if a service had died after its first range.
    let half = hub.psql(
        "with run as (insert into fleet.forecast_runs (as_of, model, scope, constants)
                          select date_trunc('second', now()), model, 'all', constants from fleet.forecast_runs where is_current
                          returning run_id),
              ranges as (insert into fleet.run_ranges (run_id, first_unit, last_unit)
                         select run.run_id, g.first_unit, g.last_unit from run, fleet.run_ranges g
                          where g.run_id = (select run_id from fleet.forecast_runs where is_current))
         select run_id from run",
    );
    assert!(forecast(&hub, &["--all"]).starts_with(&format!("run {half}:")), "it is gone on with");
    assert_eq!(hub.psql(current), half);
    let ran = hub.run(&["forecast", "--as-of", "2999-01-01T00:00:00Z"]);
    assert_eq!(ran.code, 64, "{}", ran.err);
}

#[test]
fn several_services_share_one_run() {
    let hub = Hub::with("forecast.claim = 1");
    fleet::load(&hub);
    // The key under which runs are begun is held until all three wait for it: they start as close together as can be.
    let held = "select count(*) from pg_locks where locktype = 'advisory' and granted";
    let hold = "do $$ begin
        perform pg_advisory_lock(x'686561640001'::bigint);
        for i in 1..1200 loop
            exit when (select count(*) from pg_locks where locktype = 'advisory' and not granted) = 3;
            perform pg_sleep(0.05);
        end loop;
    end $$";
    std::thread::scope(|scope| {
        scope.spawn(|| hub.psql(hold));
        while hub.psql(held) == "0" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| hub.run(&["forecast"]))).collect();
        for ran in runs.into_iter().map(|run| run.join().expect("it runs")) {
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
    });
    assert_eq!(hub.psql("select count(*) from fleet.forecast_runs"), "1", "one begins, the others join");
    let doubled = hub.psql("select count(*) from (select from fleet.forecasts group by run_id, component_id, resource having count(*) > 1) d");
    assert_eq!(doubled, "0");
    assert_eq!(hub.psql("select count(*) from fleet.forecasts f join fleet.forecast_runs r using (run_id) where r.is_current"), "5");
}

#[test]
fn earlier_origins_are_judged_by_what_came_and_the_report_lists_every_unit() {
    let hub = hub();
    forecast(&hub, &[]);
    let ran = hub.run(&["job", "run", "backtest"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let judged: i64 = hub.psql("select judged from fleet.accuracy()").parse().expect("a count");
    assert!(judged >= 20, "{judged}");
    assert_eq!(
        hub.psql("select count(*) from fleet.backtests where judged_until <= origin or p10_days > p50_days"),
        "0"
    );
    let again = hub.run(&["job", "run", "backtest"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(hub.psql("select judged from fleet.accuracy()"), judged.to_string(), "judged once");
    let csv = hub.run(&["report", "--format", "csv"]);
    assert_eq!(csv.out.lines().count(), 6, "{}", csv.out);
    let html = hub.run(&["report"]);
    assert!(html.out.contains("filling too") && html.out.contains("DRIVE"), "{}", html.out);
}
