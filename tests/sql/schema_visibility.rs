//! Who sees what: every role, by SQL, as the role that logs in. Territory, consent of both sides, and whose unit it is.

use headroom_tests::Cluster;
use tokio_postgres::Client;

/// A, B: consent on both sides, north and south. C: the hub's copy does not grant sales. D: the node's does not. E: no
/// node sees its unit yet, sales granted.
const WORLD: &str = "
    insert into fleet.territories (name) values ('north'), ('south');
    insert into fleet.customers (reference, name, territory_id)
        select c, 'Customer ' || c, t.territory_id
          from (values ('A', 'north'), ('B', 'south'), ('C', 'north'), ('D', 'north'), ('E', 'north')) as v (c, t)
          join fleet.territories t on t.name = v.t;
    insert into fleet.consents (customer_id, purpose, granted)
        select customer_id, 'sales', reference <> 'C' from fleet.customers;
    insert into fleet.nodes (node_id, customer_id, consent_sales)
        select gen_random_uuid(), customer_id, reference <> 'D' from fleet.customers where reference <> 'E';
    insert into fleet.units (name, customer_id, node_id, node_key)
        select reference, c.customer_id, n.node_id, case when n.node_id is not null then 'k' end
          from fleet.customers c left join fleet.nodes n using (customer_id);
    insert into fleet.components (unit_id, node_key, kind) select unit_id, 'fs', 'file_system' from fleet.units;
    insert into fleet.status (component_id, at, used_bytes) select component_id, now(), 1 from fleet.components;
    insert into fleet.remarks (node_id, digest, component_id, sentence)
        select u.node_id, sha256(u.name::bytea), c.component_id, u.name
          from fleet.components c join fleet.units u using (unit_id) where u.node_id is not null
        union all select u.node_id, sha256((u.name || 'node')::bytea), null, u.name
          from fleet.units u where u.node_id is not null;
    insert into fleet.forecast_runs (as_of, model, published_at, is_current) values (now(), 'm', now(), true);
    insert into fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, as_of, model, samples, set_aside)
        select component_id, 'capacity', run_id, 'too_short', 'a', 'b', now(), 'm', 1, 0
          from fleet.components, fleet.forecast_runs;
    insert into fleet.offers (customer_id, currency) select customer_id, 'EUR' from fleet.customers;
    insert into fleet.products (sku, name, action, price, currency, lead_time_days, lead_time_as_of)
        values ('P', 'P', 'expansion', 1, 'EUR', 1, current_date);
    -- As if offered before the purpose was withdrawn.
    alter table fleet.offer_items disable trigger user;
    insert into fleet.offer_items (offer_id, unit_id, resource, product_id, action, quantity, price)
        select o.offer_id, u.unit_id, 'capacity', p.product_id, 'expansion', 1, 1
          from fleet.offers o join fleet.units u using (customer_id), fleet.products p;
    alter table fleet.offer_items enable trigger user;
    create role north login in role headroom_sales;
    create role everywhere login in role headroom_sales;
    create role nobody login in role headroom_sales;
    create role owner_a login in role headroom_customer;
    create role owner_c login in role headroom_customer;
    create role analyst login in role headroom_reader;
    create role chief login in role headroom_admin;
    create role taker login in role headroom_intake;
    create role service login in role headroom_service;
    insert into fleet.people (name, email, role, password_hash, territory_id, database_role)
        select v.name, v.name, 'sales', '$argon2id$x', t.territory_id, v.name::name
          from (values ('north', 'north'), ('everywhere', null)) as v (name, t) left join fleet.territories t on t.name = v.t;
    insert into fleet.people (name, email, role, password_hash, customer_id, database_role)
        select 'owner_' || lower(reference), 'owner_' || reference, 'customer', '$argon2id$x', customer_id, ('owner_' || lower(reference))::name
          from fleet.customers where reference in ('A', 'C')";

const TABLES: [(&str, &str); 4] = [
    ("units", "select name from fleet.units order by 1"),
    (
        "status",
        "select u.name from fleet.status s join fleet.components using (component_id) join fleet.units u using (unit_id) order by 1",
    ),
    (
        "forecasts",
        "select u.name from fleet.forecasts join fleet.components using (component_id) join fleet.units u using (unit_id) order by 1",
    ),
    ("components", "select u.name from fleet.components join fleet.units u using (unit_id) order by 1"),
];

async fn names(client: &Client, sql: &str) -> String {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("")
}

