//! The hub's command line: exit codes, JSON, mistakes by line, and that the same again changes nothing.

use headroom_tests::{Cluster, Hub};

const CUSTOMERS: &str = "reference,name,territory,contact_email,approval_days,consent\n\
    C-1,First,North,a@example.org,10,support advice sales\n\
    C-2,\"Second, Ltd\",South,b@example.org,5,support\n";
const CATALOGUE: &str = "sku,name,action,capacity_bytes,price,currency,lead_time_days,lead_time_as_of\n\
    UNIT,A unit,unit,4000000000000,900.50,EUR,10,2026-11-01\n\
    MORE,More space,expansion,4000000000000,400,EUR,20,2026-11-01\n";
const UNITS: &str =
    "serial,customer,product,site,sold_on\nS1,C-1,UNIT,Oslo,2025-01-31\nS2,C-2,UNIT,Bergen,\n";

#[test]
fn migrations_are_applied_once_and_the_second_time_nothing_happens() {
    let hub = Hub::new();
    let again = hub.run(&["migrate", "--json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(again.json()["applied"], serde_json::json!([]));
    assert_eq!(
        hub.psql("select count(*) from public.refinery_schema_history"),
        again.json()["version"].to_string()
    );
}

#[test]
fn a_schema_that_psql_applied_is_served_too() {
    let cluster = Cluster::start();
    cluster.migrated_database("byhand");
    cluster.psql("byhand", "create role by_hand login in role headroom_service");
    let hub = Hub::new();
    let ran = hub.run(&["--database-url", &cluster.url("byhand", "by_hand"), "node", "list", "--json"]);
    assert_eq!((ran.code, ran.out.trim()), (0, "[]"), "{}", ran.err);
}

#[test]
fn imports_are_idempotent() {
    let hub = Hub::new();
    for (what, csv) in [("customers", CUSTOMERS), ("catalogue", CATALOGUE), ("units", UNITS)] {
        let first = hub.import(what, csv);
        assert_eq!(first.code, 0, "{what}: {}", first.err);
        assert!(first.out.starts_with("2 rows: 2 added, 0 changed"), "{what}: {}", first.out);
        let second = hub.import(what, csv);
        assert!(second.out.starts_with("2 rows: 0 added, 0 changed, 2 as"), "{what}: {}", second.out);
    }
    let changed = hub.import("customers", &CUSTOMERS.replace("support advice sales", "support advice"));
    assert!(changed.out.starts_with("2 rows: 0 added, 1 changed"), "{}", changed.out);
    let said = "select string_agg(purpose || ' ' || granted, ', ' order by consent_id) from fleet.consents c
                  join fleet.customers k using (customer_id) where reference = 'C-1'";
    assert_eq!(hub.psql(said), "support true, advice true, sales true, sales false", "every change is kept");
    assert_eq!(hub.psql("select life || ' ' || count(*) from fleet.units group by life"), "sold 2");
}

#[test]
fn mistakes_are_told_with_their_lines_and_nothing_is_imported() {
    let hub = Hub::new();
    hub.import("customers", CUSTOMERS);
    for (what, csv, expected) in [
        (
            "customers",
            "reference,name,approval_days\nC-3,Third,soon\nC-4,,1\n",
            vec!["line 2, approval_days", "line 3, name"],
        ),
        ("customers", "reference,nmae\nC-3,Third\n", vec!["line 1, nmae", "line 1, name"]),
        (
            "customers",
            "reference,name,contact_email\nC-3,Third,nobody\nC-3,Third,\n",
            vec!["line 2, contact_email", "line 3, reference"],
        ),
        (
            "catalogue",
            "sku,name,action,price,currency,lead_time_days,lead_time_as_of\nX,X,unit,NaN,EUR,1,2026-11-01\nY,Y,gift,-1,eur,-1,never\n",
            vec![
                "line 2, price",
                "line 3, action",
                "line 3, price",
                "line 3, currency",
                "line 3, lead_time_days",
                "line 3, lead_time_as_of",
            ],
        ),
        (
            "units",
            "serial,customer,product\nS9,C-1,NONE\nS8,NOBODY,\nS9,C-1,\n",
            vec!["line 2, product", "line 3, customer", "line 4, serial"],
        ),
    ] {
        let ran = hub.import(what, csv);
        assert_eq!(ran.code, 65, "{what}: {}", ran.err);
        for word in expected {
            assert!(ran.err.contains(word), "{word} is not in: {}", ran.err);
        }
    }
    assert_eq!(hub.psql("select count(*) from fleet.customers"), "2");
    assert_eq!(hub.psql("select count(*) from fleet.units"), "0");
    assert_eq!(hub.run(&["import", "units", "/nowhere.csv"]).code, 66);
}

#[test]
fn users_are_made_and_kept_out() {
    let hub = Hub::new();
    hub.import("customers", CUSTOMERS);
    let made = hub.run(&[
        "user",
        "add",
        "Ann",
        "--role",
        "sales",
        "--territory",
        "North",
        "--email",
        "ann@example.org",
        "--json",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.json()["password"].as_str().is_some_and(|password| password.len() >= 20));
    let given = hub.run_with(
        &["user", "add", "admin", "--role", "admin", "--password-stdin"],
        "correct horse battery\n",
    );
    assert_eq!(given.code, 0, "{}", given.err);
    assert!(hub.psql("select string_agg(password_hash, ' ') from fleet.people").contains("$argon2id$"));
    for (arguments, input, code) in [
        (vec!["user", "add", "Ann2", "--role", "sales", "--email", "ANN@example.org"], "", 65),
        (vec!["user", "add", "Bob", "--role", "sales", "--territory", "Moon"], "", 66),
        (vec!["user", "add", "Bob", "--role", "customer"], "", 64),
        (vec!["user", "add", "Bob", "--role", "king"], "", 64),
        (vec!["user", "add", "Bob", "--role", "reader", "--password-stdin"], "short", 65),
        (vec!["user", "disable", "nobody"], "", 66),
        (vec!["user", "disable", "ann@example.org"], "", 0),
    ] {
        let ran = hub.run_with(&arguments, input);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
    }
    let list = hub.run(&["user", "list", "--json"]).json();
    let people: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["name"].as_str(), row["disabled"].as_bool()))
        .collect();
    assert_eq!(people, [(Some("Ann"), Some(true)), (Some("admin"), Some(false))]);
}

#[test]
fn a_role_with_too_much_power_is_refused() {
    let hub = Hub::new();
    hub.psql(
        "create role owner_login login; grant headroom_service to owner_login;
              create role bypass login bypassrls in role headroom_service;
              create role owns login in role headroom_service; alter table fleet.units owner to owns",
    );
    for (role, word) in [("postgres", "superuser"), ("bypass", "bypass"), ("owns", "owns tables")] {
        let url = hub.cluster.url(headroom_tests::hub::DATABASE, role);
        for command in ["serve", "node"] {
            let mut arguments = vec!["--database-url", url.as_str(), command];
            arguments.extend((command == "node").then_some("list"));
            let ran = hub.run(&arguments);
            assert_eq!(ran.code, 77, "{role}: {}", ran.err);
            assert!(ran.err.contains(word), "{role}: {}", ran.err);
        }
    }
}

#[test]
fn what_is_wrong_has_its_exit_code() {
    let hub = Hub::new();
    let nowhere = format!("host={} dbname=hub user=hub_service", hub.folder().display());
    for (arguments, code, word) in [
        (vec!["nonsense"], 64, "nonsense"),
        (vec!["--pull-batch", "none", "config"], 78, "pull.batch"),
        (vec!["--database-url", nowhere.as_str(), "node", "list"], 69, "database"),
        (vec!["node", "remove", "00000000-0000-0000-0000-000000000001"], 66, "no enrolled node"),
        (vec!["node", "token", "--customer", "NOBODY"], 66, "NOBODY"),
        (vec!["node", "add", "127.0.0.1:1", "--token", "x"], 64, "token"),
        (vec!["node", "read", "127.0.0.1:1"], 69, "127.0.0.1:1"),
        (vec!["job", "run", "nothing"], 66, "nothing"),
        (vec!["unit", "retire", "4711"], 66, "4711"),
    ] {
        let ran = hub.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(word), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn settings_are_shown_with_their_origin_and_secrets_are_not() {
    let hub = Hub::new();
    let rows = hub.run(&["--pull-batch", "7", "config", "--json"]).json();
    let of = |key: &str| {
        rows.as_array().expect("rows").iter().find(|row| row["key"] == key).expect("the key").clone()
    };
    assert_eq!(
        (of("pull.batch")["value"].as_str(), of("pull.batch")["origin"].as_str()),
        (Some("7"), Some("--pull-batch"))
    );
    assert!(of("web.listen")["origin"].as_str().is_some_and(|origin| origin.contains("headroom.toml")));
    assert_eq!(of("log.level")["origin"], "default");
    assert_eq!(of("database.url")["value"], "(secret)");
    assert_eq!(of("pull.batch")["variable"], "HEADROOM_PULL_BATCH");
}

#[test]
fn the_doctor_says_what_to_mend() {
    let mut hub = Hub::new();
    hub.token(None);
    let well = hub.run(&["doctor", "--json"]);
    assert_eq!(well.code, 0, "{}", well.out);
    hub.cluster.server().stop();
    let ill = hub.run(&["doctor", "--json"]);
    assert_eq!(ill.code, 1, "{}", ill.err);
    let findings = ill.json();
    let database =
        findings.as_array().expect("findings").iter().find(|finding| finding["check"] == "database");
    assert_eq!(database.expect("a finding")["is_fine"], false);
}
