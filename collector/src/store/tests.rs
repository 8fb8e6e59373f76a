//! The store against a model, and against what disks do.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use headroom_core::{
    exchange::{Acknowledgement, Batch, SequenceRange},
    quantity::Bytes,
    unit::{ComponentKey, Remark, Status},
};
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::{EntryKind, Order, Row, Store, StoreError, check_file, export_readable, quarantined_files};

const ROOM: u64 = 64 << 20;
const NODE: Uuid = Uuid::from_u128(7);

fn rows(round: i64, components: u32) -> Vec<Row> {
    (0..components)
        .map(|component| Row {
            component: ComponentKey(format!("drive-{component}")),
            at: Timestamp::from_millisecond(1_700_000_000_000 + round * 60_000).unwrap(),
            boot: Uuid::from_u128(1),
            status: Status {
                used_bytes: Some(Bytes(round.unsigned_abs() * 4_096)),
                capacity_bytes: Some(Bytes(1 << 40)),
                utilisation: Some(0.5),
                ..Status::default()
            },
        })
        .collect()
}

fn open(folder: &Path) -> Store {
    let opened = Store::open(&folder.join("store.sqlite"), ROOM).unwrap();
    assert!(opened.quarantined.is_none(), "{:?}", opened.quarantined);
    opened.store
}

/// Every number of the range is in the samples or in a gap, once.
fn is_complete(batch: &Batch) {
    let Some(range) = batch.range else {
        assert!(batch.samples.is_empty() && batch.gaps.is_empty());
        return;
    };
    let mut spoken: Vec<u64> = batch.samples.iter().map(|sample| sample.sequence).collect();
    spoken.extend(batch.gaps.iter().flat_map(|gap| gap.first..=gap.last));
    spoken.sort_unstable();
    assert_eq!(spoken, (range.first..=range.last).collect::<Vec<_>>());
}

#[test]
fn what_was_stored_is_read_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let id = store.id();
    for round in 0..3 {
        store.append(&rows(round, 2)).unwrap();
    }
    store.note(Timestamp::UNIX_EPOCH, EntryKind::Clock, "the clock jumped by 3 s").unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.id(), id);
    let batch = store.after(NODE, 0, 100).unwrap();
    is_complete(&batch);
    assert_eq!(batch.samples.len(), 6);
    assert_eq!(batch.samples[5].status, rows(2, 2)[1].status);
    assert!(!batch.more);
    let latest = store.latest(&[ComponentKey("drive-1".into()), ComponentKey("unknown".into())]).unwrap();
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0].sequence, 6);
    assert_eq!(store.journal(5).unwrap()[0].kind, EntryKind::Clock);
}

#[test]
fn remarks_are_kept_with_the_inventory_and_a_store_without_them_learns_to() {
    let folder = tempfile::tempdir().unwrap();
    let remark = Remark { component: None, at: None, text: "zpool tells nothing".to_owned() };
    let remarks = std::slice::from_ref(&remark);
    let mut store = open(folder.path());
    assert!(store.note_inventory(Timestamp::UNIX_EPOCH, &[], &[], remarks).unwrap());
    assert!(!store.note_inventory(Timestamp::UNIX_EPOCH, &[], &[], remarks).unwrap(), "nothing changed");
    assert_eq!(store.inventory().unwrap().remarks, [remark]);
    store.connection.execute("ALTER TABLE inventory DROP COLUMN remarks", []).unwrap();
    drop(store);
    assert!(open(folder.path()).inventory().unwrap().remarks.is_empty());
}

#[test]
fn an_acknowledgement_for_another_store_or_for_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.append(&rows(0, 3)).unwrap();
    let range = |first, last| SequenceRange { first, last };
    let other = Acknowledgement { store: Uuid::from_u128(9), range: range(1, 2) };
    assert!(matches!(store.acknowledge(other), Err(StoreError::OtherStore { .. })));
    for (first, last) in [(0, 2), (2, 1), (1, 4), (u64::MAX, u64::MAX), (1, u64::MAX)] {
        let bad = Acknowledgement { store: store.id(), range: range(first, last) };
        assert!(matches!(store.acknowledge(bad), Err(StoreError::BadRange { .. })), "{first} {last}");
    }
    assert!(store.acknowledged().unwrap().is_empty());
}

