use std::time::Duration;

use headroom_core::exchange::{Answer, Batch, NodeDescription, Placement, SequenceRange};
use headroom_core::quantity::Bytes;
use headroom_core::unit::{
    Component, ComponentKey, ComponentKind, Remark, Sample, Specs, Status, UnitKind, UnitReport,
    UserInformation,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{examine_answer, examine_batch, examine_text, sort_out};

const NODE: Uuid = Uuid::from_u128(1);
const STORE: Uuid = Uuid::from_u128(2);
const FUTURE: Duration = Duration::from_secs(300);

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().expect("a time")
}

fn answer() -> Answer {
    Answer {
        protocol: 1,
        description: NodeDescription {
            node: NODE,
            placement: Placement::Host,
            software: "test".to_owned(),
            store: STORE,
            interval_seconds: 5,
        },
        answered_at: now(),
        user: UserInformation::default(),
        units: vec![UnitReport {
            key: ComponentKey("host".to_owned()),
            kind: UnitKind::ServerStorage,
            identity: Vec::new(),
            components: vec![Component {
                key: ComponentKey("root".to_owned()),
                kind: ComponentKind::FileSystem,
                label: None,
                provided_by: Vec::new(),
                identity: Vec::new(),
                specs: Specs::default(),
            }],
        }],
        status: Vec::new(),
        absences: Vec::new(),
        gone: Vec::new(),
        notices: Vec::new(),
        remarks: Vec::new(),
    }
}

fn sample(sequence: u64) -> Sample {
    Sample {
        sequence,
        component: ComponentKey("root".to_owned()),
        at: now(),
        boot: Uuid::from_u128(3),
        status: Status { used_bytes: Some(Bytes(sequence)), ..Status::default() },
    }
}

fn range(first: u64, last: u64) -> SequenceRange {
    SequenceRange { first, last }
}

fn batch(first: u64, last: u64, samples: &[u64], gaps: &[(u64, u64)]) -> Batch {
    Batch {
        node: NODE,
        store: STORE,
        range: Some(range(first, last)),
        gaps: gaps.iter().map(|(first, last)| range(*first, *last)).collect(),
        samples: samples.iter().map(|sequence| sample(*sequence)).collect(),
        more: false,
    }
}

#[test]
fn samples_and_gaps_that_fill_the_range_are_taken() {
    let batch = batch(3, 9, &[3, 6, 7], &[(4, 5), (8, 9)]);
    examine_batch(&answer(), &batch).expect("sound");
    let sorted = sort_out(batch.samples, &|_| true, now(), FUTURE);
    assert_eq!(sorted.taken.len(), 3);
    assert!(sorted.set_aside.is_empty());
}

#[test]
fn a_number_that_would_be_acknowledged_unseen_is_refused_with_its_field() {
    for (batch, field) in [
        (batch(3, 5, &[3, 4], &[]), "batch.range"),
        (batch(3, 5, &[3, 5], &[]), "batch.samples[1].sequence"),
        (batch(3, 4, &[3, 4, 5], &[]), "batch.samples[2].sequence"),
        (batch(3, 4, &[3, 4], &[(9, 9)]), "batch.gaps[0]"),
        (batch(3, 6, &[3], &[(4, 9)]), "batch.gaps[0]"),
        (batch(3, 6, &[3, 4], &[(4, 6)]), "batch.samples[1].sequence"),
        (batch(6, 3, &[], &[]), "batch.range"),
        (batch(0, u64::MAX, &[], &[(0, u64::MAX)]), "batch.range"),
        (Batch { range: None, ..batch(1, 1, &[1], &[]) }, "batch.range"),
        (Batch { node: Uuid::nil(), ..batch(1, 1, &[1], &[]) }, "batch.node"),
        (Batch { store: Uuid::nil(), ..batch(1, 1, &[1], &[]) }, "batch.store"),
    ] {
        let error = examine_batch(&answer(), &batch).expect_err(field).to_string();
        assert!(error.starts_with(field), "{error} for {batch:?}");
    }
}

