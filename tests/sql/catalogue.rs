//! Every SQL object of both schemas: it says what it is, is labelled by what it does, and guards what belongs to a customer.

use headroom_tests::Cluster;

fn migrated() -> Cluster {
    let cluster = Cluster::start();
    cluster.migrated_database("db");
    cluster
}

/// Asks for what breaks a rule: one a line; nothing may come.
fn nothing_breaks(cluster: &Cluster, rule: &str, sql: &str) {
    let found = cluster.psql("db", sql);
    assert!(found.is_empty(), "{rule}:\n{found}");
}

const SCHEMAS: &str = "('headroom', 'fleet')";

#[test]
fn every_object_has_a_comment() {
    let cluster = migrated();
    for (kind, sql) in [
        ("relations", "select c.oid::regclass from pg_class c where relnamespace::regnamespace::text in SCHEMAS and relkind in ('r', 'p', 'v', 'm', 'f') and obj_description(c.oid, 'pg_class') is null"),
        (
            "columns",
            "select c.oid::regclass || '.' || attname from pg_class c join pg_attribute a on attrelid = c.oid
              where relnamespace::regnamespace::text in SCHEMAS and relkind in ('r', 'p', 'c') and attnum > 0 and not attisdropped
                and col_description(c.oid, attnum) is null and c.oid not in (select blocks from headroom.hypertables where blocks is not null)",
        ),
        ("functions", "select p.oid::regprocedure from pg_proc p where pronamespace::regnamespace::text in SCHEMAS and obj_description(p.oid, 'pg_proc') is null"),
        (
            "types",
            "select t.oid::regtype from pg_type t left join pg_class c on c.oid = typrelid
              where typnamespace::regnamespace::text in SCHEMAS and typelem = 0 and coalesce(relkind, 'c') = 'c' and obj_description(t.oid, 'pg_type') is null",
        ),
        ("schemas", "select nspname from pg_namespace where nspname in SCHEMAS and obj_description(oid, 'pg_namespace') is null"),
        ("triggers' functions and access methods", "select amname from pg_am where amname like 'headroom%' and obj_description(oid, 'pg_am') is null"),
    ] {
        nothing_breaks(&cluster, kind, &sql.replace("SCHEMAS", SCHEMAS));
    }
}

#[test]
fn functions_are_labelled_by_what_they_do() {
    let cluster = migrated();
    nothing_breaks(
        &cluster,
        "what only calculates is immutable and runs in parallel",
        "select p.oid::regprocedure from pg_proc p where pronamespace = 'headroom'::regnamespace
            and proname ~ '^(time_bucket|first|last|exhaustion|forecast|p_exhaust_by|probability_by|date_of_probability|time_left|what_if|why)'
            and prokind <> 'a' and (provolatile <> 'i' or proparallel <> 's')",
    );
    nothing_breaks(
        &cluster,
        "aggregates run in parallel and can be combined",
        "select p.oid::regprocedure from pg_proc p join pg_aggregate a on aggfnoid = p.oid where pronamespace = 'headroom'::regnamespace
            and (proparallel <> 's' or aggcombinefn = 0 or aggserialfn = 0 or aggdeserialfn = 0)",
    );
    nothing_breaks(
        &cluster,
        "what writes is volatile and stays in the leader",
        "select p.oid::regprocedure from pg_proc p where pronamespace = 'headroom'::regnamespace
            and proname ~ '^(create_|add_|remove_|alter_|delete_|delete_|seal($|_)|unseal|run_job|begin_run|end_run)'
            and (provolatile <> 'v' or proparallel <> 'u')",
    );
    nothing_breaks(
        &cluster,
        "questions about a unit are stable and run in parallel",
        "select p.oid::regprocedure from pg_proc p where pronamespace = 'fleet'::regnamespace
            and proname in ('exhaustion', 'forecast', 'forecasts_of', 'p_exhaust_by', 'time_left', 'what_if', 'why', 'accuracy', 'order_by', 'purchase_plan', 'daily_history')
            and (provolatile <> 's' or proparallel <> 's' or prosecdef)",
    );
    nothing_breaks(
        &cluster,
        "a function that returns a trigger is volatile",
        "select p.oid::regprocedure from pg_proc p where pronamespace::regnamespace::text in ('headroom', 'fleet') and prorettype = 'trigger'::regtype and provolatile <> 'v'",
    );
}

#[test]
fn definers_and_functions_of_the_domain_pin_their_search_path() {
    let cluster = migrated();
    nothing_breaks(
        &cluster,
        "search_path",
        "select p.oid::regprocedure from pg_proc p where pronamespace::regnamespace::text in ('headroom', 'fleet')
            and (prosecdef or (pronamespace = 'fleet'::regnamespace and prokind = 'f'))
            and not exists (select from unnest(proconfig) s where s like 'search_path=%' and s !~ 'public|user')",
    );
    nothing_breaks(
        &cluster,
        "nobody may call what was not granted",
        "select p.oid::regprocedure from pg_proc p where pronamespace = 'fleet'::regnamespace
            and exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0)",
    );
}

#[test]
fn tables_of_customers_have_row_level_security() {
    let cluster = migrated();
    // What belongs to no customer: the catalogue of products, territories, runs as such, notices, the migrations' own list.
    nothing_breaks(
        &cluster,
        "row-level security",
        "select c.oid::regclass from pg_class c where relnamespace = 'fleet'::regnamespace and relkind = 'r' and not relrowsecurity
            and relname not in ('products', 'territories', 'forecast_runs', 'run_ranges', 'notices', 'settings', 'refinery_schema_history')
            and not exists (select from headroom.hypertables h where h.blocks = c.oid)",
    );
    nothing_breaks(
        &cluster,
        "a table with row-level security has a policy",
        "select c.oid::regclass from pg_class c where relnamespace = 'fleet'::regnamespace and relrowsecurity
            and not exists (select from pg_policy where polrelid = c.oid)",
    );
    nothing_breaks(
        &cluster,
        "views of the domain read as whoever asks, those of the engine let nothing through their conditions",
        "select c.oid::regclass from pg_class c where relnamespace::regnamespace::text in ('headroom', 'fleet') and relkind = 'v'
            and not coalesce(reloptions, '{}') && case relnamespace::regnamespace::text when 'fleet' then '{security_invoker=true,security_invoker=on}'::text[] else '{security_barrier=true,security_invoker=true}' end",
    );
}

#[test]
fn foreign_keys_have_an_index_and_nothing_is_public() {
    let cluster = migrated();
    nothing_breaks(
        &cluster,
        "a foreign key that leads no index makes deleting its target slow",
        "select conrelid::regclass || ' ' || conname from pg_constraint k where contype = 'f' and connamespace = 'fleet'::regnamespace
            and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1])
            and confrelid::regclass::text not in ('fleet.forecast_runs', 'fleet.products', 'fleet.jobs')",
    );
    nothing_breaks(
        &cluster,
        "tables granted to everybody",
        "select c.oid::regclass from pg_class c, aclexplode(relacl) a where relnamespace = 'fleet'::regnamespace and a.grantee = 0",
    );
}
