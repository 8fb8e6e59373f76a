//! What disks and power do to a node's own store, with the real node: it keeps measuring, says so, and heals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use headroom_core::unit::Sample;
use headroom_node::config::{Settings, merge};
use headroom_node::measure::clock::Clock;
use headroom_node::measure::round::{Measurer, Source};
use headroom_node::node::Node;
use headroom_node::probe::survey::of_machine;
use headroom_tests::NodeProcess;
use headroom_tests::node_process::until;

fn check(node: &NodeProcess) -> serde_json::Value {
    let text = node.must(&["store", "check", "--json"]).expect("the store is whole");
    serde_json::from_str(&text).expect("JSON")
}

fn samples(node: &NodeProcess) -> u64 {
    let output = node.command(&["store", "check", "--json"]).expect("it runs");
    let check: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    check["samples"].as_u64().unwrap_or(0)
}

fn exported(node: &NodeProcess) -> Vec<Sample> {
    let text = node.must(&["store", "export"]).expect("it prints");
    text.lines().map(|line| serde_json::from_str(line).expect("a sample")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_at_random_loses_nothing_stored_and_doubles_nothing() {
    let mut node = NodeProcess::new("").expect("a folder");
    let mut before = 0;
    for milliseconds in [1_500_u64, 700, 2_100, 1_050, 1_333] {
        node.start().expect("it starts");
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        node.kill();
        let now = samples(&node);
        assert!(now >= before, "{now} samples after {before}");
        before = now;
    }
    let stored = exported(&node);
    assert!(stored.len() >= 4, "{}", stored.len());
    let sequences: Vec<u64> = stored.iter().map(|sample| sample.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "no number is missing");
    let keys: BTreeSet<_> = stored.iter().map(|sample| (sample.component.clone(), sample.at)).collect();
    assert_eq!(keys.len(), stored.len(), "none is double");
    assert_eq!(check(&node)["thinned"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_deleted_or_damaged_while_the_node_runs_is_made_anew() {
    let mut node = NodeProcess::new("").expect("a folder");
    node.start().expect("it starts");
    until("it has stored something", || samples(&node) > 2).await.expect("stored");
    let first = check(&node)["store"].clone();
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        // The index beside the log comes and goes.
        let _ = fs::remove_file(node.data().join(name));
    }
    until("it starts afresh", || node.data().join("store.sqlite").exists() && samples(&node) > 2)
        .await
        .expect("anew");
    assert_ne!(first, check(&node)["store"], "numbers start anew under a new id");
    assert!(node.log().contains("deleted or replaced"), "{}", node.log());

    // Garbage over the whole file, as a careless hand leaves it: what is still in the log is put back or set aside.
    let length = fs::metadata(node_file(&node)).expect("there").len().max(8_192);
    fs::write(node_file(&node), vec![0xa5; usize::try_from(length).expect("small")]).expect("written");
    until("it notices", || node.log().contains("was written over")).await.expect("noticed");
    let now = samples(&node);
    until("it stores again", || samples(&node) > now).await.expect("stored");
    check(&node);

    // The same while it does not run, with no log to put anything back from.
    node.kill();
    for name in ["store.sqlite-wal", "store.sqlite-shm"] {
        let _ = fs::remove_file(node.data().join(name));
    }
    fs::write(node_file(&node), vec![0xa5; 65_536]).expect("written");
    assert_eq!(
        node.command(&["store", "check"]).expect("it runs").status.code(),
        Some(1),
        "a check finds it"
    );
    node.start().expect("it starts");
    until("it stores again", || samples(&node) > 2).await.expect("stored");
    assert!(node.log().contains("set aside"), "{}", node.log());
    let quarantine = node.must(&["store", "quarantine"]).expect("it lists");
    assert!(quarantine.contains("quarantine/store-"), "{quarantine}");
}

fn node_file(node: &NodeProcess) -> PathBuf {
    node.data().join("store.sqlite")
}

/// A node whose data folder is a mount of its own, in a mount namespace of its own: no privilege needed.
struct OwnMount {
    node: NodeProcess,
    place: PathBuf,
}

impl OwnMount {
    /// `mount` is a shell command that makes the mount at `$place`.
    fn start(mut node: NodeProcess, mount: &str) -> Self {
        let place = node.data();
        fs::create_dir_all(&place).expect("made");
        let script = format!("place={}; {mount} && exec \"$0\" \"$@\"", place.display());
        node.start_in(&["unshare", "--map-root-user", "--mount", "sh", "-c", &script]).expect("it starts");
        Self { node, place }
    }

    /// A file of the folder, as the node sees it.
    fn inside(&self, name: &str) -> PathBuf {
        let process = self.node.process().expect("it runs");
        let root = Path::new("/proc").join(process.to_string()).join("root");
        root.join(self.place.strip_prefix("/").expect("absolute")).join(name)
    }

    fn remount(&self, how: &str) {
        let process = self.node.process().expect("it runs").to_string();
        let place = self.place.display().to_string();
        let done = Command::new("nsenter")
            .args(["--target", &process, "--user", "--mount", "--preserve-credentials"])
            .args(["mount", "-o", how, &place])
            .status()
            .expect("nsenter runs");
        assert!(done.success(), "remounted {how}");
    }

    /// How often the node has said that its store works again.
    fn healed(&self) -> usize {
        self.node.log().matches("the store can be written again").count()
    }

    fn troubled(&self) -> usize {
        self.node.log().matches("measuring goes on and rounds wait in memory").count()
    }

    /// Rounds of the last run are there without a hole: those of the bad time waited in memory.
    fn has_no_hole(&self, since: i64) {
        let copy = NodeProcess::new("").expect("a folder");
        fs::create_dir_all(copy.data()).expect("made");
        for name in ["store.sqlite", "store.sqlite-wal"] {
            fs::copy(self.inside(name), copy.data().join(name)).expect("copied");
        }
        let moments = exported(&copy).into_iter().map(|sample| sample.at.as_millisecond());
        let moments: BTreeSet<i64> = moments.filter(|at| *at >= since).collect();
        let moments: Vec<i64> = moments.into_iter().collect();
        assert!(moments.len() >= 5, "{moments:?}");
        // A round may come late on a busy machine; one that is missing leaves two seconds.
        let rounds = (moments[moments.len() - 1] - moments[0] + 500) / 1_000 + 1;
        assert!(
            rounds - moments.len() as i64 <= 1,
            "{rounds} seconds, {} rounds: {moments:?}",
            moments.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_survived() {
    let begun = jiff::Timestamp::now().as_millisecond();
    let node = NodeProcess::new("").expect("a folder");
    let disk = OwnMount::start(node, "mount -t tmpfs -o size=3m tmpfs $place");
    until("it stores", || disk.inside("store.sqlite").exists()).await.expect("stored");
    tokio::time::sleep(Duration::from_secs(2)).await;
    fs::write(disk.inside("filler"), vec![0; 4 << 20]).expect_err("the disk is full");
    until("it says that the disk is full", || disk.troubled() == 1).await.expect("said");
    tokio::time::sleep(Duration::from_secs(3)).await;
    fs::remove_file(disk.inside("filler")).expect("removed");
    until("it heals", || disk.healed() == 1).await.expect("healed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    disk.has_no_hole(begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_folder_is_survived() {
    let mut node = NodeProcess::new("").expect("a folder");
    node.start().expect("it starts");
    until("it stores", || samples(&node) > 0).await.expect("stored");
    node.kill();
    let begun = jiff::Timestamp::now().as_millisecond();
    let disk = OwnMount::start(node, "mount --bind $place $place && mount -o remount,bind,ro $place");
    until("it says that it cannot write", || disk.troubled() == 1).await.expect("said");
    tokio::time::sleep(Duration::from_secs(3)).await;
    disk.remount("remount,bind,rw");
    until("it heals", || disk.healed() == 1).await.expect("healed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    disk.has_no_hole(begun);
}

/// A clock that somebody sets: wall seconds, and milliseconds since boot.
#[derive(Clone)]
struct SetClock(Arc<Mutex<(i64, u64)>>);

impl Clock for SetClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.lock().expect("whole").0).expect("in range")
    }

    fn steady_milliseconds(&self) -> u64 {
        self.0.lock().expect("whole").1
    }
}

#[test]
fn a_clock_that_is_set_is_told_and_poisons_no_figure() {
    let process = NodeProcess::new("").expect("a folder");
    let file = process.folder().join("node.toml");
    let merged = merge(Some(&file), &BTreeMap::new(), &BTreeMap::new()).expect("settings");
    let settings = Settings::of(&merged).expect("settings");
    let (prober, transport) = of_machine(&settings, uuid::Uuid::nil());
    let (asks, _questions) = mpsc::channel();
    let node = Node::new(settings, uuid::Uuid::nil(), asks);
    let clock = SetClock(Arc::new(Mutex::new((0, 0))));
    let source = Source::Inside(Box::new(prober));
    let mut measurer = Measurer::new(source, Arc::new(clock.clone()), transport);
    // A day ahead, back again, and to before its boot, a minute passing each time.
    for (minute, ahead) in (0_u64..).zip([0, 0, 86_400, 0, -1_700_000_000]) {
        let wall = 1_790_000_000 + ahead + i64::try_from(minute).expect("small") * 60;
        *clock.0.lock().expect("whole") = (wall, minute * 60_000);
        node.take(measurer.round().expect("measured"));
    }
    let told = node.latest().expect("a round").remarks.clone();
    let told: Vec<(i64, &str)> =
        told.iter().filter_map(|remark| Some((remark.at?.as_second(), remark.text.as_str()))).collect();
    let sentence = |seconds: i64| format!("the clock of this machine jumped by {seconds} s");
    let wanted = [86_400, -86_400, -1_700_000_000].map(sentence);
    assert_eq!(told.iter().map(|(_, text)| *text).collect::<Vec<_>>(), wanted, "{told:?}");
    assert_eq!(told[0].0, 1_790_000_000 + 86_400 + 120, "by the clock of that moment");
    let stored = exported(&process);
    let rounds: BTreeSet<_> = stored.iter().map(|sample| sample.at).collect();
    assert_eq!(rounds.len(), 5, "every round is kept");
    for sample in &stored {
        // Differences are over the time since boot, which nobody can set.
        let believable = sample.status.utilisation.is_none_or(|share| (0.0..=1.0).contains(&share));
        assert!(believable, "{sample:?}");
    }
}