#[test]
fn one_impossible_sample_does_not_poison_the_others() {
    let mut batch = batch(1, 8, &[1, 2, 3, 4, 5, 6, 7, 8], &[]);
    batch.samples[0].at = now() + SignedDuration::from_hours(1);
    batch.samples[1].at = Timestamp::UNIX_EPOCH;
    batch.samples[2].status.utilisation = Some(1.5);
    batch.samples[3].component = ComponentKey("elsewhere".to_owned());
    batch.samples[4].status.used_bytes = Some(Bytes(u64::MAX));
    batch.samples[5].status.temperature_celsius = Some(-274);
    batch.samples[6].status.endurance_used_percent = Some(256);
    let sorted = sort_out(batch.samples, &|key| key.0 == "root", now(), FUTURE);
    assert_eq!(sorted.taken.iter().map(|sample| sample.sequence).collect::<Vec<_>>(), [8]);
    let codes: Vec<_> = sorted.set_aside.iter().map(|aside| aside.code).collect();
    assert_eq!(
        codes,
        ["future", "past", "impossible", "unknown_component", "impossible", "impossible", "impossible"]
    );
}

#[test]
fn an_answer_that_contradicts_itself_is_refused_with_its_field() {
    let mut twice = answer();
    let again = twice.units[0].components[0].clone();
    twice.units[0].components.push(again);
    let mut newer = answer();
    newer.protocol = 99;
    let mut empty = answer();
    empty.units[0].key = ComponentKey(String::new());
    let mut huge = answer();
    huge.units[0].components[0].specs.capacity_bytes = Some(Bytes(u64::MAX));
    for (answer, field) in [
        (twice, "answer.units[0].components[1].key"),
        (newer, "answer.protocol"),
        (empty, "answer.units[0].key"),
        (huge, "answer.units[0].components[0].specs.capacity_bytes"),
    ] {
        let error = examine_answer(&answer).expect_err(field).to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(examine_answer(&answer()).is_ok());
}

#[test]
fn text_that_cannot_be_kept_is_refused_with_its_field() {
    let mut nul = answer();
    nul.units[0].components[0].specs.model = Some("A\0B".to_owned());
    let error = examine_text(&nul).expect_err("refused").to_string();
    assert!(error.starts_with("answer.units[0].components[0].specs.model"), "{error}");
    let mut long = answer();
    long.user.organisation = "x".repeat(5_000);
    let error = examine_text(&long).expect_err("refused").to_string();
    assert!(error.starts_with("answer.user.organisation"), "{error}");
    assert!(examine_text(&answer()).is_ok());
}

#[test]
fn a_remark_that_cannot_be_kept_is_refused_with_its_field() {
    let remark = |at: Option<&str>, text: &str| Remark {
        component: None,
        at: at.map(|at| at.parse().expect("a time")),
        text: text.to_owned(),
    };
    for (remark, field) in [
        (remark(None, "\u{a0} "), "answer.remarks[0].text"),
        (remark(Some("1899-12-31T23:59:59Z"), "x"), "answer.remarks[0].at"),
    ] {
        let error =
            examine_answer(&Answer { remarks: vec![remark], ..answer() }).expect_err(field).to_string();
        assert!(error.starts_with(field), "{error}");
    }
    let error = examine_answer(&Answer { notices: vec![String::new()], ..answer() })
        .expect_err("refused")
        .to_string();
    assert!(error.starts_with("answer.notices[0]"), "{error}");
    let nul = Answer { remarks: vec![remark(None, "a\0b")], ..answer() };
    assert!(examine_text(&nul).expect_err("refused").to_string().starts_with("answer.remarks[0].text"));
    let fine = Answer { remarks: vec![remark(Some("1970-01-01T00:00:00Z"), "x")], ..answer() };
    assert!(examine_answer(&fine).is_ok() && examine_text(&fine).is_ok());
}

proptest! {
    #[test]
    fn any_batch_is_taken_or_refused_and_what_is_taken_covers_the_range(
        first in 0_u64..20, length in 0_u64..20,
        samples in proptest::collection::vec(0_u64..40, 0..20),
        gaps in proptest::collection::vec((0_u64..40, 0_u64..40), 0..4),
    ) {
        let last = first + length;
        let batch = batch(first, last, &samples, &gaps);
        if examine_batch(&answer(), &batch).is_ok() {
            for wanted in first..=last {
                let taken = batch.samples.iter().filter(|sample| sample.sequence == wanted).count();
                let gone = gaps.iter().filter(|(a, b)| (*a..=*b).contains(&wanted)).count();
                prop_assert_eq!(taken + gone, 1, "{}", wanted);
            }
            prop_assert_eq!(batch.samples.len(), samples.len());
        }
    }
}
