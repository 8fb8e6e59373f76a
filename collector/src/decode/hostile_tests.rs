//! Every decoder against hostile bytes: arbitrary ones, real pages cut off at every length, with every byte saturated and
//! with bits flipped. They give a value or a typed error; a panic fails the test, and so does an answer that depends on
//! anything but the bytes.

use clap::ValueEnum as _;
use headroom_core::unit::{ComponentKey, FIGURES};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::raw_page::{self, Neighbours};
use super::{
    BYTES_MAX, Findings, PageName, Surroundings, capture, dm_targets, dm_thin, lvm, mdstat, redfish,
    redfish_tree::RedfishTree, smartctl, zpool,
};

const NEAR: Neighbours = Neighbours { block_bytes: Some(512), threshold_exponent: Some(11) };

/// Every figure is one that a device could tell, has a source, and is not absent besides.
fn believable(findings: &Findings) {
    let absences = findings.absences(&ComponentKey("x".to_owned()));
    for figure in &FIGURES {
        let Some(number) = figure.of(&findings.status) else { continue };
        assert!(figure.can_be(number), "{} {number}: {findings:?}", figure.name);
        assert!(findings.sources.contains_key(figure.name), "{} has no source: {findings:?}", figure.name);
        assert!(
            absences.iter().all(|absence| absence.field.0 != figure.name),
            "{}: {findings:?}",
            figure.name
        );
    }
    assert!(findings.specs.capacity_bytes.is_none_or(|bytes| bytes.0 <= BYTES_MAX), "{findings:?}");
}

/// Runs the decoder twice: what it makes of bytes is a function of them.
fn attempt(name: PageName, bytes: &[u8]) {
    let first = raw_page::decode(name, bytes, NEAR);
    assert_eq!(first, raw_page::decode(name, bytes, NEAR), "{name:?}");
    if let Ok(page) = first {
        // What is told is believable: a page of at most some thousand bytes tells a bounded number of things.
        assert!(page.findings.missing.len() + page.findings.sources.len() < 10_000);
        believable(&page.findings);
    }
}

/// A well-formed page of each kind, so that mutations get past the first checks.
fn pages() -> Vec<(PageName, Vec<u8>)> {
    let mut controller = vec![0; 4_096];
    controller[4..12].copy_from_slice(b"SERIAL01");
    (controller[280], controller[96], controller[340]) = (9, 16, 1);
    let mut namespace = vec![0; 4_096];
    (namespace[0], namespace[8], namespace[16], namespace[130]) = (100, 100, 50, 9);
    let mut list = vec![0; 4_096];
    (list[0], list[4]) = (1, 2);
    let mut descriptors = vec![0; 4_096];
    descriptors[..2].copy_from_slice(&[3, 16]);
    descriptors[4..20].fill(7);
    let mut smart = vec![0; 512];
    (smart[1], smart[2], smart[5], smart[48]) = (44, 1, 3, 2);
    let mut ana = vec![0; 84];
    (ana[8], ana[16], ana[20], ana[32], ana[48]) = (1, 1, 1, 1, 1);
    let mut identify = vec![0; 512];
    (identify[21], identify[120], identify[166]) = (b'S', 9, 0);
    let mut attributes = vec![0; 512];
    attributes[2..14].copy_from_slice(&[9, 50, 0, 99, 99, 1, 2, 0, 0, 0, 0, 0]);
    let mut statistics = vec![0; 512];
    (statistics[2], statistics[8], statistics[15]) = (7, 3, 0xc0);
    let mut inquiry = vec![0; 36];
    inquiry[8..16].copy_from_slice(b"HEADROOM");
    let mut capacity = vec![0; 32];
    (capacity[7], capacity[10]) = (255, 2);
    let designators = vec![0, 0x83, 0, 12, 1, 3, 0, 8, 0x60, 1, 0x40, 0x5a, 1, 2, 3, 4];
    let provisioning = vec![0x0c, 0, 0, 12, 0, 2, 3, 8, 0, 0, 0, 20, 1, 0, 0, 0];
    let counters = vec![0x03, 0, 0, 12, 0, 5, 3, 8, 0, 0, 0, 0, 0, 1, 0, 0];
    let utilization = vec![0x4e, 1, 0, 12, 0, 0, 3, 4, 0x2e, 0xe0, 0, 0, 0, 1, 3, 0];
    vec![
        (PageName::NvmeController, controller),
        (PageName::NvmeNamespace, namespace),
        (PageName::NvmeNamespaceList, list),
        (PageName::NvmeDescriptors, descriptors),
        (PageName::NvmeSmart, smart.clone()),
        (PageName::NvmeEnduranceGroup, smart),
        (PageName::NvmeAna, ana),
        (PageName::AtaIdentify, identify),
        (PageName::AtaSmart, attributes),
        (PageName::AtaStatistics, statistics),
        (PageName::ScsiInquiry, inquiry),
        (PageName::ScsiReadCapacity, capacity),
        (PageName::ScsiVpd, designators),
        (PageName::ScsiLog, provisioning),
        (PageName::ScsiLog, counters),
        (PageName::ScsiLog, utilization),
    ]
}

