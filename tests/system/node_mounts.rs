//! A mount that never answers delays nobody: the real node goes on measuring beside it and says which mount it is.

use std::fs;
use std::time::Duration;

use headroom_core::exchange::Push;
use headroom_core::unit::AbsenceReason;
use headroom_tests::NodeProcess;
use headroom_tests::node_process::until;

/// What would leave this node now.
fn preview(node: &NodeProcess) -> Option<Push> {
    serde_json::from_str(&node.must(&["preview", "--samples", "1000"]).ok()?).ok()
}

/// How many samples with used bytes there are of the component with this label.
fn samples(push: &Push, label: &str) -> usize {
    let components = push.answer.units.iter().flat_map(|unit| &unit.components);
    let Some(component) = components.into_iter().find(|part| part.label.as_deref() == Some(label)) else {
        return 0;
    };
    let measured = |sample: &&headroom_core::unit::Sample| {
        sample.component == component.key && sample.status.used_bytes.is_some()
    };
    push.batch.samples.iter().filter(measured).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_mount_is_named_and_delays_nobody() {
    if !std::path::Path::new("/dev/fuse").exists() {
        eprintln!("left out: this machine has no /dev/fuse to make a mount that never answers");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [well, stuck] = ["well", "stuck"].map(|name| folder.path().join(name).display().to_string());
    for place in [&well, &stuck] {
        fs::create_dir(place).expect("made");
    }
    let settings = format!("include_mounts = [{well:?}, {stuck:?}]\npatience_seconds = 1\nlabels = true");
    let mut node = NodeProcess::new(&settings).expect("a folder");
    // A file system in user space whose program never answers, as one over a dead network: no privilege needed.
    let script = format!(
        "mount -t tmpfs -o size=1m tmpfs {well} && exec 9<>/dev/fuse \
         && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 stuck {stuck} && exec \"$0\" \"$@\""
    );
    node.start_in(&["unshare", "--map-root-user", "--mount", "sh", "-c", &script]).expect("it starts");
    let measured =
        until("it measures its neighbour", || preview(&node).is_some_and(|push| samples(&push, &well) >= 2));
    measured.await.unwrap_or_else(|error| panic!("{error}; its log:\n{}", node.log()));
    let before = samples(&preview(&node).expect("a preview"), &well);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let push = preview(&node).expect("a preview");
    let rounds = samples(&push, &well) - before;
    assert!(rounds >= 3, "{rounds} rounds in 5 s beside a mount that does not answer");
    assert_eq!(samples(&push, &stuck), 0, "what did not answer has no figure");

    let components = push.answer.units.iter().flat_map(|unit| &unit.components);
    let key =
        &components.into_iter().find(|part| part.label.as_deref() == Some(&stuck)).expect("it is listed").key;
    let absences = &push.answer.absences;
    let said = absences.iter().find(|absence| absence.component == *key && absence.field.0 == "used_bytes");
    let said = said.unwrap_or_else(|| panic!("its figures are stated as absent: {absences:?}"));
    assert_eq!(said.reason, AbsenceReason::TimedOut);
    assert!(said.detail.as_deref().is_some_and(|detail| detail.contains("statvfs")), "{said:?}");
}
