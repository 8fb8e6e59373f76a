//! The parts of `smartctl --json` that differ by protocol: the NVMe health log, ATA attributes and statistics, SCSI
//! error counters.

use headroom_core::unit::AbsenceReason;
use serde_json::Value;

use super::{Findings, number::Number, nvme_smart::DATA_UNIT_BYTES};

/// The fastest that any drive writes, bytes an hour: 20 GB/s all the time. More was never written.
const BYTES_PER_HOUR_MAX: u128 = 20_000_000_000 * 3600;

fn unsigned(json: &Value, pointer: &str) -> Option<u128> {
    Number::of(json.pointer(pointer)).unsigned()
}

/// NVMe: the health log (page 02h) as smartctl writes it.
pub(super) fn add_nvme(json: &Value, found: &mut Findings) {
    let Some(log) = json.get("nvme_smart_health_information_log") else {
        for field in ["endurance_used_percent", "data_written_bytes", "spare_percent"] {
            found.absent(field, AbsenceReason::NotReported, "smartctl has no NVMe health log");
        }
        return;
    };
    let field = |name: &str| unsigned(log, &format!("/{name}"));
    if let Some(warning) = field("critical_warning").and_then(|warning| u8::try_from(warning).ok()) {
        found.status.critical_warning = Some(warning);
        found.source("critical_warning", "smartctl NVMe health log");
    }
    match field("percentage_used") {
        Some(percent @ 0..=255) => {
            found.status.endurance_used_percent = u16::try_from(percent).ok();
            found.source("endurance_used_percent", "smartctl NVMe health log percentage_used");
        }
        Some(percent) => {
            found.absent("endurance_used_percent", AbsenceReason::Unbelievable, format!("{percent} %"))
        }
        None => {
            found.absent("endurance_used_percent", AbsenceReason::NotReported, "not in the NVMe health log")
        }
    }
    match (field("available_spare"), field("available_spare_threshold")) {
        (Some(0), Some(0)) if found.status.critical_warning.unwrap_or(0) & 1 == 0 => {
            found.absent(
                "spare_percent",
                AbsenceReason::NotReported,
                "spare and threshold are 0 without a warning",
            );
        }
        (Some(percent @ 0..=100), _) => {
            found.status.spare_percent = u8::try_from(percent).ok();
            found.source("spare_percent", "smartctl NVMe health log available_spare");
        }
        (Some(percent), _) => {
            found.absent("spare_percent", AbsenceReason::Unbelievable, format!("{percent} %"))
        }
        (None, _) => found.absent("spare_percent", AbsenceReason::NotReported, "not in the NVMe health log"),
    }
    let units = |found: &mut Findings, name: &'static str, into: &'static str| match field(name) {
        Some(units) if units > 0 => found.counter(
            into,
            units.saturating_mul(DATA_UNIT_BYTES),
            "smartctl NVMe health log, times 512,000",
        ),
        _ => {
            found.absent(into, AbsenceReason::NotReported, "0 data units mean \"not reported\"");
            None
        }
    };
    found.status.data_read_bytes = units(found, "data_units_read", "data_read_bytes");
    found.status.data_written_bytes = units(found, "data_units_written", "data_written_bytes");
    match field("media_errors") {
        Some(errors) => {
            found.status.media_errors =
                found.counter("media_errors", errors, "smartctl NVMe health log media_errors");
        }
        None => found.absent("media_errors", AbsenceReason::NotReported, "not in the NVMe health log"),
    }
}

/// SCSI: error counter pages and the endurance page.
pub(super) fn add_scsi(json: &Value, found: &mut Findings) {
    // Gigabytes are thousand millions of bytes, written as text with three decimals.
    let gigabytes = |direction: &str| -> Option<u128> {
        let value = json.pointer(&format!("/scsi_error_counter_log/{direction}/gigabytes_processed"))?;
        let amount = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        (amount.is_finite() && (0.0..1e12).contains(&amount)).then_some((amount * 1e9) as u128)
    };
    for (direction, field) in [("read", "data_read_bytes"), ("write", "data_written_bytes")] {
        let Some(bytes) = gigabytes(direction) else {
            found.absent(field, AbsenceReason::NotReported, "smartctl has no SCSI error counter log for it");
            continue;
        };
        let value = found.counter(field, bytes, "smartctl SCSI error counter log gigabytes_processed");
        match direction {
            "read" => found.status.data_read_bytes = value,
            _ => found.status.data_written_bytes = value,
        }
    }
    if let Some(errors) = unsigned(json, "/scsi_error_counter_log/read/total_uncorrected_errors") {
        let source = "smartctl SCSI error counter log, read, total_uncorrected_errors";
        found.status.media_errors = found.counter("media_errors", errors, source);
    }
    match unsigned(json, "/scsi_percentage_used_endurance_indicator") {
        Some(percent @ 0..=255) => {
            found.status.endurance_used_percent = u16::try_from(percent).ok();
            found.source("endurance_used_percent", "smartctl scsi_percentage_used_endurance_indicator");
        }
        _ => found.absent(
            "endurance_used_percent",
            AbsenceReason::NotReported,
            "smartctl has no SCSI endurance page",
        ),
    }
}