#[test]
fn the_pages_that_are_mutated_here_are_whole() {
    for (name, page) in pages() {
        // SMART data and IDENTIFY have checksums, which a page made by hand may lack.
        let decoded = raw_page::decode(name, &page, NEAR);
        assert!(decoded.is_ok() || matches!(name, PageName::AtaSmart), "{name:?}: {decoded:?}");
    }
}

#[test]
fn a_page_may_be_cut_off_or_saturated_anywhere() {
    for (name, page) in pages() {
        for length in 0..page.len().min(600) {
            attempt(name, &page[..length]);
        }
        for offset in 0..page.len().min(600) {
            for filler in [0x00, 0x7f, 0x80, 0xff] {
                let mut damaged = page.clone();
                damaged[offset] = filler;
                attempt(name, &damaged);
            }
        }
    }
}

/// JSON of any shape with the names that decoders look for, and hostile values.
fn document(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        prop::sample::select(&[
            "",
            "-1",
            "1e308",
            "NaN",
            "99999999999999999999999999999999999999999",
            "twi-a",
            "0x50"
        ])
        .prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names), inner, 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

const SMARTCTL_NAMES: &[&str] = &[
    "smartctl",
    "device",
    "type",
    "protocol",
    "name",
    "user_capacity",
    "blocks",
    "bytes",
    "logical_block_size",
    "wwn",
    "naa",
    "oui",
    "id",
    "model_name",
    "serial_number",
    "temperature",
    "current",
    "power_on_time",
    "hours",
    "ata_smart_attributes",
    "table",
    "raw",
    "value",
    "string",
    "nvme_smart_health_information_log",
    "data_units_written",
    "percentage_used",
    "available_spare",
    "critical_warning",
    "nvme_namespaces",
    "utilization",
    "capacity",
    "size",
    "nvme_total_capacity",
    "scsi_error_counter_log",
    "read",
    "gigabytes_processed",
    "total_uncorrected_errors",
    "exit_status",
    "messages",
    "ata_device_statistics",
    "pages",
    "number",
    "flags",
    "valid",
    "endurance_used",
    "current_percent",
    "vendor",
    "product",
];
const REDFISH_NAMES: &[&str] = &[
    "@odata.id",
    "@odata.type",
    "Capacity",
    "Data",
    "Metadata",
    "AllocatedBytes",
    "ConsumedBytes",
    "CapacityBytes",
    "BlockSizeBytes",
    "RemainingCapacityPercent",
    "CapacitySources",
    "ProvidingPools",
    "ProvidingDrives",
    "Members",
    "Links",
    "Drives",
    "PredictedMediaLifeLeftPercent",
    "Status",
    "State",
    "Identifiers",
    "DurableName",
    "DurableNameFormat",
    "IOStatistics",
    "ReadIOKiBytes",
    "Devices",
    "StorageControllers",
    "Name",
    "SerialNumber",
    "RotationSpeedRPM",
    "MediaType",
];
const LVM_NAMES: &[&str] = &[
    "report",
    "vg",
    "lv",
    "pv",
    "vg_name",
    "vg_size",
    "vg_free",
    "vg_uuid",
    "pv_name",
    "lv_name",
    "lv_size",
    "lv_attr",
    "pool_lv",
    "data_percent",
    "metadata_percent",
    "lv_metadata_size",
];

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..1_200), near: Option<u32>) {
        for name in PageName::value_variants() {
            attempt(*name, &bytes);
            let near = Neighbours { block_bytes: near, threshold_exponent: bytes.first().copied() };
            let _ = raw_page::decode(*name, &bytes, near);
        }
        let _ = dm_targets::lines(near.unwrap_or(3), &bytes);
        for name in ["x.bin", "x.hex", "x.json", "log_0c.bin", "vpd_83.hex", "notes"] {
            let _ = capture::decode(name, &bytes, None, &Surroundings::default());
        }
    }

    #[test]
    fn mutated_pages_are_read_or_refused(
        which in 0_usize..16,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        keep in any::<prop::sample::Index>(),
        longer in 0_usize..600,
    ) {
        let (name, mut page) = pages().swap_remove(which);
        for (place, byte) in damage {
            let place = place.index(page.len());
            page[place] = byte;
        }
        attempt(name, &page);
        attempt(name, &page[..keep.index(page.len())]);
        page.resize(page.len() + longer, 0xff);
        attempt(name, &page);
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "[ -~\\t\\n]{0,300}", words in "(0 [0-9]{1,20} thin(-pool)? [0-9/ a-z-]{0,60})") {
        for text in [&text, &words, &format!("Personalities : [raid1]\nmd0 : {text}")] {
            let _ = dm_thin::decode(text, None);
            let _ = dm_thin::thin_volume(text);
            let _ = dm_thin::block_sectors(text);
            let _ = mdstat::decode(text);
            let _ = zpool::decode(text);
            let _ = capture::decode("notes.txt", text.as_bytes(), None, &Surroundings::default());
        }
    }

    #[test]
    fn arbitrary_smartctl_documents_are_read_or_refused(mut json in document(SMARTCTL_NAMES)) {
        let _ = smartctl::decode(&json);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("smartctl".to_owned(), json!({"version": [7, 4]}));
            fields.insert("json_format_version".to_owned(), json!([1, 0]));
            fields.remove("devices");
            for protocol in ["NVMe", "ATA", "SCSI", ""] {
                fields.insert("device".to_owned(), json!({"protocol": protocol}));
                let parts = smartctl::decode(&Value::Object(fields.clone())).unwrap();
                parts.iter().for_each(|part| believable(&part.findings));
            }
        }
    }

    #[test]
    fn arbitrary_redfish_and_lvm_documents_are_read_or_refused(
        resources in prop::collection::vec(document(REDFISH_NAMES), 0..4),
        report in document(LVM_NAMES),
        kinds in prop::collection::vec(
            prop::sample::select(&["Drive", "Volume", "StoragePool", "Storage", "SimpleStorage", "CapacitySource"][..]), 4),
    ) {
        let mut tree = RedfishTree::default();
        for (index, (mut json, kind)) in resources.into_iter().zip(kinds).enumerate() {
            if let Some(fields) = json.as_object_mut() {
                fields.insert("@odata.type".to_owned(), format!("#{kind}.v1_0_0.{kind}").into());
                fields.insert("@odata.id".to_owned(), format!("/redfish/v1/{index}").into());
            }
            let _ = redfish::decode(&json);
            tree.add(&json);
            tree.parts_of(&json).iter().for_each(|part| believable(&part.findings));
        }
        tree.parts();
        let _ = lvm::decode(&report);
        if let Ok(parts) = lvm::decode(&json!({"report": [{"vg": [report.clone()], "lv": [report]}]})) {
            parts.iter().for_each(|part| believable(&part.findings));
        }
    }
}