#[tokio::test]
async fn each_role_sees_its_own() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    cluster.psql("fleet", WORLD);
    for (role, seen) in [
        ("north", "AE"),
        ("everywhere", "ABE"),
        ("nobody", ""),
        ("owner_a", "A"),
        ("owner_c", "C"),
        ("analyst", "ABCDE"),
        ("chief", "ABCDE"),
        ("taker", "ABCDE"),
    ] {
        let client = cluster.connect_as("fleet", role).await;
        for (table, sql) in TABLES {
            if role == "taker" && table == "forecasts" {
                continue;
            }
            assert_eq!(names(&client, sql).await, seen, "{table} as {role}");
        }
        // What a node says of a component and what it says of itself; no node sees E.
        let twice: String = seen.chars().filter(|name| *name != 'E').flat_map(|name| [name, name]).collect();
        let remarks = "select sentence from fleet.remarks order by 1";
        assert_eq!(names(&client, remarks).await, twice, "remarks as {role}");
        // A setting changes nothing for who is not the service.
        client.batch_execute("set fleet.task = 'service'; set fleet.person = '1'").await.expect("a setting");
        assert_eq!(names(&client, TABLES[0].1).await, seen, "settings as {role}");
    }
    // A representative sees offers whose units all are visible; a customer those that were sent: none yet.
    let offers = "select c.reference from fleet.offers join fleet.customers c using (customer_id) order by 1";
    for (role, seen) in [("north", "AE"), ("everywhere", "ABE"), ("owner_a", ""), ("chief", "ABCDE")] {
        let client = cluster.connect_as("fleet", role).await;
        assert_eq!(names(&client, offers).await, seen, "offers as {role}");
    }
}

#[tokio::test]
async fn the_service_acts_as_the_person_it_names_or_as_nobody() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    cluster.psql("fleet", WORLD);
    let person = |name: &str| {
        cluster.psql("fleet", &format!("select person_id from fleet.people where name = '{name}'"))
    };
    let client = cluster.connect_as("fleet", "service").await;
    let units = TABLES[0].1;
    assert_eq!(names(&client, units).await, "", "who forgets to say who asks sees nothing");
    for (name, seen) in [("north", "AE"), ("everywhere", "ABE"), ("owner_c", "C")] {
        let begin = format!("begin; select set_config('fleet.person', '{}', true)", person(name));
        client.batch_execute(&begin).await.expect("begun");
        assert_eq!(names(&client, units).await, seen, "{name}");
        client.batch_execute("commit").await.expect("committed");
        assert_eq!(names(&client, units).await, "", "the next transaction is nobody again");
    }
    client.batch_execute("set fleet.task = 'service'").await.expect("set");
    assert_eq!(names(&client, units).await, "ABCDE");
    client.batch_execute("set fleet.person = '4711'").await.expect("set");
    assert_eq!(names(&client, units).await, "", "somebody unknown, whatever the task");
}

#[tokio::test]
async fn nobody_changes_what_is_not_theirs() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    cluster.psql("fleet", WORLD);
    for (role, sql, code) in [
        ("north", "update fleet.customers set name = 'x'", "42501"),
        ("north", "insert into fleet.status (component_id, at) values (1, now())", "42501"),
        ("north", "select email from fleet.people", "42501"),
        ("analyst", "select contact_email from fleet.customers", "42501"),
        ("analyst", "delete from fleet.units", "42501"),
        ("owner_a", "select 1 from fleet.nodes", "42501"),
        (
            "owner_a",
            "insert into fleet.consents (customer_id, purpose, granted) select customer_id, 'sales', true from fleet.units",
            "42501",
        ),
        ("taker", "select 1 from fleet.sessions where token_sha256 is null", ""),
        ("chief", "update fleet.consents set granted = true", "42501"),
        ("chief", "delete from fleet.audit_log", "42501"),
        ("service", "drop table fleet.units", "42501"),
        ("service", "set role headroom_admin", "42501"),
    ] {
        let client = cluster.connect_as("fleet", role).await;
        let state = client.batch_execute(sql).await.err().and_then(|error| error.code().cloned());
        let state = state.as_ref().map_or("", |state| state.code());
        assert_eq!(state, code, "{sql} as {role}");
    }
}

#[tokio::test]
async fn consent_that_is_withdrawn_hides_the_unit_at_once_and_takes_offers_back() {
    let cluster = Cluster::start();
    cluster.migrated_database("fleet");
    cluster.psql("fleet", WORLD);
    let sales = cluster.connect_as("fleet", "everywhere").await;
    assert_eq!(names(&sales, TABLES[0].1).await, "ABE");
    cluster.psql("fleet", "insert into fleet.consents (customer_id, purpose, granted) select customer_id, 'sales', false from fleet.customers where reference = 'A'");
    cluster.psql("fleet", "update fleet.nodes set consent_sales = false where customer_id = (select customer_id from fleet.customers where reference = 'B')");
    for (table, sql) in TABLES {
        assert_eq!(names(&sales, sql).await, "E", "{table}");
    }
    let states = cluster.psql(
        "fleet",
        "select string_agg(reference || '=' || state, ' ' order by reference) from fleet.offers join fleet.customers using (customer_id) where reference in ('A', 'B', 'E')",
    );
    assert_eq!(states, "A=withdrawn B=withdrawn E=planned");
}
