//! Redfish and Swordfish: drives, volumes and storage pools of arrays and servers.
//!
//! Property names: DMTF schema bundle (Drive, Volume, Storage, SimpleStorage, Capacity) and SNIA Swordfish
//! (StoragePool, CapacitySource). Vendors deviate, so everything is looked for and nothing is demanded. A resource is
//! told in its own file; what provides its space is followed by `redfish_tree`.

use headroom_core::unit::{AbsenceReason, CapacitySource, ComponentKey, ComponentKind, EvidenceKind};
use serde_json::Value;

use super::{DecodeError, Findings, Part, findings::DRIVE_BYTES_MIN, number::Number};

/// Whether the JSON is a Redfish resource.
pub fn is_redfish(json: &Value) -> bool {
    ["@odata.id", "@odata.type", "@odata.context"]
        .iter()
        .any(|key| json.get(key).is_some_and(Value::is_string))
}

/// The type of a resource without version, as in `#Drive.v1_22_0.Drive`; `None` where it has none.
pub fn resource_type(json: &Value) -> Option<&str> {
    let full = json.get("@odata.type")?.as_str()?;
    full.rsplit('.').next().map(|name| name.trim_start_matches('#'))
}

/// The id of a resource as a key: one form for the spellings of vendors (doubled roots, trailing slashes).
pub fn normal_id(id: &str) -> String {
    let mut id = id.split('#').next().unwrap_or("").trim_end_matches('/');
    while let Some(rest) = id.strip_prefix("/redfish/v1").filter(|rest| rest.starts_with("/redfish/v1")) {
        id = rest;
    }
    id.to_owned()
}

/// Where a service puts resources inside another one when it is asked with `$expand`.
const EXPANDED: [&str; 5] = ["Members", "Drives", "Volumes", "StoragePools", "Controllers"];

/// The resource, and those that stand whole inside it.
pub fn resources(json: &Value) -> Vec<&Value> {
    let mut found = vec![json];
    let mut next = 0;
    while let Some(outer) = found.get(next).copied() {
        next += 1;
        for inner in EXPANDED.iter().filter_map(|name| outer.get(name)) {
            let inner = match inner {
                Value::Array(items) => items.iter().collect(),
                one => vec![one],
            };
            found.extend(inner.into_iter().filter(|inner| resource_type(inner).is_some()));
        }
    }
    found
}

/// Decodes one resource: the components that it tells of, none for resources that are no storage.
///
/// # Errors
/// [`DecodeError`] where it is no Redfish resource.
pub fn decode(json: &Value) -> Result<Vec<Part>, DecodeError> {
    if !is_redfish(json) {
        return Err(DecodeError::BadText {
            page: "Redfish resource",
            offset: 0,
            length: 0,
            what: "it has no @odata.id, @odata.type or @odata.context: another program wrote it".to_owned(),
        });
    }
    let parts = match resource_type(json) {
        Some("Drive") => vec![part(ComponentKind::Drive, json, drive(json))],
        Some("Volume") => vec![part(ComponentKind::Volume, json, volume(json))],
        Some("StoragePool") => vec![part(ComponentKind::Pool, json, pool(json))],
        Some("StorageController") => vec![part(ComponentKind::Controller, json, controller(json))],
        Some("Storage") => controllers(json),
        Some("SimpleStorage") => devices(json),
        _ => Vec::new(),
    };
    Ok(parts)
}

fn part(kind: ComponentKind, json: &Value, findings: Findings) -> Part {
    let id = json.get("@odata.id").and_then(Value::as_str).map(normal_id);
    let mut part = Part::new(kind, findings, "redfish:unnamed");
    // Links between resources name ids, so the id is the key.
    if let Some(id) = id {
        part.key = ComponentKey(format!("redfish:{id}"));
    }
    part.label = json.get("Name").and_then(Value::as_str).map(str::to_owned);
    part
}

