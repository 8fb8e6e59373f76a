//! The parts of `smartctl --json` that differ by protocol: the NVMe health log, ATA attributes and statistics, SCSI
//! error counters.

use headroom_core::unit::AbsenceReason;
use serde_json::Value;

use super::{
    Findings,
    number::{Number, told},
    nvme_smart::DATA_UNIT_BYTES,
};

/// Who says it, in sources and absences.
pub(super) const TOOL: &str = "smartctl";
/// The fastest that any drive writes, bytes an hour: 20 GB/s all the time. More was never written.
const BYTES_PER_HOUR_MAX: u128 = 20_000_000_000 * 3600;

/// NVMe: the health log (page 02h) as smartctl writes it.
pub(super) fn add_nvme(json: &Value, found: &mut Findings) {
    const LOG: &str = "/nvme_smart_health_information_log";
    if json.pointer(LOG).is_none_or(|log| !log.is_object()) {
        for field in ["endurance_used_percent", "data_written_bytes", "spare_percent"] {
            found.absent(field, AbsenceReason::NotReported, "smartctl has no NVMe health log");
        }
        return;
    }
    let field = |found: &mut Findings, figure: &'static str, name: &str| {
        let told = told(found, figure, TOOL, json, &format!("{LOG}/{name}"));
        if told.is_none() {
            // What stands there and is no count was stated already, and the first reason counts.
            found.absent(figure, AbsenceReason::NotReported, format!("no {name} in the NVMe health log"));
        }
        told
    };
    if let Some(warning) = field(found, "critical_warning", "critical_warning") {
        found.status.critical_warning = found
            .counter("critical_warning", warning, "smartctl NVMe health log critical_warning")
            .and_then(|warning| u8::try_from(warning).ok());
    }
    if let Some(percent) = field(found, "endurance_used_percent", "percentage_used") {
        found.status.endurance_used_percent = found
            .counter("endurance_used_percent", percent, "smartctl NVMe health log percentage_used")
            .and_then(|percent| u16::try_from(percent).ok());
    }
    let threshold = Number::of(json.pointer(&format!("{LOG}/available_spare_threshold"))).unsigned();
    match field(found, "spare_percent", "available_spare") {
        Some(0) if threshold == Some(0) && found.status.critical_warning.unwrap_or(0) & 1 == 0 => {
            found.absent(
                "spare_percent",
                AbsenceReason::NotReported,
                "spare and threshold are 0 without a warning",
            );
        }
        Some(percent) => {
            found.status.spare_percent = found
                .counter("spare_percent", percent, "smartctl NVMe health log available_spare")
                .and_then(|percent| u8::try_from(percent).ok());
        }
        None => {}
    }
    let units = |found: &mut Findings, name: &'static str, into: &'static str| match field(found, into, name)
    {
        Some(0) => {
            found.absent(into, AbsenceReason::NotReported, "0 data units mean \"not reported\"");
            None
        }
        units => found.counter(
            into,
            units?.saturating_mul(DATA_UNIT_BYTES),
            "smartctl NVMe health log, times 512,000",
        ),
    };
    found.status.data_read_bytes = units(found, "data_units_read", "data_read_bytes");
    found.status.data_written_bytes = units(found, "data_units_written", "data_written_bytes");
    if let Some(errors) = field(found, "media_errors", "media_errors") {
        found.status.media_errors =
            found.counter("media_errors", errors, "smartctl NVMe health log media_errors");
    }
}