#[test]
fn a_full_store_thins_and_announces_the_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = Store::open(&path, 400 * 1_024).unwrap().store;
    let mut thinned = 0;
    for round in 0..3_000 {
        store.append(&rows(round, 2)).unwrap();
        if let Some(done) = store.thin_if_full().unwrap() {
            thinned += done.acknowledged + done.unacknowledged;
        }
    }
    assert!(thinned > 0);
    assert!(store.bytes_used().unwrap() <= 400 * 1_024 + 8 * 4_096);
    let (mut after, mut kept) = (0, Vec::new());
    loop {
        let batch = store.after(NODE, after, 500).unwrap();
        is_complete(&batch);
        kept.extend(batch.samples.iter().map(|sample| sample.at));
        let Some(range) = batch.range else { break };
        after = range.last;
    }
    assert_eq!(after, 6_000, "every number was spoken for");
    let oldest = kept.iter().min().unwrap().as_millisecond();
    assert!(oldest < 1_700_000_000_000 + 24 * 3_600_000, "the long past is kept, only coarser");
}

#[test]
fn what_the_hub_has_is_thinned_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("store.sqlite"), 400 * 1_024).unwrap().store;
    for round in 0..1_000 {
        store.append(&rows(round, 2)).unwrap();
    }
    let range = SequenceRange { first: 1, last: 1_000 };
    store.acknowledge(Acknowledgement { store: store.id(), range }).unwrap();
    let waiting = store.waiting().unwrap();
    let thinned = store.thin().unwrap();
    assert!(thinned.acknowledged > 0);
    if thinned.unacknowledged == 0 {
        assert_eq!(store.waiting().unwrap(), waiting);
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_its_readable_rows_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = open(folder.path());
    let id = store.id();
    for round in 0..400 {
        store.append(&rows(round, 2)).unwrap();
    }
    drop(store);
    let mut file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(length / 2 / 4_096 * 4_096)).unwrap();
    file.write_all(&[0xa5; 4_096]).unwrap();
    drop(file);
    assert!(check_file(&path).unwrap().is_some());
    let opened = Store::open(&path, ROOM).unwrap();
    let quarantined = opened.quarantined.expect("the damage was noticed");
    assert_ne!(opened.store.id(), id, "numbers start anew under a new id");
    assert!(quarantined.saved > 0, "{quarantined:?}");
    assert_eq!(opened.store.count().unwrap(), quarantined.saved);
    assert_eq!(quarantined_files(&path).unwrap(), [quarantined.file]);
    assert!(check_file(&path).unwrap().is_none());
}

/// One record is damaged in a file that is whole: a byte that flipped where no checksum looks.
#[test]
fn a_damaged_record_is_set_aside_alone_and_its_number_announced() {
    for damage in [
        "UPDATE samples SET used_bytes = 'garbage' WHERE sequence = 5",
        "UPDATE samples SET spare_percent = 300 WHERE sequence = 5",
        "UPDATE samples SET used_source = x'00ff' WHERE sequence = 5",
        "UPDATE samples SET at = 9223372036854775807 WHERE sequence = 5",
        "UPDATE samples SET component = 999 WHERE sequence = 5",
        "UPDATE samples SET boot = 999 WHERE sequence = 5",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        for round in 0..5 {
            store.append(&rows(round, 2)).unwrap();
        }
        store.connection.pragma_update(None, "foreign_keys", false).unwrap();
        assert_eq!(store.connection.execute(damage, []).unwrap(), 1);
        // With a limit that the damaged one would fill: what lies behind it must not be taken for thinned.
        let (mut after, mut kept) = (0, 0);
        loop {
            let batch = store.after(NODE, after, 1).unwrap();
            is_complete(&batch);
            let Some(range) = batch.range else { break };
            kept += batch.samples.len();
            after = range.last;
        }
        assert_eq!((kept, store.count().unwrap(), store.damaged_samples().unwrap()), (9, 9, 1), "{damage}");
        let batch = store.unacknowledged(NODE, Order::NewestUnacknowledged, 100).unwrap();
        is_complete(&batch);
        assert_eq!(batch.gaps, [SequenceRange { first: 5, last: 5 }]);
        store.acknowledge(Acknowledgement { store: store.id(), range: batch.range.unwrap() }).unwrap();
        let happened = store.happenings().unwrap();
        assert!(
            happened[0].text.starts_with("sample 5 could not be read and was set aside: "),
            "{happened:?}"
        );
        drop(store);
        let store = open(folder.path());
        assert_eq!(store.damaged_samples().unwrap(), 1);
        let held = "SELECT held FROM damaged WHERE sequence = 5";
        let held: String = store.connection.query_row(held, [], |row| row.get(0)).unwrap();
        assert!(held.starts_with("5, "), "{held}");
    }
}

