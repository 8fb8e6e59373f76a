//! A real node and a real hub, through what befalls both: PostgreSQL away, the node killed, the hub's table wiped.
//! Afterwards every sample that the node has stored is in PostgreSQL exactly once.

use std::collections::BTreeSet;
use std::time::Duration;

use headroom_core::unit::Sample;
use headroom_tests::node_process::until;
use headroom_tests::{Hub, NodeProcess};
use jiff::Timestamp;

/// What the node has stored: component and time of each sample.
fn stored(node: &NodeProcess) -> BTreeSet<(String, Timestamp)> {
    let text = node.must(&["store", "export"]).expect("it prints");
    let samples = text.lines().map(|line| serde_json::from_str::<Sample>(line).expect("a sample"));
    samples.map(|sample| (sample.component.0, sample.at)).collect()
}

/// What the hub has, and how many rows it takes for it.
fn kept(hub: &Hub) -> (BTreeSet<(String, Timestamp)>, usize) {
    let rows = hub.psql(
        "select c.node_key || ' ' || to_char(s.at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
         from fleet.status s join fleet.components c using (component_id)",
    );
    let rows: Vec<_> = rows
        .lines()
        .map(|row| row.split_once(' ').expect("a key and a time"))
        .map(|(key, at)| (key.to_owned(), at.parse().expect("a time")))
        .collect();
    let count = rows.len();
    (rows.into_iter().collect(), count)
}

/// Waits until everything that the node had stored a moment ago is at the hub, and nothing is there twice.
async fn everything_arrives_once(hub: &Hub, node: &NodeProcess, when: &str) {
    let wanted = stored(node);
    let mut rows = 0;
    let arrived = until(when, || {
        let (distinct, count) = kept(hub);
        rows = count;
        assert_eq!(distinct.len(), count, "{when}: rows are double");
        wanted.is_subset(&distinct)
    });
    arrived.await.unwrap_or_else(|error| {
        panic!(
            "{error}: {rows} rows at the hub, {} samples in the node's store\n{}",
            wanted.len(),
            node.log()
        )
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stops_for_a_while_every_sample_arrives_once() {
    let mut hub = Hub::serving();
    let settings = format!("consent = [\"support\", \"advice\"]\nhub = \"{}\"", hub.intake);
    let mut node = NodeProcess::new(&settings).expect("a folder");
    node.must(&["enrol", "--token", &hub.token(None)]).expect("enrolled");
    node.start().expect("it starts");
    // The file is there before its tables are.
    let measured = || {
        let exported = node.command(&["store", "export"]);
        exported.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    };
    until("the node has measured", measured).await.expect("measured");
    everything_arrives_once(&hub, &node, "at first").await;

    hub.cluster.server().stop();
    let before = stored(&node).len();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let read = hub.run(&["node", "read", &node.listen().to_string(), "--json"]);
    assert_eq!(read.code, 0, "claim 1: the node answers without PostgreSQL: {}", read.err);
    assert!(read.out.contains("used_bytes"), "{}", read.out);
    assert!(stored(&node).len() > before, "the node goes on measuring");
    hub.cluster.server().start_again().expect("it starts");
    everything_arrives_once(&hub, &node, "after PostgreSQL was away").await;

    node.kill();
    node.start().expect("it starts");
    everything_arrives_once(&hub, &node, "after the node was killed").await;

    hub.psql("truncate fleet.status");
    let read = hub.run(&["node", "read", &node.listen().to_string(), "--json"]);
    assert_eq!(read.code, 0, "{}", read.err);
    everything_arrives_once(&hub, &node, "after the hub's table was wiped").await;
}