/// SCSI: error counter pages and the endurance page.
pub(super) fn add_scsi(json: &Value, found: &mut Findings) {
    // Gigabytes are thousand millions of bytes, written as text with three decimals.
    let gigabytes = |value: &Value| -> Option<u128> {
        let amount: f64 = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        (0.0..1e12).contains(&amount).then_some((amount * 1e9) as u128)
    };
    for (direction, field) in [("read", "data_read_bytes"), ("write", "data_written_bytes")] {
        let value = json.pointer(&format!("/scsi_error_counter_log/{direction}/gigabytes_processed"));
        let Some(value) = value.filter(|value| !value.is_null()) else {
            found.absent(field, AbsenceReason::NotReported, "smartctl has no SCSI error counter log for it");
            continue;
        };
        let Some(bytes) = gigabytes(value) else {
            let detail =
                format!("smartctl SCSI error counter log {direction} gigabytes_processed is {value}");
            found.absent(field, AbsenceReason::Unbelievable, detail);
            continue;
        };
        let value = found.counter(field, bytes, "smartctl SCSI error counter log gigabytes_processed");
        match direction {
            "read" => found.status.data_read_bytes = value,
            _ => found.status.data_written_bytes = value,
        }
    }
    let errors = "/scsi_error_counter_log/read/total_uncorrected_errors";
    if let Some(errors) = told(found, "media_errors", TOOL, json, errors) {
        let source = "smartctl SCSI error counter log, read, total_uncorrected_errors";
        found.status.media_errors = found.counter("media_errors", errors, source);
    }
    let endurance = "/scsi_percentage_used_endurance_indicator";
    match told(found, "endurance_used_percent", TOOL, json, endurance) {
        Some(percent) => {
            found.status.endurance_used_percent = found
                .counter(
                    "endurance_used_percent",
                    percent,
                    "smartctl scsi_percentage_used_endurance_indicator",
                )
                .and_then(|percent| u16::try_from(percent).ok());
        }
        None => found.absent(
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
    let hours = Number::of(json.pointer("/power_on_time/hours")).unsigned();
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
            names.contains(&name).then_some((name, told(found, field, TOOL, attribute, "/raw/value")?))
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
    let block = sector_bytes(json, found);
    let is_known = json.get("in_smartctl_database").and_then(Value::as_bool).unwrap_or(false);
    let unit = match name {
        "Host_Writes_32MiB" | "Host_Reads_32MiB" => 32 << 20,
        "Lifetime_Writes_GiB" | "Lifetime_Reads_GiB" | "Host_Writes_GiB" | "Host_Reads_GiB" => 1 << 30,
        _ => match block {
            Some(block) => block,
            None => return sectors_unknown(found, field),
        },
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

/// The size of a sector, bytes: 512 where smartctl does not tell it, as everywhere in ATA; `None` where what it tells
/// cannot be.
fn sector_bytes(json: &Value, found: &Findings) -> Option<u128> {
    match json.get("logical_block_size") {
        None | Some(Value::Null) => Some(512),
        Some(_) => found.specs.logical_block_bytes.map(u128::from),
    }
}

fn sectors_unknown(found: &mut Findings, field: &'static str) -> Option<u64> {
    let detail = "it is counted in sectors, and logical_block_size cannot be";
    found.absent(field, AbsenceReason::Unbelievable, detail);
    None
}

fn statistics(json: &Value, found: &mut Findings) {
    let pages = json.pointer("/ata_device_statistics/pages").and_then(Value::as_array);
    let block = sector_bytes(json, found);
    let statistic = |page: u64, offset: u64| -> Option<&Value> {
        let page = pages?.iter().find(|one| one.get("number").and_then(Value::as_u64) == Some(page))?;
        let table = page.get("table")?.as_array()?;
        let entry = table.iter().find(|one| one.get("offset").and_then(Value::as_u64) == Some(offset))?;
        (entry.pointer("/flags/valid").and_then(Value::as_bool) == Some(true)).then_some(entry)
    };
    let source =
        |page: u64, offset: u64| format!("smartctl ATA device statistics page {page} offset {offset}");
    let count = |found: &mut Findings, field, page, offset| {
        told(found, field, TOOL, statistic(page, offset)?, "/value")
    };
    let figure = |found: &mut Findings, field, page, offset| {
        let value = count(found, field, page, offset)?;
        found.counter(field, value, &source(page, offset))
    };
    let sectors = |found: &mut Findings, field, offset| {
        let sectors = count(found, field, 1, offset)?;
        let Some(block) = block else { return sectors_unknown(found, field) };
        let source = format!("{}, times the sector size", source(1, offset));
        found.counter(field, sectors.saturating_mul(block), &source)
    };
    found.status.power_on_hours = figure(found, "power_on_hours", 1, 16);
    found.status.data_written_bytes = sectors(found, "data_written_bytes", 24);
    found.status.data_read_bytes = sectors(found, "data_read_bytes", 40);
    found.status.media_errors = figure(found, "media_errors", 4, 8);
    if let Some(entry) = statistic(5, 8) {
        match Number::of(entry.get("value")) {
            Number::Whole(celsius) => {
                found.temperature(i64::try_from(celsius).unwrap_or(i64::MAX), &source(5, 8));
            }
            Number::Bad(text) => {
                let detail = format!("{} is {text:?}", source(5, 8));
                found.absent("temperature_celsius", AbsenceReason::Unbelievable, detail);
            }
            Number::Missing => {}
        }
    }
    found.status.endurance_used_percent =
        figure(found, "endurance_used_percent", 7, 8).and_then(|percent| u16::try_from(percent).ok());
}
