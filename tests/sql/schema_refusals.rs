//! What the tables refuse: each impossible value by a constraint that names it.

use headroom_tests::{Cluster, cluster::migrations};

const WORLD: &str = "
    insert into fleet.customers (reference, name) values ('C', 'C');
    insert into fleet.units (name) values ('U');
    insert into fleet.components (unit_id, node_key, kind) select unit_id, 'k', 'drive' from fleet.units;
    insert into fleet.forecast_runs (as_of, model) values (now(), 'm');
    insert into fleet.offers (customer_id, currency) select customer_id, 'EUR' from fleet.customers";

/// Statement, and a word of the error: the constraint's or the column's name.
const REFUSED: &[(&str, &str)] = &[
    (
        "insert into fleet.customers (reference, name, budget, budget_currency) values ('X', 'X', 'NaN', 'EUR')",
        "budget",
    ),
    ("insert into fleet.customers (reference, name, budget) values ('X', 'X', 1)", "budget_has_a_currency"),
    ("insert into fleet.customers (reference, name, approval_days) values ('X', 'X', -1)", "approval_days"),
    (
        "insert into fleet.customers (reference, name, no_contact_until) values ('X', 'X', 'infinity')",
        "no_contact_until",
    ),
    (
        "insert into fleet.customers (reference, name, contact_email) values ('X', 'X', 'nobody')",
        "contact_email",
    ),
    (
        "insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of) values ('X', 'X', 'unit', 'NaN', 'EUR', 1, now())",
        "price",
    ),
    (
        "insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of, raid_overhead) values ('X', 'X', 'unit', 1, 'EUR', 1, now(), 'NaN')",
        "raid_overhead",
    ),
    (
        "insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of, load_factor) values ('X', 'X', 'unit', 1, 'EUR', 1, now(), 'NaN')",
        "load_factor",
    ),
    (
        "insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of, capacity_bytes) values ('X', 'X', 'unit', 1, 'EUR', 1, now(), -1)",
        "capacity_bytes",
    ),
    (
        "insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of) values ('X', 'X', 'unit', 1, 'EUR', 1, 'infinity')",
        "lead_time_as_of",
    ),
    ("update fleet.components set capacity_bytes = -1", "capacity_bytes"),
    ("update fleet.units set sold_on = 'infinity'", "sold_on"),
    ("update fleet.units set life = 'lost'", "life"),
    ("update fleet.units set kind = 'cloud'", "kind"),
    ("insert into fleet.components (unit_id, node_key, kind) values (4711, 'k', 'drive')", "4711"),
    ("insert into fleet.status (component_id, at, used_bytes) values (1, now(), -1)", "nothing_is_negative"),
    (
        "insert into fleet.status (component_id, at, capacity_bytes) values (1, now(), -1)",
        "nothing_is_negative",
    ),
    (
        "insert into fleet.status (component_id, at, utilisation) values (1, now(), 'NaN')",
        "utilisation_is_a_ratio",
    ),
    (
        "insert into fleet.status (component_id, at, utilisation) values (1, now(), 1.01)",
        "utilisation_is_a_ratio",
    ),
    (
        "insert into fleet.status (component_id, at, queue_depth) values (1, now(), 'NaN')",
        "queue_depth_is_finite",
    ),
    (
        "insert into fleet.status (component_id, at, queue_depth) values (1, now(), 'infinity')",
        "queue_depth_is_finite",
    ),
    ("insert into fleet.status (component_id, at) values (1, 'infinity')", "at_is_finite"),
    ("insert into fleet.status (component_id, at) values (1, '-infinity')", "at_is_finite"),
    ("insert into fleet.status (component_id, at) values (1, '1970-01-01')", "at_is_finite"),
    (
        "insert into fleet.status (component_id, at, used_source) values (1, now(), 'guess')",
        "used_source_is_known",
    ),
    (
        "insert into fleet.status (component_id, at, temperature_celsius) values (1, now(), -274)",
        "temperature_is_believable",
    ),
    ("insert into fleet.forecast_runs (as_of, model) values ('infinity', 'm')", "as_of"),
    (
        "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside, p10) values (1, 'capacity', 1, 'dated', 'a', 'b', now(), 'm', 1, 0, 'infinity')",
        "p10",
    ),
    (
        "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside, p10) values (1, 'capacity', 1, 'stale', 'a', 'b', now(), 'm', 1, 0, now())",
        "only_dated_has_dates",
    ),
    (
        "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside, p10, p50) values (1, 'capacity', 1, 'dated', 'a', 'b', now(), 'm', 1, 0, now(), now() - interval '1 day')",
        "dates_are_in_order",
    ),
    (
        "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside, last_used) values (1, 'capacity', 1, 'stale', 'a', 'b', now(), 'm', 1, 0, 'NaN')",
        "last_used",
    ),
    (
        "insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside) values (1, 'coffee', 1, 'stale', 'a', 'b', now(), 'm', 1, 0)",
        "resource",
    ),
    (
        "insert into fleet.backtests (component_id, resource, origin, question_limit, judged_until, p10_days, model) values (1, 'capacity', now(), 1, now(), 'NaN', 'm')",
        "p10_days",
    ),
    (
        "insert into fleet.backtests (component_id, resource, origin, question_limit, judged_until, true_days, model) values (1, 'capacity', now(), 1, now(), 'infinity', 'm')",
        "true_days",
    ),
    ("update fleet.offers set price = 'NaN'", "price"),
    ("update fleet.offers set price = -1", "price"),
    ("update fleet.offers set order_by = '-infinity'", "order_by"),
    (
        "insert into fleet.nodes (node_id, clock_ahead_seconds) values (gen_random_uuid(), 'NaN')",
        "clock_ahead_seconds",
    ),
    ("select * from fleet.exhaustion(4711)", "4711"),
    ("select fleet.p_exhaust_by(1, 'infinity')", "infinity"),
];

