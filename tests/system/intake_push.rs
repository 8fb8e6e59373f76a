//! Pushes, honest and not: exactly once, whatever breaks off; what is wrong is named, and others are not touched.

use std::{process::Command, time::Duration};

use headroom_core::exchange::SequenceRange;
use headroom_demo::node_client::Identity;
use headroom_tests::{Hub, Node};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

fn rows(hub: &Hub) -> String {
    hub.psql("select count(*) || ' ' || count(distinct (component_id, at)) || ' ' || (coalesce(sum(used_bytes), 0) / 1073741824)::bigint from fleet.status")
}

/// What [`rows`] says when each of the samples 1 to `last` is there once.
fn each_once(last: u64) -> String {
    format!("{last} {last} {}", last * (last + 1) / 2)
}

#[tokio::test]
async fn samples_that_come_twice_and_in_any_order_are_there_once() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    // Newest first, as after an outage; then again, overlapping.
    for (first, last) in [(8, 10), (4, 7), (1, 3), (1, 10), (5, 8)] {
        let mut push = node.push(first, last);
        push.answer = node.answer(10);
        let (status, body) = node.send(&hub, &push).await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(rows(&hub), each_once(10));
    assert_eq!(hub.psql("select sequences from fleet.acknowledged_ranges"), "{[1,11)}");
}

#[tokio::test]
async fn gaps_are_acknowledged_and_nothing_is_invented_for_them() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    let mut push = node.push(1, 9);
    push.batch.samples.retain(|sample| !(3..=6).contains(&sample.sequence));
    push.batch.gaps = vec![SequenceRange { first: 3, last: 6 }];
    let (status, body) = node.send(&hub, &push).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(hub.psql("select count(*) from fleet.status"), "5");
}

#[tokio::test]
async fn a_minute_without_postgresql_costs_and_doubles_nothing() {
    let mut hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    node.tell(&hub, 1, 3).await;
    hub.cluster.server().stop();
    let (status, body) = node.send(&hub, &node.push(4, 6)).await;
    assert_eq!(status, 503, "{body}");
    assert!(body["detail"].as_str().is_some_and(|text| text.contains("database")), "{body}");
    hub.cluster.server().start_again().expect("it starts");
    // The node does not know whether the last push was taken: it sends it again.
    node.tell(&hub, 4, 6).await;
    // Killed in the middle of a push: taken whole or not at all.
    let push = serde_json::to_vec(&node.push(7, 3_000)).expect("JSON");
    let sending = node.try_send(&hub, push.clone());
    let (sent, ()) = tokio::join!(sending, async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        hub_kill(&hub);
    });
    let taken = sent.is_ok_and(|(status, _)| status == 200);
    hub.cluster.server().kill();
    hub.cluster.server().start_again().expect("it starts after a crash");
    let kept = hub.psql("select max(upper(sequences)) - 1 from fleet.acknowledged_ranges");
    assert!(kept == "6" || kept == "3000", "{kept}");
    assert!(!taken || kept == "3000", "acknowledged but gone");
    let (status, body) = node.send_bytes(&hub, push).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(rows(&hub), each_once(3_000));
}

/// Kills the backends of the hub, as a crash of the server does.
fn hub_kill(hub: &Hub) {
    let killed = hub.cluster.try_psql(
        "postgres",
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'headroom'",
    );
    assert!(killed.is_ok(), "{killed:?}");
}