#[test]
fn a_damaged_record_in_a_damaged_file_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = open(folder.path());
    for round in 0..5 {
        store.append(&rows(round, 2)).unwrap();
    }
    store.connection.execute("UPDATE samples SET read_ops = 'x' WHERE sequence IN (3, 4)", []).unwrap();
    drop(store);
    let (samples, unreadable) = export_readable(&path);
    assert_eq!((samples.len(), unreadable), (8, 2));
}

#[test]
fn what_happened_is_told_and_what_the_owner_did_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let at = |second| Timestamp::from_second(second).unwrap();
    store.note(at(9), EntryKind::Clock, "the clock of this machine jumped by 88880 s").unwrap();
    store.note(at(10), EntryKind::Owner, "granted sales").unwrap();
    store.note(at(-5), EntryKind::Store, "set aside").unwrap();
    let told: Vec<_> =
        store.happenings().unwrap().into_iter().map(|remark| (remark.at.unwrap(), remark.text)).collect();
    let wanted = [(at(9), "the clock of this machine jumped by 88880 s"), (at(-5), "set aside")];
    assert_eq!(told, wanted.map(|(at, text)| (at, text.to_owned())));
    for number in 0..60 {
        store.note(at(number), EntryKind::Clock, "again").unwrap();
    }
    assert_eq!(store.happenings().unwrap().len(), 50);
}

#[test]
fn no_file_is_too_broken_to_start() {
    for bytes in [Vec::new(), vec![0; 10_000], b"SQLite format 3\0".to_vec(), vec![0xff; 4_096]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        fs::write(&path, &bytes).unwrap();
        let mut store = Store::open(&path, ROOM).unwrap().store;
        store.append(&rows(0, 1)).unwrap();
        assert_eq!(store.count().unwrap(), 1);
    }
}

#[test]
fn a_torn_log_loses_only_its_torn_tail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let copy = folder.path().join("copy").join("store.sqlite");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let mut store = open(folder.path());
    for round in 0..20 {
        store.append(&rows(round, 2)).unwrap();
    }
    // What a power cut leaves: the file and a log that ends in the middle of a frame.
    let mut log = Vec::new();
    fs::File::open(folder.path().join("store.sqlite-wal")).unwrap().read_to_end(&mut log).unwrap();
    assert!(log.len() > 10_000);
    for cut in (0..log.len()).step_by(log.len() / 12) {
        fs::copy(&path, &copy).unwrap();
        fs::write(copy.with_file_name("store.sqlite-wal"), &log[..cut]).unwrap();
        let opened = Store::open(&copy, ROOM).unwrap();
        let samples = opened.store.after(NODE, 0, 100).unwrap().samples;
        assert_eq!(samples.len() % 2, 0, "a round is there as a whole or not at all");
        drop(opened);
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(copy.with_file_name(format!("store.sqlite{suffix}")));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_sample_is_given_until_it_is_acknowledged(
        steps in proptest::collection::vec((0_u8..4, 1_u32..9), 1..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let mut taken = BTreeSet::new();
        for (round, (step, amount)) in steps.into_iter().enumerate() {
            match step {
                0 | 1 => {
                    store.append(&rows(round as i64, amount)).unwrap();
                }
                step => {
                    let order = if step == 2 { Order::OldestUnacknowledged } else { Order::NewestUnacknowledged };
                    let batch = store.unacknowledged(NODE, order, amount).unwrap();
                    is_complete(&batch);
                    for sample in &batch.samples {
                        prop_assert!(taken.insert(sample.sequence), "{} was given after its acknowledgement", sample.sequence);
                    }
                    if let Some(range) = batch.range {
                        store.acknowledge(Acknowledgement { store: batch.store, range }).unwrap();
                        store.acknowledge(Acknowledgement { store: batch.store, range }).unwrap();
                    }
                }
            }
        }
        loop {
            let batch = store.unacknowledged(NODE, Order::OldestUnacknowledged, 5).unwrap();
            let Some(range) = batch.range else { break };
            taken.extend(batch.samples.iter().map(|sample| sample.sequence));
            store.acknowledge(Acknowledgement { store: batch.store, range }).unwrap();
        }
        prop_assert_eq!(taken.len() as u64, store.count().unwrap());
        prop_assert_eq!(store.waiting().unwrap(), 0);
        prop_assert!(store.acknowledged().unwrap().len() <= 1, "touching ranges are one");
    }
}