fn text(json: &Value, field: &str) -> Option<String> {
    let text = json.get(field)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn bytes(found: &mut Findings, json: &Value, pointer: &str, field: &'static str) -> Option<u128> {
    let name = pointer.trim_start_matches('/').replace('/', ".");
    match Number::of(json.pointer(pointer)) {
        Number::Whole(whole) if whole >= 0 => u128::try_from(whole).ok(),
        Number::Missing => None,
        Number::Whole(whole) => {
            found.absent(field, AbsenceReason::Unbelievable, format!("Redfish {name} is {whole}"));
            None
        }
        Number::Bad(what) => {
            found.absent(field, AbsenceReason::Unbelievable, format!("Redfish {name} is {what:?}"));
            None
        }
    }
}

fn describe(json: &Value, found: &mut Findings) {
    found.specs.vendor = text(json, "Manufacturer");
    found.specs.model = text(json, "Model");
    found.specs.serial = text(json, "SerialNumber");
    found.specs.firmware = text(json, "Revision").or_else(|| text(json, "FirmwareVersion"));
    let named = [
        ("vendor", found.specs.vendor.is_some()),
        ("model", found.specs.model.is_some()),
        ("serial", found.specs.serial.is_some()),
        ("firmware", found.specs.firmware.is_some()),
    ];
    for (field, is_there) in named {
        if is_there {
            found.source(field, "Redfish");
        }
    }
    for identifier in json.get("Identifiers").and_then(Value::as_array).into_iter().flatten() {
        let (Some(format), Some(name)) =
            (text(identifier, "DurableNameFormat"), text(identifier, "DurableName"))
        else {
            continue;
        };
        let plain: String =
            name.chars().filter(|c| !matches!(c, ':' | '-')).collect::<String>().to_lowercase();
        let is_hexadecimal = plain.chars().all(|c| c.is_ascii_hexdigit());
        match format.as_str() {
            "NAA" | "FC_WWN" if is_hexadecimal && matches!(plain.len(), 16 | 32) => {
                found.evidence(EvidenceKind::Naa, &plain);
            }
            "EUI" if is_hexadecimal && plain.len() == 16 => found.evidence(EvidenceKind::Eui64, &plain),
            "NGUID" if is_hexadecimal && plain.len() == 32 => found.evidence(EvidenceKind::Nguid, &plain),
            "UUID" if is_hexadecimal && plain.len() == 32 => {
                found.evidence(EvidenceKind::Uuid, &name.to_lowercase())
            }
            _ => {}
        }
    }
    let (vendor, model, serial) =
        (found.specs.vendor.clone(), found.specs.model.clone(), found.specs.serial.clone());
    found.model_and_serial(vendor.as_deref(), model.as_deref(), serial.as_deref());
}

fn block_size(json: &Value, found: &mut Findings) {
    // Some emulators write the size of the volume here.
    match Number::of(json.get("BlockSizeBytes")) {
        Number::Whole(block @ 256..=16_777_216) => {
            found.specs.logical_block_bytes = u32::try_from(block).ok();
            found.source("logical_block_bytes", "Redfish BlockSizeBytes");
        }
        Number::Missing => {}
        other => found.absent(
            "logical_block_bytes",
            AbsenceReason::Unbelievable,
            format!("Redfish BlockSizeBytes is {other:?}"),
        ),
    }
}

/// A share from 0 to 100, as a number or, from some vendors, as text; what stands there where it is none.
fn percent(json: &Value, name: &str) -> Result<Option<f64>, String> {
    let Some(value) = json.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    match number.filter(|number| (0.0..=100.0).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("Redfish {name} is {value}, which is no share of a hundred")),
    }
}

fn is_absent(json: &Value) -> bool {
    json.pointer("/Status/State").and_then(Value::as_str) == Some("Absent")
}

