//! A raw page by its name: what it tells of its component, and its own figures.

use headroom_core::unit::{AbsenceReason, ComponentKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    DecodeError, Findings, PageName, ata_identify, ata_smart, ata_statistics, nvme_ana, nvme_endurance_group,
    nvme_identify, nvme_smart, scsi_inquiry, scsi_log_pages, scsi_log_sense, scsi_provisioning,
    scsi_read_capacity, scsi_vpd,
};

/// What other pages of the same device tell, which this one needs to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// Bytes of a logical block (READ CAPACITY(16), IDENTIFY).
    pub block_bytes: Option<u32>,
    /// Threshold exponent (VPD page B2h).
    pub threshold_exponent: Option<u8>,
}

/// A decoded raw page.
#[derive(Debug, Clone, PartialEq)]
pub struct RawPage {
    /// What kind of component it tells of.
    pub kind: ComponentKind,
    /// What it tells.
    pub findings: Findings,
    /// Its own figures.
    pub figures: Value,
    /// What should be known about it.
    pub remark: Option<String>,
}

fn figures(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn page(kind: ComponentKind, findings: Findings, figures: Value) -> RawPage {
    RawPage { kind, findings, figures, remark: None }
}

fn silent(kind: ComponentKind, figures: Value, what: &str) -> RawPage {
    let remark = Some(format!("{what} tells no figure of capacity, load or wear"));
    RawPage { kind, findings: Findings::default(), figures, remark }
}

/// Decodes the bytes of one page.
///
/// # Errors
/// [`DecodeError`] of the page's decoder.
pub fn decode(name: PageName, bytes: &[u8], near: Neighbours) -> Result<RawPage, DecodeError> {
    use ComponentKind::{Drive, Namespace};
    Ok(match name {
        PageName::NvmeController => {
            let decoded = nvme_identify::controller(bytes)?;
            page(
                Drive,
                decoded.findings(),
                wide(figures(&decoded), "total_capacity_bytes", decoded.total_capacity_bytes),
            )
        }
        PageName::NvmeNamespace => match nvme_identify::namespace(bytes)? {
            Some(decoded) => page(Namespace, decoded.findings(false), figures(&decoded)),
            None => {
                let mut findings = Findings::default();
                for field in ["capacity_bytes", "used_bytes"] {
                    let detail = "the namespace is inactive: Identify answers with zeros";
                    findings.absent(field, AbsenceReason::NotReported, detail);
                }
                page(Namespace, findings, json!({"active": false}))
            }
        },
        PageName::NvmeNamespaceList => {
            let ids = nvme_identify::namespace_list(bytes)?;
            let mut found = page(Drive, Findings::default(), json!({"namespaces": ids}));
            if ids.is_empty() {
                let detail = "the controller has no active namespace: there is no space to fill";
                found.findings.absent("capacity_bytes", AbsenceReason::NotReported, detail);
            } else {
                found.remark = Some("a list of namespaces tells no figure of its own".to_owned());
            }
            found
        }
        PageName::NvmeDescriptors => {
            let decoded = nvme_identify::descriptors(bytes)?;
            let mut found = page(Namespace, decoded.findings(), figures(&decoded));
            if found.findings.identity.is_empty() {
                found.remark = Some("the namespace has no identifier".to_owned());
            }
            found
        }
        PageName::NvmeSmart => {
            let decoded = nvme_smart::decode(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        PageName::NvmeEnduranceGroup => {
            let decoded = nvme_endurance_group::decode(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        PageName::NvmeAna => silent(Drive, json!({"groups": nvme_ana::decode(bytes)?}), "the ANA log"),
        PageName::NvmeOtherLog => silent(Drive, json!({"length_bytes": bytes.len()}), "this NVMe log page"),
        PageName::ScsiInquiry => {
            let decoded = scsi_inquiry::decode(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        PageName::ScsiReadCapacity => {
            let decoded = scsi_read_capacity::decode(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        PageName::ScsiVpd => vpd(bytes)?,
        PageName::ScsiLog => log(bytes, near)?,
        PageName::ScsiOther => {
            silent(Drive, json!({"length_bytes": bytes.len()}), "this SCSI or NVMe command")
        }
        PageName::AtaIdentify => {
            let decoded = ata_identify::decode(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        PageName::AtaSmart => {
            let decoded = ata_smart::decode(bytes)?;
            page(Drive, ata_smart::findings(&decoded), json!({"attributes": decoded}))
        }
        PageName::AtaStatistics => {
            let decoded = ata_statistics::decode(bytes)?;
            page(Drive, decoded.findings(near.block_bytes.unwrap_or(512)), figures(&decoded))
        }
    })
}

/// JSON numbers end at 64 bits in most readers: a wider one is written as text.
fn wide(mut figures: Value, field: &str, value: Option<u128>) -> Value {
    if let Some(value) = value.filter(|value| *value > u128::from(u64::MAX)) {
        figures[field] = Value::String(value.to_string());
    }
    figures
}

fn vpd(bytes: &[u8]) -> Result<RawPage, DecodeError> {
    use ComponentKind::Drive;
    let code = super::Page::of_length("SCSI VPD page", bytes, 4)?.u8(1)?;
    Ok(match code {
        0x00 => silent(
            Drive,
            json!({"supported_pages": scsi_vpd::supported_pages(bytes)?}),
            "the list of VPD pages",
        ),
        0x80 => {
            let serial = scsi_vpd::serial_number(bytes)?;
            let mut found = Findings::default();
            match &serial {
                Some(serial) => {
                    found.specs.serial = Some(serial.clone());
                    found.source("serial", "SCSI VPD page 80h");
                    found.model_and_serial(None, None, Some(serial));
                }
                None => found.absent("serial", AbsenceReason::NotReported, "SCSI VPD page 80h is blank"),
            }
            page(Drive, found, json!({"serial": serial}))
        }
        0x83 => {
            let decoded = scsi_vpd::device_identification(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        0xb0 => silent(Drive, figures(scsi_vpd::block_limits(bytes)?), "the block limits page"),
        0xb1 => {
            let decoded = scsi_vpd::characteristics(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        0xb2 => {
            let decoded = scsi_vpd::provisioning(bytes)?;
            page(Drive, decoded.findings(), figures(&decoded))
        }
        other => {
            let length = 4 + usize::from(super::Page::new("SCSI VPD page", bytes).be16(2)?);
            let name = match bytes.len() {
                read if read < length => {
                    format!("VPD page {other:02X}h, cut off after {read} of {length} bytes,")
                }
                _ => format!("VPD page {other:02X}h"),
            };
            silent(Drive, json!({"page_code": other}), &name)
        }
    })
}

fn log(bytes: &[u8], near: Neighbours) -> Result<RawPage, DecodeError> {
    use ComponentKind::Drive;
    let frame = scsi_log_sense::frame(bytes)?;
    if frame.code == 0 {
        return Ok(silent(
            Drive,
            json!({"supported_pages": scsi_log_sense::supported_pages(bytes)?}),
            "the list of log pages",
        ));
    }
    if (frame.code, frame.subpage) == (0x0c, 0) {
        let decoded = scsi_provisioning::decode(bytes)?;
        let size = near.threshold_exponent.zip(near.block_bytes).map(|(threshold_exponent, block_bytes)| {
            scsi_provisioning::SetSize { threshold_exponent, block_bytes }
        });
        let mut own = figures(&decoded);
        own["shared_pool"] = figures(size.and_then(|size| decoded.shared_pool(size)));
        return Ok(page(Drive, decoded.findings(size), own));
    }
    let decoded = scsi_log_pages::decode(bytes)?;
    let findings = decoded.findings(near.block_bytes);
    if findings.sources.is_empty() && findings.missing.is_empty() {
        let name = format!("log page {:02X}h/{:02X}h", frame.code, frame.subpage);
        return Ok(silent(Drive, figures(&decoded), &name));
    }
    Ok(page(Drive, findings, figures(&decoded)))
}
