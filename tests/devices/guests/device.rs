//! Claims 2 to 4: a machine that *is* the storage device. It gives its pool to another machine over NVMe/TCP, the node
//! inside it tells the hub specifications, user information and status, through proxy hops over a line with delay that
//! breaks off; the machine that uses the space runs no node.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

use headroom_tests::hub::free_address;
use headroom_tests::{FaultProxy, Hub, Line};
use serde_json::{Value, json};

use crate::machine::{Machine, Plan, Turn};

const MIB: u64 = 1 << 20;
/// Across an ocean, and one in 40 pieces of 1,400 bytes breaks it off: a reading of the node takes some thirty.
const LINE: Line =
    Line { delay: Duration::from_millis(200), bits_per_second: 0, resets_per_mille: 25, seed: 0x0c3a };

/// What the hub has of the pool: number of rows, and the largest spent capacity in MiB.
fn pool_rows(hub: &Hub) -> (u64, u64) {
    let told = hub.psql(
        "select count(*) || ' ' || coalesce(max(used_bytes), 0) / 1048576
           from fleet.status join fleet.components using (component_id) where kind = 'pool'",
    );
    let (rows, used) = told.split_once(' ').unwrap();
    (rows.parse().unwrap(), used.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_device_tells_of_itself_through_a_line_that_is_slow_and_breaks_off() {
    let turn = Turn::take();
    let hub = Hub::serving();
    let (forwarded, peer) = (free_address(), free_address());
    let to_hub = FaultProxy::start(hub.intake, LINE).await.unwrap();
    let to_node = FaultProxy::start(forwarded, LINE).await.unwrap();
    let tokens: Vec<String> = (0..6).map(|_| hub.token(None)).collect();
    let words = format!(
        "headroom.hub=10.0.2.2:{} headroom.address={} headroom.tokens={}",
        to_hub.address().port(),
        to_node.address(),
        tokens.join(",")
    );
    let arguments = format!(
        "-device nvme,serial=HDRMFIRST,drive=first -device nvme,serial=HDRMSECOND,drive=second \
         -device nvme,serial=HDRMMETA,drive=meta -device virtio-blk-pci,drive=signal,romfile= \
         -netdev user,id=hub,hostfwd=tcp:{forwarded}-:8471 -device virtio-net-pci,netdev=hub,romfile= \
         -netdev socket,id=peer,listen={peer} -device virtio-net-pci,netdev=peer,romfile="
    );
    let drives = [("first", 64), ("second", 64), ("meta", 4), ("signal", 1)];
    let mut device =
        Machine::boot(&turn, &Plan { part: "device", drives: &drives, arguments: &arguments, words: &words });
    device.wait_for("SERVING");
    let arguments =
        format!("-netdev socket,id=peer,connect={peer} -device virtio-net-pci,netdev=peer,romfile=");
    let mut consumer =
        Machine::boot(&turn, &Plan { part: "consumer", drives: &[], arguments: &arguments, words: "" });
    consumer.wait_for("WRITTEN");
    let begun = Instant::now();
    while pool_rows(&hub).0 < 4 || pool_rows(&hub).1 < 20 || to_node.resets() + to_hub.resets() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(300), "{:?}\n{}", pool_rows(&hub), device.serial());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    consumer.results();

    // What the terminal reads from the device itself, through the same line.
    let address = to_node.address().to_string();
    let answer = (0..20).find_map(|_| {
        let read = hub.run(&["node", "read", &address, "--json"]);
        (read.code == 0).then(|| read.json())
    });
    let answer = answer.unwrap_or_else(|| panic!("the device cannot be read\n{}", device.serial()));
    it_tells_specifications_user_and_status(&answer);
    let nodes = hub.run(&["node", "list", "--json"]).json();
    assert_eq!(nodes.as_array().unwrap().len(), 1, "the consumer runs none: {nodes}");
    assert_eq!(nodes[0]["placement"], "peripheral");

    let mut signal = OpenOptions::new().write(true).open(device.file("signal")).unwrap();
    signal.write_all(b"stop").unwrap();
    let results = device.results();
    everything_arrived(&hub, &results.text("export.jsonl"), &results.json("check.json"));
    println!("the line broke off {} and {} times", to_hub.resets(), to_node.resets());
}

fn it_tells_specifications_user_and_status(answer: &Value) {
    assert_eq!(answer["placement"], "peripheral");
    assert_eq!(
        (&answer["user"]["organisation"], &answer["user"]["site"]),
        (&json!("Ada Ltd"), &json!("Oslo"))
    );
    let units = answer["units"].as_array().unwrap();
    assert_eq!((units.len(), &units[0]["kind"]), (1, &json!("array")), "all of it is one device: {answer:#}");
    let components = units[0]["components"].as_array().unwrap();
    let of = |kind: &str| components.iter().filter(|part| part["kind"] == kind).collect::<Vec<_>>();
    let drives: BTreeSet<&str> =
        of("drive").iter().filter_map(|drive| drive["specs"]["serial"].as_str()).collect();
    assert_eq!(drives, BTreeSet::from(["HDRMFIRST", "HDRMSECOND", "HDRMMETA"]));
    let pool = of("pool").into_iter().find(|pool| pool["specs"]["format"] == "dm-thin").unwrap();
    assert_eq!(pool["specs"]["capacity_bytes"], 128 * MIB);
    let status = answer["status"].as_array().unwrap();
    let status = status.iter().find(|status| status["component"] == pool["key"]).unwrap();
    assert_eq!(
        (&status["used_bytes"], &status["used_source"]),
        (&json!(20 * MIB), &json!("lvm")),
        "{status}"
    );
    assert!(status["utilisation"].is_number(), "load: {status}");
}

/// Every sample that the device holds as acknowledged is in PostgreSQL once, and nothing else is.
fn everything_arrived(hub: &Hub, stored: &str, check: &Value) {
    let acknowledged: Vec<(u64, u64)> = check["acknowledged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| (range["first"].as_u64().unwrap(), range["last"].as_u64().unwrap()))
        .collect();
    let told = hub.psql(
        "select c.node_key || ' ' || (extract(epoch from s.at) * 1000)::bigint from fleet.status s
           join fleet.components c using (component_id)",
    );
    let rows: BTreeSet<&str> = told.lines().collect();
    assert_eq!(rows.len(), told.lines().count(), "each once");
    let mut arrived = 0;
    for line in stored.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let sequence = sample["sequence"].as_u64().unwrap();
        if acknowledged.iter().any(|(first, last)| (*first..=*last).contains(&sequence)) {
            let at: jiff::Timestamp = sample["at"].as_str().unwrap().parse().unwrap();
            let key = format!("{} {}", sample["component"].as_str().unwrap(), at.as_millisecond());
            assert!(rows.contains(key.as_str()), "sample {sequence} is missing: {key}");
            arrived += 1;
        }
    }
    assert!(arrived >= 12, "{arrived} samples, {acknowledged:?}");
    println!("{arrived} samples arrived, each once");
}
