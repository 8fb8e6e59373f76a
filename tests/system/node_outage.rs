//! The hub is away for days while the node is killed at random: afterwards every stored sample is at the hub exactly
//! once. The node's own parts run in a process of their own on a simulated clock, so that a day takes seconds; its store,
//! its exchange and its kills are real.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use headroom_core::quantity::Bytes;
use headroom_core::unit::{ComponentKey, Sample, Status};
use headroom_node::config::{Settings, merge};
use headroom_node::credentials::Credentials;
use headroom_node::credentials::identity::Identity;
use headroom_node::deliver::push;
use headroom_node::measure::round::Round;
use headroom_node::node::Node;
use headroom_node::store::{Row, Store};
use headroom_tests::node_process::until;
use headroom_tests::{Mood, NodeProcess, TestHub};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

/// Tells the child which configuration is its own, and how many rounds it measures at most.
const CHILD: &str = "HEADROOM_TEST_OUTAGE_CHILD";
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);
const ROUNDS_A_DAY: u64 = 288;
const COMPONENTS: u64 = 3;

fn settings(node: &NodeProcess) -> Settings {
    let file = node.folder().join("node.toml");
    Settings::of(&merge(Some(&file), &BTreeMap::new(), &BTreeMap::new()).expect("settings"))
        .expect("settings")
}

