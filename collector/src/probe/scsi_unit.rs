//! What is asked of a SCSI unit: who it is, what space it has, how worn it is. Only pages that it lists.

use std::collections::BTreeSet;

use headroom_core::unit::{AbsenceReason, Teller};

use super::scsi_command::{
    INQUIRY, INQUIRY_LENGTH, LONG, READ_CAPACITY, READ_CAPACITY_LENGTH, REQUEST_SENSE, SHORT, log_sense,
    vital_product_data,
};
use super::session::{Session, read};
use crate::decode::scsi_provisioning::SetSize;
use crate::decode::{
    Findings, scsi_inquiry, scsi_log_pages, scsi_log_sense, scsi_provisioning, scsi_read_capacity, scsi_vpd,
};

/// Log pages and subpages that tell something, the better source of a figure first.
const LOG_PAGES: [(u8, u8); 10] = [
    (0x0d, 0),
    (0x11, 0),
    (0x02, 0),
    (0x03, 0),
    (0x05, 0),
    (0x0e, 0),
    (0x0e, 1),
    (0x15, 0),
    (0x19, 0),
    (0x2f, 0),
];

/// What a unit told.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Identity, specifications, status, absences.
    pub(super) findings: Findings,
    /// Most bytes that it can hold at this moment, where a shared pool has less left than the unit is large.
    pub(super) limit_bytes: Option<u64>,
}

/// Whether the unit sleeps, by the sense data of REQUEST SENSE: additional sense 5Eh with a standby condition, or 04h/02h,
/// stopped.
pub(super) fn sleeps(session: &mut Session) -> bool {
    let Ok(sense) = session.scsi(&REQUEST_SENSE, SHORT) else { return false };
    let (code, qualifier) = match sense.first().map(|first| first & 0x7f) {
        Some(0x70 | 0x71) => (sense.get(12), sense.get(13)),
        Some(0x72 | 0x73) => (sense.get(2), sense.get(3)),
        _ => return false,
    };
    matches!((code, qualifier), (Some(0x5e), Some(3 | 4 | 9 | 10)) | (Some(0x04), Some(0x02)))
}

/// Asks for everything that a unit which is awake lists.
pub(super) fn ask(session: &mut Session) -> Unit {
    let mut unit = Unit::default();
    let found = &mut unit.findings;
    read(found, session.scsi(&INQUIRY, INQUIRY_LENGTH), ["vendor", "model", "firmware"], |bytes| {
        scsi_inquiry::decode(bytes).map(|page| page.findings())
    });
    let exponent = vital_product_data_pages(session, found);
    let mut block_bytes = None;
    read(found, session.scsi(&READ_CAPACITY, READ_CAPACITY_LENGTH), [], |bytes| {
        let page = scsi_read_capacity::decode(bytes)?;
        block_bytes = Some(page.block_bytes);
        Ok(page.findings())
    });
    let size = exponent
        .zip(block_bytes)
        .map(|(threshold_exponent, block_bytes)| SetSize { threshold_exponent, block_bytes });
    let logs = log_pages(session, found);
    if logs.contains(&(0x0c, 0)) {
        let mut limit = None;
        read(found, session.scsi(&log_sense(0x0c, 0), LONG), ["used_bytes"], |bytes| {
            let page = scsi_provisioning::decode(bytes)?;
            let findings = page.findings(size);
            let free = size.and_then(|size| page.shared_pool(size)).and_then(|pool| pool.available_bytes);
            limit = findings.status.used_bytes.zip(free).map(|(used, free)| used.0.saturating_add(free));
            Ok(findings)
        });
        unit.limit_bytes = limit;
    }
    let found = &mut unit.findings;
    for (page, subpage) in LOG_PAGES.into_iter().filter(|page| logs.contains(page)) {
        read(
            found,
            session.scsi(&log_sense(page, subpage), LONG),
            fields_of(page).iter().copied(),
            |bytes| scsi_log_pages::decode(bytes).map(|log| log.findings(block_bytes)),
        );
    }
    unit
}

/// The figures that a log page would tell.
fn fields_of(page: u8) -> &'static [&'static str] {
    match page {
        0x02 => &["data_written_bytes"],
        0x03 => &["data_read_bytes", "media_errors"],
        0x0d => &["temperature_celsius"],
        0x11 => &["endurance_used_percent"],
        0x15 => &["power_on_hours"],
        _ => &[],
    }
}

/// Reads the pages that the unit lists; gives the threshold exponent of page B2h.
fn vital_product_data_pages(session: &mut Session, found: &mut Findings) -> Option<u8> {
    let mut exponent = None;
    let listed = match session.scsi(&vital_product_data(0, SHORT), SHORT) {
        Ok(bytes) => scsi_vpd::supported_pages(&bytes).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    for code in listed {
        let length = if code == 0x83 { LONG } else { SHORT };
        let command = vital_product_data(code, length);
        match code {
            0x80 => read(found, session.scsi(&command, length), ["serial"], |bytes| {
                let mut findings = Findings::default();
                findings.specs.serial = scsi_vpd::serial_number(bytes)?;
                if findings.specs.serial.is_some() {
                    findings.source("serial", "SCSI VPD page 80h");
                }
                Ok(findings)
            }),
            0x83 => read(found, session.scsi(&command, length), [], |bytes| {
                scsi_vpd::device_identification(bytes).map(|page| page.findings())
            }),
            0xb1 => read(found, session.scsi(&command, length), ["rotation_rpm"], |bytes| {
                scsi_vpd::characteristics(bytes).map(|page| page.findings())
            }),
            0xb2 => read(found, session.scsi(&command, length), ["thin"], |bytes| {
                let page = scsi_vpd::provisioning(bytes)?;
                exponent = page.threshold_exponent;
                Ok(page.findings())
            }),
            _ => {}
        }
    }
    let (vendor, model, serial) =
        (found.specs.vendor.clone(), found.specs.model.clone(), found.specs.serial.clone());
    found.model_and_serial(vendor.as_deref(), model.as_deref(), serial.as_deref());
    exponent
}

/// The log pages that the unit lists. A unit that refuses the list has none, and every figure of them says so.
fn log_pages(session: &mut Session, found: &mut Findings) -> BTreeSet<(u8, u8)> {
    let mut pages = BTreeSet::new();
    match session.scsi(&log_sense(0, 0), LONG).map(|bytes| scsi_log_sense::supported_pages(&bytes)) {
        Ok(Ok(listed)) => pages.extend(listed),
        Ok(Err(error)) => states(found, AbsenceReason::Unbelievable, &error.to_string()),
        Err(error) => states(found, super::session::reason_of(&error), &error.to_string()),
    }
    // Only 0Eh has a subpage that tells something, and only units with pages are asked for subpages.
    if pages.contains(&(0x0e, 0))
        && let Ok(bytes) = session.scsi(&log_sense(0, 0xff), LONG)
        && let Ok(listed) = scsi_log_sense::supported_pages(&bytes)
    {
        pages.extend(listed);
    }
    pages
}

fn states(found: &mut Findings, reason: AbsenceReason, detail: &str) {
    for field in Teller::DrivePages.names() {
        found.absent(field, reason, detail);
    }
}
