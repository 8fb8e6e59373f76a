//! `smartctl --json` output: drives behind RAID controllers, USB bridges and in old fleets.
//!
//! Field names: smartmontools 7.0 to 7.5, as seen in its output for some two hundred drives. What the drive did not
//! say is absent: above all the capacity of NVMe drives with several namespaces, which smartctl leaves out.

use headroom_core::unit::{AbsenceReason, ComponentKey, ComponentKind, EvidenceKind};
use serde_json::Value;

use super::{
    DecodeError, Findings, Part,
    findings::DRIVE_BYTES_MIN,
    number::{Number, told},
    smartctl_wear::{TOOL, add_ata, add_nvme, add_scsi},
};

const PAGE: &str = "smartctl --json output";

/// Whether the JSON is smartctl's.
pub fn is_smartctl(json: &Value) -> bool {
    json.get("smartctl").is_some_and(Value::is_object) && json.get("json_format_version").is_some()
}

/// Decodes the output for one device, or a list of devices (`--scan`): one part for each device and namespace.
///
/// # Errors
/// [`DecodeError`] where it is not smartctl's or another version of its format.
pub fn decode(json: &Value) -> Result<Vec<Part>, DecodeError> {
    let bad = |what: &str| DecodeError::BadText { page: PAGE, offset: 0, length: 0, what: what.to_owned() };
    if !is_smartctl(json) {
        return Err(bad("it has neither smartctl nor json_format_version: another program wrote it"));
    }
    let version = json.get("json_format_version").and_then(Value::as_array);
    let major = version.and_then(|version| version.first()).and_then(Value::as_u64);
    if major != Some(1) {
        return Err(bad("its json_format_version is not 1.x"));
    }
    if let Some(devices) = json.get("devices").and_then(Value::as_array) {
        return Ok(devices.iter().map(scanned).collect());
    }
    let device = device(json);
    let otherwise = format!("device:{}", device.as_deref().unwrap_or("unnamed"));
    let mut drive = Part::new(ComponentKind::Drive, drive(json), &otherwise);
    drive.label = device;
    let mut parts = vec![drive];
    let drive_key = parts.first().map(|part| part.key.clone());
    if let (Some(namespaces), Some(key)) = (json.get("nvme_namespaces").and_then(Value::as_array), drive_key)
    {
        parts.extend(namespaces.iter().map(|one| namespace(one, &key)));
    }
    Ok(parts)
}

/// The device as its owner names it. All drives behind one controller are reached through one node: there the type tells
/// them apart, as in `/dev/bus/0 megaraid,7`.
fn device(json: &Value) -> Option<String> {
    let arguments: Vec<&str> = json
        .pointer("/smartctl/argv")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let name = json.pointer("/device/name").and_then(text);
    // A failed open has no device object: the last argument names it.
    let name = name.or_else(|| arguments.last().map(|last| (*last).to_owned()))?;
    let asked_as = arguments.windows(2).find(|pair| matches!(pair[0], "-d" | "--device")).map(|pair| pair[1]);
    let kind = json.pointer("/device/type").and_then(Value::as_str).or(asked_as);
    Some(match kind.filter(|kind| kind.contains(',')) {
        Some(kind) => format!("{name} {kind}"),
        None => name,
    })
}

/// One line of `smartctl --scan`: the device is there, and was not asked.
fn scanned(device: &Value) -> Part {
    let mut found = Findings::default();
    for field in ["capacity_bytes", "used_bytes", "model", "serial"] {
        found.absent(field, AbsenceReason::NotReported, "smartctl --scan lists devices without asking them");
    }
    if let Some(error) = device.get("open_error").and_then(Value::as_str) {
        found.missing.clear();
        found.absent(
            "capacity_bytes",
            AbsenceReason::Refused,
            format!("smartctl could not open it: {error}"),
        );
    }
    let name = device.get("name").and_then(Value::as_str).unwrap_or("unnamed");
    let kind = device.get("type").and_then(Value::as_str).unwrap_or("");
    let mut part = Part::new(ComponentKind::Drive, found, &format!("device:{name} {kind}"));
    part.label = Some(name.to_owned());
    part
}