#[test]
fn impossible_values_are_refused_by_name() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    cluster.psql("fleet", WORLD);
    let mut wrong = Vec::new();
    for (statement, word) in REFUSED {
        match cluster.try_psql("fleet", statement) {
            Ok(_) => wrong.push(format!("taken: {statement}")),
            Err(error) if !format!("{error:#}").contains(word) => {
                wrong.push(format!("{error:#} does not name {word}: {statement}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A table or column that nobody has explained, a foreign key that no index serves, a table of customers' data that is
/// open to everybody: each is found here, whoever adds it.
#[test]
fn everything_is_explained_indexed_and_guarded() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    let ask = |sql: &str| cluster.psql("fleet", sql);
    assert_eq!(
        ask(
            "select c.relname || coalesce('.' || a.attname, '')
               from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'fleet'
               left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              where c.relkind in ('r', 'p', 'v')
                and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)"
        ),
        "",
        "without a comment"
    );
    assert_eq!(
        ask("select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'fleet' and obj_description(p.oid, 'pg_proc') is null"),
        "",
        "functions without a comment"
    );
    assert_eq!(
        ask("select c.conrelid::regclass || ' ' || c.conname from pg_constraint c
              where c.contype = 'f' and c.connamespace = 'fleet'::regnamespace
                and not exists (select from pg_index i where i.indrelid = c.conrelid
                                   and (i.indkey::int2[])[0:array_length(c.conkey, 1) - 1] @> c.conkey)"),
        "",
        "foreign keys that no index serves"
    );
    // What holds nothing of a customer.
    let open = "'territories', 'products', 'forecast_runs', 'run_ranges', 'notices'";
    assert_eq!(
        ask(&format!(
            "select c.relname from pg_class c where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p')
                and not c.relrowsecurity and c.relname not in ({open})"
        )),
        "",
        "without row-level security"
    );
    assert_eq!(
        ask("select c.relname from pg_class c where c.relnamespace = 'fleet'::regnamespace and c.relkind = 'v'
                and not coalesce(c.reloptions::text[] && array['security_invoker=true', 'security_invoker=on'], false)"),
        "",
        "views that see more than who asks"
    );
    assert_eq!(
        ask("select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'fleet'::regnamespace
                and (has_function_privilege('public', p.oid, 'execute')
                     or not coalesce(p.proconfig::text ~ 'search_path', false))"),
        "",
        "functions that anybody may call, or that look where the caller says"
    );
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let numbers: Vec<String> = migrations()
        .iter()
        .map(|(path, _)| path.file_name().expect("a name").to_string_lossy()[1..5].to_owned())
        .collect();
    let expected: Vec<String> = (1..=numbers.len()).map(|number| format!("{number:04}")).collect();
    assert_eq!(numbers, expected);
}