fn drive(json: &Value) -> Findings {
    let mut found = Findings::default();
    describe(json, &mut found);
    if is_absent(json) {
        for field in ["capacity_bytes", "used_bytes"] {
            found.absent(
                field,
                AbsenceReason::NotReported,
                "Redfish says that the bay is empty (Status.State Absent)",
            );
        }
        return found;
    }
    match bytes(&mut found, json, "/CapacityBytes", "capacity_bytes").filter(|bytes| *bytes > 0) {
        Some(size) if size < DRIVE_BYTES_MIN => {
            let detail = format!("Redfish CapacityBytes is {size}: another unit than bytes");
            found.absent("capacity_bytes", AbsenceReason::Unbelievable, detail);
        }
        Some(size) => {
            found.specs.capacity_bytes = found.bytes("capacity_bytes", size, "Redfish Drive.CapacityBytes");
        }
        None => {
            found.absent("capacity_bytes", AbsenceReason::NotReported, "Redfish Drive has no CapacityBytes")
        }
    }
    block_size(json, &mut found);
    let rotation =
        Number::of(json.get("RotationSpeedRPM")).unsigned().and_then(|rate| u32::try_from(rate).ok());
    found.specs.rotation_rpm = match (text(json, "MediaType").as_deref(), rotation) {
        (Some("SSD"), _) => Some(0),
        (_, Some(rate)) if rate > 0 => Some(rate),
        _ => None,
    };
    match found.specs.rotation_rpm {
        Some(_) => found.source("rotation_rpm", "Redfish MediaType or RotationSpeedRPM"),
        None => found.absent("rotation_rpm", AbsenceReason::NotReported, "Redfish tells no rotation speed"),
    }
    found.specs.interface = text(json, "Protocol").map(|protocol| match protocol.as_str() {
        "NVMe" | "NVMeOverFabrics" => "nvme".to_owned(),
        "SATA" => "sata".to_owned(),
        "SAS" | "FC" | "iSCSI" => "scsi".to_owned(),
        other => other.to_lowercase(),
    });
    match percent(json, "PredictedMediaLifeLeftPercent") {
        Ok(Some(left)) => {
            found.status.endurance_used_percent = Some((100.0 - left).round() as u16);
            found.source("endurance_used_percent", "Redfish 100 - PredictedMediaLifeLeftPercent");
        }
        Err(said) => found.absent("endurance_used_percent", AbsenceReason::Unbelievable, said),
        Ok(None) => found.absent(
            "endurance_used_percent",
            AbsenceReason::NotReported,
            "Redfish Drive has no PredictedMediaLifeLeftPercent",
        ),
    }
    found.absent(
        "used_bytes",
        AbsenceReason::Unsupported,
        "a drive does not know what is spent: its pool does",
    );
    found
}

fn volume(json: &Value) -> Findings {
    let mut found = Findings::default();
    describe(json, &mut found);
    block_size(json, &mut found);
    found.specs.format = text(json, "RAIDType").or_else(|| text(json, "VolumeType"));
    let provisioning = text(json, "ProvisioningPolicy");
    found.specs.thin = match (provisioning.as_deref(), json.pointer("/Capacity/IsThinProvisioned")) {
        (Some("Thin"), _) | (_, Some(Value::Bool(true))) => Some(true),
        (Some("Fixed"), _) | (_, Some(Value::Bool(false))) => Some(false),
        _ => None,
    };
    space(
        json,
        &mut found,
        &["/CapacityBytes", "/Capacity/Data/ProvisionedBytes", "/Capacity/Data/AllocatedBytes"],
    );
    found
}

fn pool(json: &Value) -> Findings {
    let mut found = Findings::default();
    describe(json, &mut found);
    let raid = json.get("SupportedRAIDTypes").and_then(Value::as_array).and_then(|types| types.first());
    found.specs.format = raid.and_then(Value::as_str).map(str::to_owned);
    space(json, &mut found, &["/Capacity/Data/AllocatedBytes", "/Capacity/Data/ProvisionedBytes"]);
    found
}