fn drive(json: &Value) -> Findings {
    let mut found = Findings::default();
    let protocol = json.pointer("/device/protocol").and_then(Value::as_str).unwrap_or("");
    let is_open = !opening_failed(json, &mut found);
    if !is_open {
        return found;
    }
    found.specs.interface = match protocol {
        "NVMe" => Some("nvme".to_owned()),
        "ATA" => Some("sata".to_owned()),
        "SCSI" => Some("scsi".to_owned()),
        _ => None,
    };
    names(json, &mut found);
    capacity(json, protocol, &mut found);
    rotation(json, protocol, &mut found);
    identity(json, &mut found);
    match protocol {
        "NVMe" => add_nvme(json, &mut found),
        "SCSI" => add_scsi(json, &mut found),
        _ => add_ata(json, &mut found),
    }
    common_status(json, protocol, &mut found);
    found.absent(
        "used_bytes",
        AbsenceReason::Unsupported,
        "smartctl does not tell what is spent: the file system, pool or array above does",
    );
    found
}

/// Exit status bits 0 and 1: nothing could be asked. All figures are absent with smartctl's own words.
fn opening_failed(json: &Value, found: &mut Findings) -> bool {
    let status = Number::of(json.pointer("/smartctl/exit_status")).unsigned().unwrap_or(0);
    if status & 0b11 == 0 || json.get("model_name").is_some() || json.get("user_capacity").is_some() {
        return false;
    }
    let messages: Vec<&str> = json
        .pointer("/smartctl/messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("string").and_then(Value::as_str))
        .collect();
    let words = if messages.is_empty() { format!("exit status {status}") } else { messages.join("; ") };
    let lower = words.to_lowercase();
    let reason = if lower.contains("permission denied") || lower.contains("operation not permitted") {
        AbsenceReason::PermissionDenied
    } else if lower.contains("standby") || lower.contains("sleep") {
        AbsenceReason::Asleep
    } else {
        AbsenceReason::Refused
    };
    for field in
        ["capacity_bytes", "used_bytes", "model", "serial", "endurance_used_percent", "power_on_hours"]
    {
        found.absent(field, reason, format!("smartctl could not ask the device: {words}"));
    }
    true
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn first_text(json: &Value, fields: &[&str]) -> Option<String> {
    fields.iter().find_map(|field| json.get(field).and_then(text))
}

/// Where each name stands, the better place first.
const NAMES: [(&str, &[&str]); 3] = [
    ("model", &["model_name", "scsi_model_name", "scsi_product", "product"]),
    ("serial", &["serial_number"]),
    ("firmware", &["firmware_version", "scsi_revision", "revision"]),
];

fn names(json: &Value, found: &mut Findings) {
    found.specs.vendor = first_text(json, &["scsi_vendor", "vendor"]);
    for (field, places) in NAMES {
        let name = first_text(json, places);
        if name.is_some() {
            found.source(field, "smartctl");
        } else if let Some((place, other)) = places.iter().find_map(|place| {
            Some((place, json.get(place).filter(|value| !value.is_null() && !value.is_string())?))
        }) {
            // A number has lost the zeros that it began with.
            let detail = format!("smartctl {place} is {other}, not text");
            found.absent(field, AbsenceReason::Unbelievable, detail);
        } else {
            found.absent(field, AbsenceReason::NotReported, format!("smartctl has no {field}"));
        }
        match field {
            "model" => found.specs.model = name,
            "serial" => found.specs.serial = name,
            _ => found.specs.firmware = name,
        }
    }
}

/// Blocks that drives are formatted with, bytes.
const BLOCK_BYTES: std::ops::RangeInclusive<u128> = 256..=1 << 20;

fn capacity(json: &Value, protocol: &str, found: &mut Findings) {
    match told(found, "logical_block_bytes", TOOL, json, "/logical_block_size") {
        Some(block) if BLOCK_BYTES.contains(&block) => {
            found.specs.logical_block_bytes = u32::try_from(block).ok();
            found.source("logical_block_bytes", "smartctl logical_block_size");
        }
        Some(block) => {
            let detail = format!("smartctl logical_block_size is {block}: no drive has such blocks");
            found.absent("logical_block_bytes", AbsenceReason::Unbelievable, detail);
        }
        None => {}
    }
    for (pointer, source) in [
        ("/nvme_total_capacity", "smartctl nvme_total_capacity"),
        ("/user_capacity/bytes", "smartctl user_capacity"),
    ] {
        // smartctl itself leaves absent capacity out; other programs that imitate it write 0.
        let bytes = told(found, "capacity_bytes", TOOL, json, pointer).filter(|bytes| *bytes > 0);
        match bytes.filter(|_| found.specs.capacity_bytes.is_none()) {
            Some(bytes) if bytes < DRIVE_BYTES_MIN => {
                let detail = format!("{source} is {bytes}: another unit than bytes");
                found.absent("capacity_bytes", AbsenceReason::Unbelievable, detail);
            }
            Some(bytes) => found.specs.capacity_bytes = found.bytes("capacity_bytes", bytes, source),
            None => {}
        }
    }
    if found.specs.capacity_bytes.is_none() {
        let namespaces = Number::of(json.get("nvme_number_of_namespaces")).unsigned().unwrap_or(0);
        let detail = match protocol {
            "NVMe" if namespaces > 1 => {
                "smartctl gives no capacity for a controller that may have several namespaces: ask each namespace"
            }
            _ => "smartctl gives no capacity",
        };
        found.absent("capacity_bytes", AbsenceReason::NotReported, detail);
    }
    let counted =
        Number::of(json.pointer("/user_capacity/blocks")).unsigned().zip(found.specs.logical_block_bytes);
    if let (Some((blocks, block)), Some(bytes)) =
        (counted, Number::of(json.pointer("/user_capacity/bytes")).unsigned())
        && blocks.checked_mul(u128::from(block)) != Some(bytes)
    {
        found
            .disagreements
            .push(format!("capacity_bytes: {bytes} bytes, but {blocks} blocks of {block} bytes"));
    }
    if let Some(value) = json.pointer("/scsi_lb_provisioning/name").and_then(Value::as_str) {
        found.specs.thin = Some(value.contains("thin"));
        found.source("thin", "smartctl scsi_lb_provisioning");
    }
}

fn rotation(json: &Value, protocol: &str, found: &mut Findings) {
    match told(found, "rotation_rpm", TOOL, json, "/rotation_rate") {
        Some(rate @ 0..=100_000) => {
            found.specs.rotation_rpm = u32::try_from(rate).ok();
            found.source("rotation_rpm", "smartctl rotation_rate");
        }
        Some(rate) => {
            let detail = format!("smartctl rotation_rate is {rate}: nothing turns so fast");
            found.absent("rotation_rpm", AbsenceReason::Unbelievable, detail);
        }
        None if protocol == "NVMe" => {
            found.specs.rotation_rpm = Some(0);
            found.source("rotation_rpm", "NVMe drives do not rotate");
        }
        None => found.absent("rotation_rpm", AbsenceReason::NotReported, "smartctl has no rotation rate"),
    }
}

fn identity(json: &Value, found: &mut Findings) {
    let number = |pointer| Number::of(json.pointer(pointer)).unsigned().and_then(|n| u64::try_from(n).ok());
    if let (Some(naa), Some(oui), Some(id)) = (number("/wwn/naa"), number("/wwn/oui"), number("/wwn/id"))
        && naa < 16
        && oui < 1 << 24
        && id < 1 << 36
    {
        found.evidence(EvidenceKind::Wwn, &format!("{:016x}", naa << 60 | oui << 36 | id));
    }
    if let Some(unit) = json.get("logical_unit_id").and_then(Value::as_str) {
        let digits = unit.trim_start_matches("0x");
        if digits.chars().all(|c| c.is_ascii_hexdigit()) && matches!(digits.len(), 16 | 32) {
            found.evidence(EvidenceKind::Naa, &digits.to_lowercase());
        }
    }
    let (vendor, model, serial) =
        (found.specs.vendor.clone(), found.specs.model.clone(), found.specs.serial.clone());
    found.model_and_serial(vendor.as_deref(), model.as_deref(), serial.as_deref());
}

/// What smartctl tells alike for every protocol.
fn common_status(json: &Value, protocol: &str, found: &mut Findings) {
    if found.status.temperature_celsius.is_none() {
        match Number::of(json.pointer("/temperature/current")) {
            // Controllers and bridges that cannot ask the drive write 0, nvmet 0 K: no drive runs so cold.
            Number::Whole(0) if protocol != "NVMe" => found.absent(
                "temperature_celsius",
                AbsenceReason::NotReported,
                "smartctl says 0 °C, which controllers write where they have no reading",
            ),
            Number::Whole(celsius) if celsius <= -273 => {
                found.absent("temperature_celsius", AbsenceReason::NotReported, "smartctl says 0 K");
            }
            Number::Whole(celsius) => {
                found.temperature(i64::try_from(celsius).unwrap_or(i64::MAX), "smartctl temperature.current");
            }
            Number::Missing => {
                found.absent(
                    "temperature_celsius",
                    AbsenceReason::NotReported,
                    "smartctl has no temperature",
                );
            }
            Number::Bad(what) => {
                found.absent(
                    "temperature_celsius",
                    AbsenceReason::Unbelievable,
                    format!("smartctl says {what}"),
                );
            }
        }
    }
    if found.status.power_on_hours.is_none() {
        match told(found, "power_on_hours", TOOL, json, "/power_on_time/hours") {
            Some(hours) if hours <= 876_600 => {
                found.status.power_on_hours =
                    found.counter("power_on_hours", hours, "smartctl power_on_time");
            }
            Some(hours) => {
                let detail = format!("smartctl says {hours} hours: several figures packed into one");
                found.absent("power_on_hours", AbsenceReason::Unbelievable, detail);
            }
            None => {
                found.absent("power_on_hours", AbsenceReason::NotReported, "smartctl has no power-on time")
            }
        }
    }
    for (pointer, field) in [
        ("/endurance_used/current_percent", "endurance_used_percent"),
        ("/spare_available/current_percent", "spare_percent"),
    ] {
        let Some(percent) = told(found, field, TOOL, json, pointer) else { continue };
        if found.sources.contains_key(field) {
            continue;
        }
        let source = format!("smartctl {}", pointer.trim_start_matches('/').replace('/', "."));
        let percent = found.counter(field, percent, &source);
        match field {
            "spare_percent" => {
                found.status.spare_percent = percent.and_then(|percent| percent.try_into().ok())
            }
            _ => found.status.endurance_used_percent = percent.and_then(|percent| percent.try_into().ok()),
        }
    }
}

/// An entry of `nvme_namespaces`.
fn namespace(json: &Value, drive: &ComponentKey) -> Part {
    let mut found = Findings::default();
    found.specs.interface = Some("nvme".to_owned());
    let id = Number::of(json.get("id")).unsigned().unwrap_or(0);
    let size = told(&mut found, "capacity_bytes", TOOL, json, "/size/bytes");
    match size.filter(|bytes| *bytes > 0) {
        Some(size) => {
            found.specs.capacity_bytes = found.bytes("capacity_bytes", size, "smartctl nvme_namespaces size");
            found.status.capacity_bytes = found.specs.capacity_bytes;
        }
        None => {
            found.absent("capacity_bytes", AbsenceReason::NotReported, "smartctl gives the namespace no size")
        }
    }
    let block = told(&mut found, "logical_block_bytes", TOOL, json, "/formatted_lba_size");
    let block = block.filter(|block| BLOCK_BYTES.contains(block)).and_then(|block| u32::try_from(block).ok());
    found.specs.logical_block_bytes = block;
    let used = told(&mut found, "used_bytes", TOOL, json, "/utilization/bytes");
    match (size, used) {
        (Some(size), Some(used)) if used < size => {
            let source = "smartctl nvme_namespaces utilization (NUSE, below NSZE)";
            found.status.used_bytes = found.bytes("used_bytes", used, source);
            found.status.used_source =
                found.status.used_bytes.map(|_| headroom_core::unit::CapacitySource::NvmeNuse);
        }
        (Some(size), Some(used)) if used > size => {
            let detail = format!("smartctl says {used} of {size} bytes are used");
            found.absent("used_bytes", AbsenceReason::Unbelievable, detail);
        }
        (Some(_), Some(_)) => found.absent(
            "used_bytes",
            AbsenceReason::NotReported,
            "utilization equals size: the drive does not track what is spent",
        ),
        _ => found.absent(
            "used_bytes",
            AbsenceReason::NotReported,
            "smartctl gives the namespace no utilization",
        ),
    }
    let number = |pointer| Number::of(json.pointer(pointer)).unsigned().and_then(|n| u64::try_from(n).ok());
    if let (Some(oui), Some(id)) = (number("/eui64/oui"), number("/eui64/ext_id"))
        && oui < 1 << 24
        && id < 1 << 40
    {
        found.evidence(EvidenceKind::Eui64, &format!("{:016x}", oui << 40 | id));
    }
    let mut part = Part::new(ComponentKind::Namespace, found, &format!("{}/namespace:{id}", drive.0));
    part.provided_by.push(drive.clone());
    part
}

#[cfg(test)]
#[path = "smartctl_tests.rs"]
mod tests;
