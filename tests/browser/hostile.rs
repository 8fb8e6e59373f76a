//! Whatever is asked for, by whomever: never a fault of the hub, and never a byte of another customer.

use std::sync::LazyLock;

use proptest::prelude::*;
use ureq::Agent;

use crate::world::World;

/// The password of everybody in `world.sql`.
const PASSWORD: &str = "a password for the browser tests";
const PEOPLE: [&str; 5] = ["admin", "north", "anna", "bert", "reader"];

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent()
});

/// The cookie of a signed-in person.
fn cookie(world: &World, name: &str) -> String {
    let form = [("name", name), ("password", PASSWORD)];
    let answer = AGENT.post(format!("{}/sign-in", world.origin)).send_form(form).expect("an answer");
    assert_eq!(answer.status().as_u16(), 303, "{name} signs in");
    let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).expect("a cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// Something in place of a key: numbers at the edges, text, bytes that are no text, SQL, ways up the tree.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-3_i64..20).prop_map(|number| number.to_string()),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| encoded(&bytes)),
        prop::sample::select(vec![
            "9223372036854775808",
            "1%27%20or%20%271%27=%271",
            "..%2F..%2Fetc",
            "%00",
            "1.0",
            "1e3",
            "%F0%9F%92%BE",
            "NaN",
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|bytes| encoded(&bytes)),
        ".{0,40}".prop_map(|text| encoded(text.as_bytes())),
        prop::sample::select(vec![
            "",
            "dated",
            "none",
            "capacity",
            "order_by",
            "desc",
            "overdue",
            "-1",
            "4294967296",
            "%00",
            "'",
            "%25"
        ])
        .prop_map(str::to_owned),
        Just("a".repeat(20_000)),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "q",
        "state",
        "resource",
        "territory",
        "due",
        "sort",
        "dir",
        "page",
        "component",
        "unit",
        "next",
        "limit",
        "x",
    ])
}

fn address() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        Just("/".to_owned()),
        Just("/units.csv".to_owned()),
        Just("/offers".to_owned()),
        Just("/accuracy".to_owned()),
        Just("/catalogue".to_owned()),
        Just("/health".to_owned()),
        Just("/unmatched".to_owned()),
        Just("/portal".to_owned()),
        Just("/sign-in".to_owned()),
        Just("/metrics".to_owned()),
        Just("/api/v1/units".to_owned()),
        key().prop_map(|key| format!("/units/{key}")),
        key().prop_map(|key| format!("/units/{key}/ask")),
        key().prop_map(|key| format!("/offers/{key}")),
        key().prop_map(|key| format!("/api/v1/units/{key}")),
        (key(), prop::sample::select(vec!["forecast", "plan"]))
            .prop_map(|(key, part)| format!("/api/v1/units/{key}/{part}")),
        (key(), key()).prop_map(|(left, right)| format!("/assets/{left}/{right}")),
        key().prop_map(|key| format!("/{key}")),
    ];
    (path, prop::collection::vec((name(), value()), 0..4)).prop_map(|(path, pairs)| {
        let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    })
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/sign-in".to_owned()),
        Just("/sign-out".to_owned()),
        Just("/unmatched".to_owned()),
        key().prop_map(|key| format!("/units/{key}/ask")),
        (key(), prop::sample::select(vec!["approve", "send", "withdraw", "accept", "decline", "draft", "x"]))
            .prop_map(|(key, step)| format!("/offers/{key}/{step}")),
        (key(), prop::sample::select(vec!["support", "advice", "sales", "x"]))
            .prop_map(|(key, purpose)| format!("/portal/{key}/{purpose}")),
        key().prop_map(|key| format!("/unmatched/{key}")),
    ]
}

#[test]
fn whatever_is_sent_is_answered_without_a_fault() {
    let world = World::start();
    let cookies: Vec<String> = PEOPLE.iter().map(|name| cookie(&world, name)).collect();
    let strangers = |who: usize| match PEOPLE[who] {
        "north" => {
            &["Customer-B", "Customer-C", "B-dated", "C-dated", "Remark-B", "Jump-B", "Remark-C", "Jump-C"][..]
        }
        "anna" => {
            &["Customer-B", "Customer-C", "B-dated", "C-dated", "N-found", "Remark-B", "Jump-B", "Remark-C"][..]
        }
        "bert" => {
            &["Customer-A", "Customer-C", "A-dated", "C-dated", "N-found", "Remark-A", "Jump-A", "Remark-C"][..]
        }
        _ => &[][..],
    };
    let config = ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(who in 0..PEOPLE.len(), address in address())| {
        let answer = AGENT.get(format!("{}{address}", world.origin)).header("cookie", &cookies[who]).call();
        // A path that is no URI does not leave the client.
        let Ok(mut answer) = answer else { return Ok(()) };
        let status = answer.status().as_u16();
        prop_assert!(status < 500, "{} {address}: {status}", PEOPLE[who]);
        let body = answer.body_mut().with_config().lossy_utf8(true).read_to_string().unwrap_or_default();
        for stranger in strangers(who) {
            prop_assert!(!body.contains(stranger), "{} {address} shows {stranger}", PEOPLE[who]);
        }
        for inside in ["fleet.", "postgres", "panicked", "tokio"] {
            prop_assert!(!body.contains(inside), "{} {address} tells of the inside: {inside}", PEOPLE[who]);
        }
    });
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(target in target(), body in prop::collection::vec((name(), value()), 0..4), raw in any::<bool>())| {
        let text = body.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let kind = if raw { "application/octet-stream" } else { "application/x-www-form-urlencoded" };
        // The reader may change nothing: what is sent here is refused, but never by a fault.
        let answer = AGENT
            .post(format!("{}{target}", world.origin))
            .header("cookie", &cookies[4])
            .header("content-type", kind)
            .send(&text);
        let Ok(answer) = answer else { return Ok(()) };
        // Too many sign-ins is what the limit is for.
        prop_assert!(answer.status().as_u16() < 500, "{target}: {}", answer.status());
    });
    let log = world.log();
    prop_assert_no_errors(&log);
}

fn prop_assert_no_errors(log: &str) {
    let errors: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    assert!(errors.is_empty(), "the hub has logged errors:\n{}", errors.join("\n"));
}
