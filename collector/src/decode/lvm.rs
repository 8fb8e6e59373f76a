//! `vgs` and `lvs --reportformat json`: volume groups and logical volumes, thick and thin.
//!
//! Ask with `--units b --nosuffix`; a `B` suffix is read too, other units are refused, because they are rounded.
//! Columns: `vg_name,vg_uuid,vg_size,vg_free,pv_name` and `lv_name,vg_name,lv_uuid,lv_size,lv_metadata_size,data_percent,
//! metadata_percent,lv_attr,pool_lv`.

use headroom_core::unit::{AbsenceReason, CapacitySource, ComponentKey, ComponentKind, EvidenceKind};
use serde_json::Value;

use super::{DecodeError, Findings, Part};

const PAGE: &str = "LVM report (--reportformat json)";

/// Whether the JSON is a report of LVM.
pub fn is_report(json: &Value) -> bool {
    json.get("report").is_some_and(Value::is_array)
}

/// Decodes the rows of `vg`, `lv` and `pv` in a report.
///
/// # Errors
/// [`DecodeError`] where it is no report, or a size is in a rounded unit.
pub fn decode(json: &Value) -> Result<Vec<Part>, DecodeError> {
    let Some(report) = json.get("report").and_then(Value::as_array) else {
        return Err(bad("it has no report: ask vgs or lvs with --reportformat json"));
    };
    let rows = |name: &'static str| {
        report.iter().filter_map(move |one| one.get(name).and_then(Value::as_array)).flatten()
    };
    let mut parts = Vec::new();
    for row in rows("vg") {
        let part = volume_group(row)?;
        // With the column pv_name a group has a row for each of its physical volumes.
        match parts.iter_mut().find(|known: &&mut Part| known.key == part.key) {
            Some(known) => known.provided_by.extend(part.provided_by),
            None => parts.push(part),
        }
    }
    for row in rows("lv") {
        parts.push(logical_volume(row)?);
    }
    Ok(parts)
}

fn bad(what: &str) -> DecodeError {
    DecodeError::BadText { page: PAGE, offset: 0, length: 0, what: what.to_owned() }
}

fn text<'a>(row: &'a Value, field: &str) -> Option<&'a str> {
    row.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn size(row: &Value, field: &str) -> Result<Option<u128>, DecodeError> {
    let Some(written) = text(row, field) else { return Ok(None) };
    let digits = written.trim_end_matches(['B', 'b']);
    match digits.parse::<u128>() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => Err(bad(&format!("{field} is {written:?}: ask with --units b, other units are rounded"))),
    }
}

fn percent(row: &Value, field: &str) -> Result<Option<f64>, DecodeError> {
    let Some(written) = text(row, field) else { return Ok(None) };
    match written.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(Some(value)),
        _ => Err(bad(&format!("{field} is {written:?}, not a percentage"))),
    }
}

fn volume_group(row: &Value) -> Result<Part, DecodeError> {
    let name = text(row, "vg_name").ok_or_else(|| bad("a volume group has no vg_name"))?;
    let mut found = Findings::default();
    let (total, free) = (size(row, "vg_size")?, size(row, "vg_free")?);
    if let Some(total) = total {
        found.status.capacity_bytes = found.bytes("capacity_bytes", total, "vgs vg_size");
        found.specs.capacity_bytes = found.status.capacity_bytes;
    } else {
        found.absent("capacity_bytes", AbsenceReason::NotReported, "the report has no column vg_size");
    }
    match (total, free) {
        (Some(total), Some(free)) if free <= total => {
            found.status.used_bytes = found.bytes("used_bytes", total - free, "vgs vg_size - vg_free");
            found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::Lvm);
        }
        (Some(_), Some(_)) => {
            found.absent("used_bytes", AbsenceReason::Unbelievable, "vgs says more free than there is");
        }
        _ => found.absent(
            "used_bytes",
            AbsenceReason::NotReported,
            "the report has no columns vg_size and vg_free",
        ),
    }
    found.specs.format = Some("lvm".to_owned());
    if let Some(uuid) = text(row, "vg_uuid") {
        found.evidence(EvidenceKind::Uuid, uuid);
    }
    let mut part = Part::new(ComponentKind::VolumeGroup, found, "");
    // Logical volumes name their group, so the name is the key.
    part.key = ComponentKey(format!("lvm:{name}"));
    part.label = Some(name.to_owned());
    if let Some(device) = text(row, "pv_name") {
        part.provided_by.push(ComponentKey(format!("device:{device}")));
    }
    Ok(part)
}

