use headroom_core::{
    quantity::Bytes,
    unit::{AbsenceReason, ComponentKind, EvidenceKind},
};
use serde_json::{Value, json};

use super::decode;

fn with(mut fields: Value) -> Value {
    let frame = json!({"json_format_version": [1, 0], "smartctl": {"exit_status": 0, "argv": ["smartctl", "/dev/x"]}});
    let target = fields.as_object_mut().unwrap();
    for (key, value) in frame.as_object().unwrap() {
        target.entry(key).or_insert(value.clone());
    }
    fields
}

fn reason(part: &super::Part, field: &str) -> Option<AbsenceReason> {
    part.absences().into_iter().find(|absence| absence.field.0 == field).map(|absence| absence.reason)
}

#[test]
fn a_capacity_that_smartctl_leaves_out_stays_absent() {
    let json =
        with(json!({"device": {"protocol": "NVMe", "name": "/dev/nvme0"}, "nvme_number_of_namespaces": 32}));
    let drive = &decode(&json).unwrap()[0];
    assert_eq!(drive.findings.specs.capacity_bytes, None);
    assert_eq!(reason(drive, "capacity_bytes"), Some(AbsenceReason::NotReported));
    let zero = with(json!({"device": {"protocol": "ATA"}, "user_capacity": {"bytes": 0}}));
    assert_eq!(decode(&zero).unwrap()[0].findings.specs.capacity_bytes, None, "0 is no capacity either");
    let gigabytes = with(json!({"device": {"protocol": "ATA"}, "user_capacity": {"bytes": 4000}}));
    let drive = &decode(&gigabytes).unwrap()[0];
    assert_eq!(drive.findings.specs.capacity_bytes, None);
    assert_eq!(reason(drive, "capacity_bytes"), Some(AbsenceReason::Unbelievable), "another unit");
}

#[test]
fn packed_raw_values_are_refused_as_unbelievable() {
    let json = with(json!({
        "device": {"protocol": "ATA"}, "in_smartctl_database": true, "logical_block_size": 512,
        "power_on_time": {"hours": 115_594_749_838_557_u64},
        "ata_smart_attributes": {"table": [
            {"id": 241, "name": "Total_LBAs_Written", "raw": {"value": 133_145_034_776_000_u64}},
            {"id": 242, "name": "Host_Reads_32MiB", "raw": {"value": 1000}},
        ]},
    }));
    let drive = &decode(&json).unwrap()[0];
    assert_eq!(reason(drive, "power_on_hours"), Some(AbsenceReason::Unbelievable));
    assert_eq!(drive.findings.status.data_read_bytes, Some(1000 << 25));
    let young = with(json!({
        "device": {"protocol": "ATA"}, "in_smartctl_database": true, "power_on_time": {"hours": 2},
        "ata_smart_attributes": {"table": [
            {"id": 241, "name": "Total_LBAs_Written", "raw": {"value": 133_145_034_776_u64 << 8}},
        ]},
    }));
    let drive = &decode(&young).unwrap()[0];
    assert_eq!(drive.findings.status.data_written_bytes, None, "17 PB in two hours");
    assert_eq!(reason(drive, "data_written_bytes"), Some(AbsenceReason::Unbelievable));
}

#[test]
fn the_unit_of_an_attribute_is_a_guess_outside_the_database() {
    let json = with(json!({
        "device": {"protocol": "ATA"}, "in_smartctl_database": false,
        "ata_smart_attributes": {"table": [{"id": 241, "name": "Total_LBAs_Written", "raw": {"value": 5}}]},
    }));
    assert_eq!(reason(&decode(&json).unwrap()[0], "data_written_bytes"), Some(AbsenceReason::Unbelievable));
}

#[test]
fn a_device_that_could_not_be_opened_says_why() {
    let json = with(json!({"smartctl": {
        "exit_status": 2, "argv": ["smartctl", "/dev/sda"],
        "messages": [{"string": "Smartctl open device: /dev/sda failed: Permission denied", "severity": "error"}],
    }}));
    let drive = &decode(&json).unwrap()[0];
    assert_eq!(reason(drive, "capacity_bytes"), Some(AbsenceReason::PermissionDenied));
    assert_eq!(drive.key.0, "device:/dev/sda");
}

#[test]
fn namespaces_are_components_of_their_own() {
    let json = with(json!({
        "device": {"protocol": "NVMe"}, "serial_number": "S1", "model_name": "M",
        "nvme_namespaces": [
            {"id": 1, "size": {"bytes": 1000}, "utilization": {"bytes": 1000}, "eui64": {"oui": 6_083_300, "ext_id": 7}},
            {"id": 2, "size": {"bytes": 1000}, "utilization": {"bytes": 300}},
        ],
    }));
    let parts = decode(&json).unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[1].kind, ComponentKind::Namespace);
    assert_eq!(parts[1].findings.status.used_bytes, None, "always full says nothing");
    assert_eq!(parts[1].findings.identity[0].value, "5cd2e40000000007");
    assert_eq!(parts[2].findings.status.used_bytes, Some(Bytes(300)));
    assert_eq!(parts[2].provided_by, [parts[0].key.clone()]);
}