/// Size from the first of `sizes` that is there, spent from `ConsumedBytes`, checked against the percentage left.
fn space(json: &Value, found: &mut Findings, sizes: &[&'static str]) {
    let size = sizes.iter().find_map(|pointer| {
        Some((*pointer, bytes(found, json, pointer, "capacity_bytes").filter(|b| *b > 0)?))
    });
    match size {
        Some((pointer, size)) => {
            let source = format!("Redfish {}", pointer.trim_start_matches('/').replace('/', "."));
            found.specs.capacity_bytes = found.bytes("capacity_bytes", size, &source);
            found.status.capacity_bytes = found.specs.capacity_bytes;
        }
        None => found.absent("capacity_bytes", AbsenceReason::NotReported, "Redfish tells no size in bytes"),
    }
    let size = size.map(|(_, size)| size);
    let left = percent(json, "RemainingCapacityPercent").unwrap_or_else(|said| {
        found.disagreements.push(format!("used_bytes: {said}"));
        None
    });
    match bytes(found, json, "/Capacity/Data/ConsumedBytes", "used_bytes") {
        Some(used) if size.is_some_and(|size| used > size) => {
            let detail = format!("Redfish Capacity.Data.ConsumedBytes is {used}, more than the size");
            found.absent("used_bytes", AbsenceReason::Unbelievable, detail);
        }
        Some(used) => {
            found.status.used_bytes = found.bytes("used_bytes", used, "Redfish Capacity.Data.ConsumedBytes");
            found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::ArrayPool);
            // The percentage is rounded down, so one unit of difference means nothing.
            if let (Some(left), Some(size)) = (left, size) {
                let computed = 100.0 * (1.0 - used as f64 / size as f64);
                if (computed - left).abs() > 1.5 {
                    found.disagreements.push(format!(
                        "used_bytes: ConsumedBytes leaves {computed:.1} %, RemainingCapacityPercent says {left} %"
                    ));
                }
            }
        }
        None => {
            let detail = match left {
                Some(left) => format!("Redfish tells only a rounded share, {left} % left, and no bytes"),
                None => "Redfish tells no Capacity.Data.ConsumedBytes".to_owned(),
            };
            found.absent("used_bytes", AbsenceReason::NotReported, detail);
        }
    }
    let metadata = (
        bytes(found, json, "/Capacity/Metadata/AllocatedBytes", "metadata_capacity_bytes"),
        bytes(found, json, "/Capacity/Metadata/ConsumedBytes", "metadata_used_bytes"),
    );
    if let (Some(size), Some(used)) = metadata
        && used <= size
        && size > 0
    {
        found.status.metadata_capacity_bytes =
            found.bytes("metadata_capacity_bytes", size, "Redfish Capacity.Metadata.AllocatedBytes");
        found.status.metadata_used_bytes =
            found.bytes("metadata_used_bytes", used, "Redfish Capacity.Metadata.ConsumedBytes");
    }
    statistics(json, found);
}

/// Counters of `IOStatistics`; its times are not used, because arrays write them in forms of their own.
fn statistics(json: &Value, found: &mut Findings) {
    let Some(statistics) = json.get("IOStatistics") else { return };
    let count = |name: &str| Number::of(statistics.get(name)).unsigned();
    let source = "Redfish IOStatistics";
    if let Some(kibibytes) = count("ReadIOKiBytes") {
        found.status.read_bytes = found.bytes("read_bytes", kibibytes.saturating_mul(1024), source);
    }
    if let Some(kibibytes) = count("WriteIOKiBytes") {
        found.status.write_bytes = found.bytes("write_bytes", kibibytes.saturating_mul(1024), source);
    }
    if let Some(requests) = count("ReadIORequests") {
        found.status.read_ops = found.counter("read_ops", requests, source);
    }
    if let Some(requests) = count("WriteIORequests") {
        found.status.write_ops = found.counter("write_ops", requests, source);
    }
}

fn controller(json: &Value) -> Findings {
    let mut found = Findings::default();
    describe(json, &mut found);
    found.absent("capacity_bytes", AbsenceReason::Unsupported, "a controller has no space of its own");
    found
}