/// The child: measures a simulated machine round after round and pushes, until it is killed or has reached its last round,
/// after which it only pushes. Does nothing when it is run as a test.
#[tokio::test]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (file, rounds) = told.split_once('|').expect("a file and a number");
    let rounds: u64 = rounds.parse().expect("a number");
    let merged = merge(Some(file.as_ref()), &BTreeMap::new(), &BTreeMap::new()).expect("settings");
    let settings = Settings::of(&merged).expect("settings");
    let (identity, _) = Identity::settle(&settings.data_dir).expect("an id");
    let own = Credentials::read(&settings.data_dir).expect("readable").expect("enrolled");
    let (asks, _questions) = mpsc::channel();
    let node = Arc::new(Node::new(settings, identity.node, asks));
    node.keeper().open();
    let (_own, credentials) = watch::channel(Some(Arc::new(own)));
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(push::run(Arc::clone(&node), credentials, stopped));
    let boot = Uuid::new_v4();
    loop {
        let measured = node.keeper().store().expect("open").highest().expect("readable") / COMPONENTS;
        // After the last round only the sending goes on.
        if measured < rounds {
            let measuring = Arc::clone(&node);
            tokio::task::spawn_blocking(move || measuring.take(simulated(measured, boot)))
                .await
                .expect("kept");
            // On the quickest disk too a kill finds it measuring.
            tokio::time::sleep(Duration::from_millis(2)).await;
        } else {
            if node.latest().is_none() {
                // A node that starts anew tells nothing before it has looked; it finds nothing to measure any more.
                let (looking, nothing) =
                    (Arc::clone(&node), Round { rows: Vec::new(), ..simulated(measured, boot) });
                tokio::task::spawn_blocking(move || looking.take(nothing)).await.expect("looked");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn simulated(number: u64, boot: Uuid) -> Round {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let at = begin + INTERVAL * i32::try_from(number).expect("few");
    let key = |component| ComponentKey(format!("drive-{component}"));
    let rows = (0..COMPONENTS).map(|component| Row {
        component: key(component),
        at,
        boot,
        status: Status { used_bytes: Some(Bytes(number * 1_000 + component)), ..Status::default() },
    });
    Round {
        at,
        clock_jump_seconds: None,
        units: Vec::new(),
        rows: rows.collect(),
        absences: Vec::new(),
        remarks: Vec::new(),
    }
}

fn start(node: &NodeProcess, rounds: u64) -> Child {
    let told = format!("{}|{rounds}", node.folder().join("node.toml").display());
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn highest(node: &NodeProcess) -> u64 {
    let path = settings(node).store_path();
    if !path.exists() {
        return 0;
    }
    // Between its making and its first table a store has no numbers yet.
    Store::open_reader(&path).and_then(|store| store.highest()).unwrap_or(0)
}

/// xorshift from a fixed seed: the same kills every time.
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

async fn outage(days: u64, kills: u32) {
    let hub = TestHub::start().await.expect("it listens");
    let node =
        NodeProcess::new(&format!("consent = [\"support\"]\npush = true\nhub = \"{}\"", hub.address()))
            .expect("a folder");
    node.must(&["enrol", "--token", &hub.token()]).expect("enrolled");
    let rounds = days * ROUNDS_A_DAY;
    let mut chance = 0x5eed_u64;
    // An hour before the outage, one that is committed and not acknowledged, then the outage with the kills spread over it.
    let mut running = start(&node, 12);
    until("the hub has something", || !hub.kept().samples.is_empty()).await.expect("pushed");
    hub.set_mood(Mood::Forgetful);
    running.kill().expect("it runs");
    running.wait().expect("it ended");
    let acknowledged = hub.kept().order.len();
    running = start(&node, 24);
    until("the hub commits and forgets", || hub.kept().order.len() > acknowledged).await.expect("pushed");
    hub.set_mood(Mood::Down);
    running.kill().expect("it runs");
    running.wait().expect("it ended");
    running = start(&node, rounds);
    let mut seen = 0;
    for kill in 0..kills {
        let wanted = rounds * COMPONENTS * u64::from(kill + 1) / u64::from(kills + 1);
        until("it goes on measuring", || highest(&node) >= wanted.min(rounds * COMPONENTS))
            .await
            .expect("measured");
        tokio::time::sleep(Duration::from_micros(draw(&mut chance) % 20_000)).await;
        running.kill().expect("it runs");
        running.wait().expect("it ended");
        let now = highest(&node);
        assert!(now >= seen, "{now} after {seen}: something stored was lost");
        seen = now;
        running = start(&node, rounds);
    }
    until("the days are over", || highest(&node) == rounds * COMPONENTS).await.expect("measured");
    let before = hub.kept().order.len();
    // Killed once more in the middle of the catching up.
    hub.set_mood(Mood::Well);
    until("it begins to catch up", || hub.kept().order.len() > before).await.expect("pushed");
    let first = hub.kept().order[before];
    assert_eq!(first.last, rounds * COMPONENTS, "the newest comes first");
    running.kill().expect("it runs");
    running.wait().expect("it ended");
    running = start(&node, rounds);
    until("everything is at the hub", || hub.kept().samples.len() as u64 == rounds * COMPONENTS)
        .await
        .expect("caught up");
    until("and acknowledged", || {
        Store::open_reader(&settings(&node).store_path())
            .and_then(|store| store.waiting())
            .is_ok_and(|waiting| waiting == 0)
    })
    .await
    .expect("acknowledged");
    running.kill().expect("it runs");
    running.wait().expect("it ended");

    let kept = hub.kept();
    assert!(kept.contradictions.is_empty(), "{:?}", kept.contradictions);
    let store = Store::open_reader(&settings(&node).store_path()).expect("whole");
    assert_eq!(store.count().expect("readable"), rounds * COMPONENTS);
    let mut each: BTreeMap<(ComponentKey, Timestamp), u64> = BTreeMap::new();
    for ((_, sequence), Sample { component, at, .. }) in &kept.samples {
        assert_eq!(each.insert((component.clone(), *at), *sequence), None, "{component:?} at {at} is double");
    }
    assert_eq!(each.len() as u64, rounds * COMPONENTS);
    println!("{days} days, {kills} kills: {} samples, each exactly once", each.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_the_hub_and_eight_kills_lose_and_double_nothing() {
    outage(1, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn seven_days_without_the_hub_and_two_hundred_kills_lose_and_double_nothing() {
    outage(7, 200).await;
}