/// ATA: device statistics where they are, and the few attributes whose unit their name tells.
pub(super) fn add_ata(json: &Value, found: &mut Findings) {
    statistics(json, found);
    let attributes: Vec<&Value> =
        json.pointer("/ata_smart_attributes/table").and_then(Value::as_array).into_iter().flatten().collect();
    let hours = unsigned(json, "/power_on_time/hours");
    for (field, names) in [
        (
            "data_written_bytes",
            ["Host_Writes_32MiB", "Total_LBAs_Written", "Lifetime_Writes_GiB", "Host_Writes_GiB"],
        ),
        ("data_read_bytes", ["Host_Reads_32MiB", "Total_LBAs_Read", "Lifetime_Reads_GiB", "Host_Reads_GiB"]),
    ] {
        if found.sources.contains_key(field) {
            continue;
        }
        let named = attributes.iter().find_map(|attribute| {
            let name = attribute.get("name")?.as_str()?;
            names.contains(&name).then_some((name, unsigned(attribute, "/raw/value")?))
        });
        let Some((name, raw)) = named else {
            let detail = "no ATA attribute whose name tells its unit, and no device statistics";
            found.absent(field, AbsenceReason::NotReported, detail);
            continue;
        };
        let value = transferred(json, found, field, name, raw, hours);
        match field {
            "data_written_bytes" => found.status.data_written_bytes = value,
            _ => found.status.data_read_bytes = value,
        }
    }
    if !found.sources.contains_key("endurance_used_percent") {
        found.absent(
            "endurance_used_percent",
            AbsenceReason::NotReported,
            "ATA attributes of wear mean something else at each maker, and there are no device statistics",
        );
    }
}

/// Bytes from an attribute, believed only if its unit is known and the drive could have moved them in its life.
fn transferred(
    json: &Value,
    found: &mut Findings,
    field: &'static str,
    name: &str,
    raw: u128,
    hours: Option<u128>,
) -> Option<u64> {
    let block = unsigned(json, "/logical_block_size").unwrap_or(512);
    let is_known = json.get("in_smartctl_database").and_then(Value::as_bool).unwrap_or(false);
    let unit = match name {
        "Host_Writes_32MiB" | "Host_Reads_32MiB" => 32 << 20,
        "Lifetime_Writes_GiB" | "Lifetime_Reads_GiB" | "Host_Writes_GiB" | "Host_Reads_GiB" => 1 << 30,
        _ => block,
    };
    if !is_known {
        let detail = format!("{name} of a model that smartctl does not know: its unit is a guess");
        found.absent(field, AbsenceReason::Unbelievable, detail);
        return None;
    }
    let bytes = raw.saturating_mul(unit);
    if bytes > BYTES_PER_HOUR_MAX.saturating_mul(hours.unwrap_or(876_600).max(1)) {
        let detail =
            format!("{name} is {raw} raw, more than the drive could move: several figures packed into one");
        found.absent(field, AbsenceReason::Unbelievable, detail);
        return None;
    }
    found.counter(field, bytes, &format!("smartctl ATA attribute {name}"))
}

fn statistics(json: &Value, found: &mut Findings) {
    let pages = json.pointer("/ata_device_statistics/pages").and_then(Value::as_array);
    let block = unsigned(json, "/logical_block_size").unwrap_or(512);
    let statistic = |page: u64, offset: u64| -> Option<i128> {
        let page = pages?.iter().find(|one| one.get("number").and_then(Value::as_u64) == Some(page))?;
        let table = page.get("table")?.as_array()?;
        let entry = table.iter().find(|one| one.get("offset").and_then(Value::as_u64) == Some(offset))?;
        if entry.pointer("/flags/valid").and_then(Value::as_bool) != Some(true) {
            return None;
        }
        match Number::of(entry.get("value")) {
            Number::Whole(value) => Some(value),
            _ => None,
        }
    };
    let count = |page, offset| statistic(page, offset).and_then(|value| u128::try_from(value).ok());
    if let Some(hours) = count(1, 16) {
        let source = "smartctl ATA device statistics page 1 offset 16";
        found.status.power_on_hours = found.counter("power_on_hours", hours, source);
    }
    if let Some(sectors) = count(1, 24) {
        let source = "smartctl ATA device statistics page 1 offset 24, times the sector size";
        let bytes = sectors.saturating_mul(block);
        found.status.data_written_bytes = found.counter("data_written_bytes", bytes, source);
    }
    if let Some(sectors) = count(1, 40) {
        let source = "smartctl ATA device statistics page 1 offset 40, times the sector size";
        found.status.data_read_bytes =
            found.counter("data_read_bytes", sectors.saturating_mul(block), source);
    }
    if let Some(errors) = count(4, 8) {
        let source = "smartctl ATA device statistics page 4 offset 8";
        found.status.media_errors = found.counter("media_errors", errors, source);
    }
    if let Some(celsius) = statistic(5, 8) {
        let source = "smartctl ATA device statistics page 5 offset 8";
        found.temperature(i64::try_from(celsius).unwrap_or(i64::MAX), source);
    }
    if let Some(percent) = count(7, 8).filter(|percent| *percent <= 255) {
        found.status.endurance_used_percent = u16::try_from(percent).ok();
        found.source("endurance_used_percent", "smartctl ATA device statistics page 7 offset 8");
    }
}