fn logical_volume(row: &Value) -> Result<Part, DecodeError> {
    let name = text(row, "lv_name").ok_or_else(|| bad("a logical volume has no lv_name"))?;
    let group = text(row, "vg_name").unwrap_or("");
    let mut found = Findings::default();
    let total = size(row, "lv_size")?;
    if let Some(total) = total {
        found.status.capacity_bytes = found.bytes("capacity_bytes", total, "lvs lv_size");
        found.specs.capacity_bytes = found.status.capacity_bytes;
    } else {
        found.absent("capacity_bytes", AbsenceReason::NotReported, "the report has no column lv_size");
    }
    // lv_attr: volume type t is a thin pool, V a thin volume.
    let kind = text(row, "lv_attr").and_then(|attr| attr.chars().next());
    let is_thin = matches!(kind, Some('t' | 'V')) || text(row, "pool_lv").is_some();
    found.specs.thin = Some(is_thin);
    share(&mut found, "used_bytes", total, percent(row, "data_percent")?, "lvs data_percent of lv_size");
    if kind == Some('t') {
        let size = size(row, "lv_metadata_size")?;
        let used = percent(row, "metadata_percent")?;
        if let Some(size) = size {
            found.status.metadata_capacity_bytes =
                found.bytes("metadata_capacity_bytes", size, "lvs lv_metadata_size");
        }
        share(&mut found, "metadata_used_bytes", size, used, "lvs metadata_percent of lv_metadata_size");
    }
    let component = if kind == Some('t') { ComponentKind::Pool } else { ComponentKind::Volume };
    let mut part = Part::new(component, found, &format!("lvm:{group}/{name}"));
    part.label = Some(format!("{group}/{name}"));
    let provider =
        text(row, "pool_lv").map_or_else(|| format!("lvm:{group}"), |pool| format!("lvm:{group}/{pool}"));
    part.provided_by.push(ComponentKey(provider));
    Ok(part)
}

fn share(found: &mut Findings, field: &'static str, total: Option<u128>, percent: Option<f64>, source: &str) {
    let (Some(total), Some(percent)) = (total, percent) else {
        let detail = format!("no {source}: a thick volume is as large as it is, whatever is written");
        found.absent(field, AbsenceReason::NotReported, detail);
        return;
    };
    let used = found.bytes(field, (total as f64 * percent / 100.0).round() as u128, source);
    if field == "used_bytes" {
        found.status.used_bytes = used;
        found.status.used_source = used.map(|_| CapacitySource::Lvm);
    } else {
        found.status.metadata_used_bytes = used;
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::{quantity::Bytes, unit::ComponentKind};
    use serde_json::json;

    use super::decode;

    #[test]
    fn free_extents_are_headroom() {
        let json = json!({"report": [{"vg": [{"vg_name": "vg0", "vg_size": "1000B", "vg_free": "400"}]}]});
        assert_eq!(decode(&json).unwrap()[0].findings.status.used_bytes, Some(Bytes(600)));
    }

    #[test]
    fn a_group_over_several_physical_volumes_is_one() {
        let row = |pv: &str| json!({"vg_name": "vg0", "vg_uuid": "abc-1", "vg_size": "9", "vg_free": "4", "pv_name": pv});
        let parts = decode(&json!({"report": [{"vg": [row("/dev/sda1"), row("/dev/sdb")]}]})).unwrap();
        assert_eq!(parts.len(), 1);
        let devices: Vec<&str> = parts[0].provided_by.iter().map(|key| key.0.as_str()).collect();
        assert_eq!(devices, ["device:/dev/sda1", "device:/dev/sdb"]);
    }

    #[test]
    fn a_thin_pool_has_data_and_metadata() {
        let json = json!({"report": [{"lv": [
            {"lv_name": "p", "vg_name": "vg0", "lv_size": "1000", "lv_attr": "twi-aotz--", "data_percent": "25.00",
             "metadata_percent": "10.0", "lv_metadata_size": "500"},
            {"lv_name": "v", "vg_name": "vg0", "lv_size": "9000", "lv_attr": "Vwi-aotz--", "pool_lv": "p"},
        ]}]});
        let parts = decode(&json).unwrap();
        assert_eq!((parts[0].kind, parts[1].kind), (ComponentKind::Pool, ComponentKind::Volume));
        assert_eq!(parts[0].findings.status.used_bytes, Some(Bytes(250)));
        assert_eq!(parts[0].findings.status.metadata_used_bytes, Some(Bytes(50)));
        assert_eq!(parts[1].provided_by[0], parts[0].key);
        assert_eq!(parts[1].findings.status.used_bytes, None);
    }

    #[test]
    fn rounded_units_are_refused_with_the_remedy() {
        let json = json!({"report": [{"vg": [{"vg_name": "vg0", "vg_size": "3.64t"}]}]});
        assert!(decode(&json).unwrap_err().to_string().contains("--units b"));
        assert!(decode(&json!({"report": 5})).is_err());
        assert!(decode(&json!({"report": [{"lv": [{"lv_name": "x", "data_percent": "inf"}]}]})).is_err());
    }
}