#[tokio::test]
async fn the_hub_killed_and_started_again_goes_on_where_it_was() {
    let mut hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    node.tell(&hub, 1, 5).await;
    let service = hub.process_id().expect("it runs");
    let killed = Command::new("kill").args(["-9", &service.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    hub.stop();
    hub.serve();
    node.tell(&hub, 4, 9).await;
    assert_eq!(rows(&hub), each_once(9));
}

#[tokio::test]
async fn a_malformed_push_is_refused_by_name_and_others_are_not_touched() {
    let hub = Hub::serving();
    let bad = Node::enrol(&hub, None, "BAD").await;
    let good = Node::enrol(&hub, None, "GOOD").await;
    good.tell(&hub, 1, 3).await;
    let push = serde_json::to_value(bad.push(1, 2)).expect("JSON");
    let changed = |pointer: &str, value: Value| {
        let mut push = push.clone();
        *push.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        serde_json::to_vec(&push).expect("JSON")
    };
    let nan = serde_json::to_string(&push).expect("JSON").replace("0.25", "NaN").into_bytes();
    let huge = vec![b' '; 70 << 20];
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", Vec::new(), 422, "body"),
        ("no JSON", b"hello".to_vec(), 422, "body"),
        ("no push", b"{\"a\":1}".to_vec(), 422, ""),
        ("not a number", nan, 422, "answer.status[0].utilisation"),
        ("too large", huge, 413, ""),
        ("negative", changed("/batch/samples/0/used_bytes", json!(-5)), 422, "batch.samples[0]"),
        ("another node", changed("/answer/node", json!(good.identity.node)), 422, "answer.node"),
        ("another node's batch", changed("/batch/node", json!(good.identity.node)), 422, "batch.node"),
        ("another store", changed("/batch/store", json!(Uuid::new_v4())), 422, "batch.store"),
        ("a range that lies", changed("/batch/range/last", json!(99)), 422, "batch.range"),
        ("a newer protocol", changed("/answer/protocol", json!(99)), 422, "answer.protocol"),
        (
            "a name without end",
            changed("/answer/units/0/key", json!("x".repeat(5_000))),
            422,
            "answer.units[0].key",
        ),
        (
            "text that ends early",
            changed("/answer/user/organisation", json!("a\0b")),
            422,
            "answer.user.organisation",
        ),
        ("a time that is none", changed("/batch/samples/0/at", json!("soon")), 422, "batch.samples[0]"),
    ];
    for (what, bytes, code, field) in cases {
        let (status, body) = match bad.try_send(&hub, bytes).await {
            Ok(answer) => answer,
            // The hub may close the connection before all of what is too large was sent.
            Err(_) if code == 413 => continue,
            Err(error) => panic!("{what}: {error:#}"),
        };
        assert_eq!(status, code, "{what}: {body}");
        assert_eq!(body["status"], code, "{what}: {body}");
        let named = body["field"].as_str().unwrap_or_default();
        assert!(named.starts_with(field), "{what}: {named:?} is not {field:?}: {body}");
    }
    good.tell(&hub, 4, 6).await;
    assert_eq!(rows(&hub), each_once(6), "nothing of the bad one, everything of the good one");
}

#[tokio::test]
async fn what_cannot_be_is_set_aside_with_its_reason_and_the_rest_is_taken() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    let mut push = node.push(1, 6);
    push.batch.samples[1].at = Timestamp::now() + SignedDuration::from_hours(24 * 365);
    push.batch.samples[2].status.utilisation = Some(7.0);
    push.batch.samples[3].component.0 = "elsewhere".to_owned();
    push.batch.samples[4].at = Timestamp::UNIX_EPOCH;
    for _ in 0..2 {
        let (status, body) = node.send(&hub, &push).await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(hub.psql("select count(*) from fleet.status"), "2");
    let reasons = hub
        .psql("select string_agg(split_part(reason, ':', 1), ' ' order by sequences) from fleet.set_aside");
    assert_eq!(reasons, "future impossible unknown_component past", "each once, though sent twice");
    let kept = hub.psql("select sample ->> 'component' from fleet.set_aside where reason like 'unknown%'");
    assert_eq!(kept, "elsewhere", "the sample is kept as it came");
}

#[tokio::test]
async fn only_the_right_certificate_is_let_in() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    node.tell(&hub, 1, 1).await;

    // Made by somebody else's authority.
    let other = Hub::serving();
    let foreign = Node::enrol(&other, None, "S2").await;
    let forged = Node::of(Identity { authority: node.identity.authority.clone(), ..foreign.identity }, "S1");
    assert!(forged.try_send(&hub, serde_json::to_vec(&forged.push(1, 1)).expect("JSON")).await.is_err());
    assert!(hub.log().contains("no valid certificate"), "{}", hub.log());

    // Revoked.
    let removed = hub.run(&["node", "remove", &node.identity.node.to_string()]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    let (status, body) = node.send(&hub, &node.push(2, 2)).await;
    assert_eq!(status, 403, "{body}");
    assert!(hub.log().contains("revoked"), "{}", hub.log());
    assert_eq!(rows(&hub), each_once(1));

    // A token works once.
    let token = hub.token(None);
    let address = hub.intake.to_string();
    Identity::enrol(&address, &token, Uuid::new_v4()).await.expect("the first time");
    let again = Identity::enrol(&address, &token, Uuid::new_v4()).await.expect_err("the second time");
    assert!(format!("{again:#}").contains("403"), "{again:#}");

    // Enrolled again after a long absence, it keeps its id and its history.
    let identity = Identity::enrol(&address, &hub.token(None), node.identity.node).await.expect("again");
    let back = Node { identity, ..node.clone() };
    back.tell(&hub, 1, 3).await;
    assert_eq!(rows(&hub), each_once(3));
    let (status, _) = node.send(&hub, &node.push(4, 4)).await;
    assert_eq!(status, 403, "its old certificate has ended");
}

#[tokio::test]
async fn a_copy_of_a_node_is_told_and_nothing_more_is_taken_until_it_is_enrolled_again() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    node.tell(&hub, 1, 5).await;
    // The machine is cloned; the clone boots and speaks on with the same key and store.
    let clone = Node { boot: Uuid::new_v4(), ..node.clone() };
    clone.tell(&hub, 6, 7).await;
    let (status, body) = node.send(&hub, &node.push(6, 8)).await;
    assert_eq!(status, 409, "{body}");
    let (status, _) = clone.send(&hub, &clone.push(8, 8)).await;
    assert_eq!(status, 409, "which of the two is the node cannot be told from here");
    let listed = hub.run(&["node", "list", "--json"]).json();
    assert!(listed[0]["fork"].as_str().is_some_and(|what| what.contains("earlier life")), "{listed}");

    let identity = Identity::enrol(&hub.intake.to_string(), &hub.token(None), node.identity.node).await;
    let back = Node { identity: identity.expect("enrolled again"), ..node };
    back.tell(&hub, 6, 9).await;
    let (status, _) = clone.send(&hub, &clone.push(8, 8)).await;
    assert_eq!(status, 403, "the copy's certificate has ended");
}