#[test]
fn nobody_has_zero_degrees_behind_a_controller() {
    let json = with(json!({"device": {"protocol": "SCSI"}, "temperature": {"current": 0}}));
    assert_eq!(decode(&json).unwrap()[0].findings.status.temperature_celsius, None);
    let cold = with(json!({"device": {"protocol": "NVMe"}, "temperature": {"current": -273}}));
    assert_eq!(decode(&cold).unwrap()[0].findings.status.temperature_celsius, None);
}

#[test]
fn a_world_wide_name_is_put_together() {
    let json =
        with(json!({"device": {"protocol": "ATA"}, "wwn": {"naa": 5, "oui": 3152, "id": 367_686_061_u64}}));
    let identity = &decode(&json).unwrap()[0].findings.identity;
    assert_eq!((identity[0].kind, identity[0].value.as_str()), (EvidenceKind::Wwn, "5000c50015ea71ad"));
}

#[test]
fn other_json_is_refused() {
    for json in [json!({}), json!([]), json!(null), json!({"smartctl": {}, "json_format_version": [2, 0]})] {
        assert!(decode(&json).is_err(), "{json}");
    }
}

#[test]
fn what_is_no_count_is_unbelievable_and_says_what_stands_there() {
    let json = with(json!({
        "device": {"protocol": "NVMe", "name": "/dev/nvme0"}, "serial_number": 123_456, "model_name": [],
        "user_capacity": {"bytes": "1,000,204"}, "power_on_time": {"hours": -7}, "logical_block_size": 0,
        "nvme_smart_health_information_log": {"percentage_used": "5%", "data_units_written": "lots",
            "data_units_read": 0, "critical_warning": "0x04", "media_errors": -1, "available_spare": "99"},
    }));
    let drive = &decode(&json).unwrap()[0];
    for (field, said) in [
        ("serial", "123456"),
        ("model", "[]"),
        ("capacity_bytes", "1,000,204"),
        ("logical_block_bytes", "0"),
        ("power_on_hours", "-7"),
        ("endurance_used_percent", "5%"),
        ("data_written_bytes", "lots"),
        ("critical_warning", "0x04"),
        ("media_errors", "-1"),
    ] {
        let absence = drive.absences().into_iter().find(|absence| absence.field.0 == field).expect(field);
        assert_eq!(absence.reason, AbsenceReason::Unbelievable, "{field}");
        assert!(absence.detail.as_ref().unwrap().contains(said), "{absence:?}");
    }
    assert_eq!(reason(drive, "data_read_bytes"), Some(AbsenceReason::NotReported));
    assert_eq!(drive.findings.status.spare_percent, Some(99), "a number may be written as text");
}

#[test]
fn statistics_beyond_belief_are_absent_and_no_block_size_makes_them_zero() {
    let json = with(json!({
        "device": {"protocol": "ATA"}, "logical_block_size": 0,
        "ata_device_statistics": {"pages": [{"number": 1, "table": [
            {"offset": 16, "value": 99_999_999_999_999_u64, "flags": {"valid": true}},
            {"offset": 24, "value": 1_000, "flags": {"valid": true}},
        ]}]},
    }));
    let drive = &decode(&json).unwrap()[0];
    for field in ["power_on_hours", "data_written_bytes"] {
        assert_eq!(reason(drive, field), Some(AbsenceReason::Unbelievable), "{field}");
    }
    assert_eq!(drive.findings.status.data_written_bytes, None);
}

#[test]
fn drives_behind_one_controller_are_told_apart() {
    let read = |device: Value| {
        let part = decode(&with(device)).unwrap().swap_remove(0);
        (part.key.0, part.label)
    };
    let (one, label) =
        read(json!({"device": {"name": "/dev/bus/0", "type": "megaraid,7", "protocol": "SCSI"}}));
    let (other, _) =
        read(json!({"device": {"name": "/dev/bus/0", "type": "megaraid,8", "protocol": "SCSI"}}));
    assert_ne!(one, other);
    assert_eq!(label.as_deref(), Some("/dev/bus/0 megaraid,7"));
    let (closed, _) = read(json!({"smartctl": {"exit_status": 2,
        "argv": ["smartctl", "-j", "-d", "megaraid,5", "/dev/bus/0"]}}));
    assert_eq!(closed, "device:/dev/bus/0 megaraid,5");
    let (plain, _) = read(json!({"device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"}}));
    assert_eq!(plain, "device:/dev/sda");
}
