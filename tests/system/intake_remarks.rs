//! What nodes say beside the figures: at the hub once each, as long as it holds, and what happened for good.

use headroom_core::unit::{ComponentKey, Remark};
use headroom_tests::{Hub, Node, NodeProcess, node_process::until};
use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};

fn remark(component: Option<&str>, at: Option<&str>, text: &str) -> Remark {
    Remark {
        component: component.map(|key| ComponentKey(key.to_owned())),
        at: at.map(|at| at.parse().expect("a time")),
        text: text.to_owned(),
    }
}

/// Kind of component, year and text of each remark.
fn kept(hub: &Hub) -> Vec<String> {
    let told = hub.psql(
        "select coalesce(c.kind, 'node') || ' ' || coalesce(extract(year from r.happened_at)::text, 'now') || ' ' || r.sentence
           from fleet.remarks r left join fleet.components c using (component_id) order by 1",
    );
    told.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_remark_is_kept_once_while_it_holds_and_what_happened_stays() {
    let hub = Hub::serving();
    let mut node = Node::enrol(&hub, None, "S1").await;
    let mut push = node.push(1, 1);
    push.answer.remarks = vec![
        remark(Some("drive-S1"), None, "log 02h says 3 %, log 09h says 9 %"),
        remark(Some("drive-S1"), None, "log 02h says 3 %, log 09h says 9 %"),
        remark(Some("never described"), None, "of something else"),
        remark(None, Some("1970-01-01T00:00:07Z"), "the clock of this machine jumped by 88880 s"),
    ];
    push.answer.notices = vec!["The store cannot be written: disk full".to_owned()];
    for _ in 0..2 {
        assert_eq!(node.send(&hub, &push).await.0, 200);
        assert_eq!(
            kept(&hub),
            [
                "drive now log 02h says 3 %, log 09h says 9 %",
                "node 1970 the clock of this machine jumped by 88880 s",
                "node now The store cannot be written: disk full",
                "node now of something else",
            ]
        );
    }
    // The same digest under another order of the list; then it holds no more, and something else happened.
    let noted = hub.psql("select string_agg(noted_at::text, ' ' order by digest) from fleet.remarks");
    push.answer.remarks.reverse();
    assert_eq!(node.send(&hub, &push).await.0, 200);
    assert_eq!(hub.psql("select string_agg(noted_at::text, ' ' order by digest) from fleet.remarks"), noted);
    push.answer.notices.clear();
    push.answer.remarks = vec![remark(None, Some("2026-11-01T00:00:00Z"), "a damaged store was set aside")];
    assert_eq!(node.send(&hub, &push).await.0, 200);
    let happened =
        ["node 1970 the clock of this machine jumped by 88880 s", "node 2026 a damaged store was set aside"];
    assert_eq!(kept(&hub), happened);
    // Who withdraws everything tells that alone, and it takes nothing back.
    node.consent = headroom_core::unit::Consent::default();
    let mut push = node.push(2, 2);
    push.answer.user.version = 2;
    push.answer.units.clear();
    push.answer.status.clear();
    push.batch = headroom_core::exchange::Batch { range: None, samples: Vec::new(), ..push.batch };
    assert_eq!(node.send(&hub, &push).await.0, 200);
    assert_eq!(kept(&hub), happened);
    hub.psql("select fleet.erase_unit(unit_id) from fleet.units; delete from fleet.nodes");
    assert!(kept(&hub).is_empty(), "and goes with its node");
}

#[tokio::test]
async fn hostile_remarks_are_kept_as_text_or_refused_by_name() {
    let hub = Hub::serving();
    let node = Node::enrol(&hub, None, "S1").await;
    let send = async |remarks: Vec<Remark>, notices: Vec<String>| {
        let mut push = node.push(1, 1);
        (push.answer.remarks, push.answer.notices) = (remarks, notices);
        node.send(&hub, &push).await
    };
    for (text, at, field) in [
        ("a\0b", None, "answer.remarks[0].text"),
        ("", None, "answer.remarks[0].text"),
        (" \u{2003}\n", None, "answer.remarks[0].text"),
        (&"x".repeat(4_001), None, "answer.remarks[0].text"),
        ("before all clocks", Some("-009999-01-02T01:59:59Z"), "answer.remarks[0].at"),
    ] {
        let (status, body) = send(vec![remark(None, at, text)], Vec::new()).await;
        assert_eq!((status, &body["field"]), (422, &field.into()), "{body}");
    }
    for notice in ["", "a\0b"] {
        assert_eq!(send(Vec::new(), vec![notice.to_owned()]).await.0, 422);
    }
    let many = (0..20_001).map(|number| remark(None, None, &number.to_string())).collect();
    assert_eq!(send(many, Vec::new()).await.0, 422);
    assert!(kept(&hub).is_empty());
    let texts = [
        "'; drop table fleet.remarks; --".to_owned(),
        "<script>alert(1)</script> \u{202e} 💾 \\".to_owned(),
        "ü".repeat(2_000),
    ];
    let told = texts.iter().map(|text| remark(None, Some("9999-12-30T22:00:00.999999999Z"), text)).collect();
    let (status, body) = send(told, Vec::new()).await;
    assert_eq!(status, 200, "{body}");
    let mut wanted: Vec<String> = texts.iter().map(|text| format!("node 9999 {text}")).collect();
    wanted.sort();
    let mut found = kept(&hub);
    found.sort();
    assert_eq!(found, wanted);
}

#[test]
fn any_remarks_are_kept_each_once_or_refused() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let hub = Hub::serving();
    let node = runtime.block_on(Node::enrol(&hub, None, "S1"));
    let texts = prop::collection::vec(any::<String>(), 0..12);
    let seconds = prop::collection::vec(prop::option::of(-300_000_000_000_i64..250_000_000_000), 12);
    // One hub for all cases, which ends with the test.
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })
        .run(&(texts, seconds), |(texts, seconds)| {
            let mut push = node.push(1, 1);
            push.answer.remarks = texts
                .iter()
                .zip(&seconds)
                .map(|(text, second)| Remark {
                    component: None,
                    at: second.map(|second| Timestamp::from_second(second).expect("in range")),
                    text: text.clone(),
                })
                .collect();
            let before = hub.psql("select count(*) from fleet.remarks where happened_at is not null");
            let (status, body) = runtime.block_on(node.send(&hub, &push));
            prop_assert!(status == 200 || status == 422, "{} {}", status, body);
            if status == 200 {
                let standing: std::collections::BTreeSet<&String> =
                    push.answer.remarks.iter().filter(|one| one.at.is_none()).map(|one| &one.text).collect();
                let count = hub.psql("select count(*) from fleet.remarks where happened_at is null");
                prop_assert_eq!(count, standing.len().to_string());
            } else {
                let after = hub.psql("select count(*) from fleet.remarks where happened_at is not null");
                prop_assert_eq!(after, before, "what is refused is refused whole");
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_a_node_is_read_from_it_and_kept_at_the_hub() {
    let hub = Hub::serving();
    let settings = format!("consent = [\"support\"]\npush = true\nhub = \"{}\"", hub.intake);
    let mut node = NodeProcess::new(&settings).expect("a folder");
    node.start().expect("it starts");
    let samples = |node: &NodeProcess| {
        let output = node.command(&["store", "check", "--json"]).expect("it runs");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()["samples"]
            .as_u64()
            .unwrap_or(0)
    };
    until("it stores", || samples(&node) > 2).await.expect("stored");
    node.kill();
    for name in ["store.sqlite-wal", "store.sqlite-shm"] {
        // The index beside the log comes and goes.
        let _ = std::fs::remove_file(node.data().join(name));
    }
    std::fs::write(node.data().join("store.sqlite"), vec![0xa5; 65_536]).expect("written over");
    node.enrol_by_files(&hub).expect("enrolled");
    node.start().expect("it starts");
    until("it stores again", || samples(&node) > 2).await.expect("stored");
    let read = hub.run(&["node", "read", &node.listen().to_string()]);
    assert_eq!(read.code, 0, "{}", read.err);
    let note = read.out.lines().find(|line| line.starts_with("Note ") && line.contains("was set aside as"));
    assert!(note.is_some_and(|note| note.contains("Z  a damaged store")), "{}", read.out);
    until("the hub has it", || {
        kept(&hub).iter().any(|remark| remark.contains("a damaged store was set aside"))
    })
    .await
    .expect("kept");
}