/// The controllers that an older Storage resource holds inside.
fn controllers(json: &Value) -> Vec<Part> {
    let inside = json.get("StorageControllers").and_then(Value::as_array);
    inside
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, one)| {
            let mut part = part(ComponentKind::Controller, one, controller(one));
            if let Some(id) = json.get("@odata.id").and_then(Value::as_str) {
                part.key = ComponentKey(format!("redfish:{}/controller:{index}", normal_id(id)));
            }
            part
        })
        .collect()
}

/// The devices that a SimpleStorage resource lists.
fn devices(json: &Value) -> Vec<Part> {
    let id = json.get("@odata.id").and_then(Value::as_str).map(normal_id).unwrap_or_default();
    let listed = json.get("Devices").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, one)| {
            let mut part = part(ComponentKind::Drive, one, drive(one));
            part.key = ComponentKey(format!("redfish:{id}/device:{index}"));
            part
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use headroom_core::{quantity::Bytes, unit::AbsenceReason};
    use serde_json::json;

    use super::{decode, normal_id, resource_type};

    #[test]
    fn a_volume_with_consumed_bytes_has_spent_capacity() {
        let json = json!({"@odata.type": "#Volume.v1_10_2.Volume", "@odata.id": "/redfish/v1/V/1",
            "CapacityBytes": 53_687_091_200_u64, "Capacity": {"Data": {"ConsumedBytes": 21_474_836_480_u64}}});
        let part = &decode(&json).unwrap()[0];
        assert_eq!(part.findings.status.used_bytes, Some(Bytes(21_474_836_480)));
        assert_eq!(part.key.0, "redfish:/redfish/v1/V/1");
    }

    #[test]
    fn figures_in_other_units_are_unbelievable() {
        let json = json!({"@odata.type": "#Drive.v1_17_0.Drive", "CapacityBytes": 1600, "BlockSizeBytes": 10_737_418_240_u64,
            "PredictedMediaLifeLeftPercent": 98.0});
        let found = &decode(&json).unwrap()[0].findings;
        assert_eq!(found.specs.capacity_bytes, None);
        assert!(found.missing.iter().filter(|m| m.reason == AbsenceReason::Unbelievable).count() >= 2);
        assert_eq!(found.status.endurance_used_percent, Some(2));
        for (left, used) in [(json!("98"), Some(2)), (json!("98 %"), None), (json!(-1), None)] {
            let json = json!({"@odata.type": "#Drive.v1_17_0.Drive", "PredictedMediaLifeLeftPercent": left});
            let found = &decode(&json).unwrap()[0].findings;
            assert_eq!(found.status.endurance_used_percent, used, "{left}");
            let missing = found.missing.iter().find(|missing| missing.field == "endurance_used_percent");
            assert_eq!(
                missing.map(|missing| missing.reason),
                used.is_none().then_some(AbsenceReason::Unbelievable)
            );
        }
    }

    #[test]
    fn percent_and_bytes_that_disagree_are_both_told() {
        let json = json!({"@odata.type": "#StoragePool.v1_5_0.StoragePool", "RemainingCapacityPercent": 99,
            "Capacity": {"Data": {"AllocatedBytes": 1000, "ConsumedBytes": 900}}});
        assert_eq!(decode(&json).unwrap()[0].findings.disagreements.len(), 1);
        let over = json!({"@odata.type": "#StoragePool.v1_5_0.StoragePool",
            "Capacity": {"Data": {"AllocatedBytes": 1000, "ConsumedBytes": 1001}}});
        assert_eq!(decode(&over).unwrap()[0].findings.status.used_bytes, None);
    }

    #[test]
    fn what_is_no_storage_has_no_component() {
        assert!(decode(&json!({"@odata.type": "#Fan.v1_6_0.Fan"})).unwrap().is_empty());
        assert!(decode(&json!({"fan": 1})).is_err());
        assert_eq!(
            resource_type(&json!({"@odata.type": "#DriveCollection.DriveCollection"})),
            Some("DriveCollection")
        );
        assert_eq!(
            normal_id("/redfish/v1/redfish/v1/Storage/a/#/CapacitySources/0"),
            "/redfish/v1/Storage/a"
        );
    }
}
