//! What is asked of a SATA drive behind SAT: IDENTIFY, device statistics and SMART data, each only where the drive says
//! that it has it.

use headroom_core::unit::Teller;

use super::scsi_command::{ATA_BLOCK, CHECK_POWER_MODE, IDENTIFY, SMART_DATA, count_register, read_log};
use super::session::{Session, read};
use crate::decode::{Findings, ata_identify, ata_smart, ata_statistics};

/// General purpose log directory and device statistics.
const DIRECTORY: u8 = 0x00;
const STATISTICS: u8 = 0x04;
/// Pages of the statistics that are read: general, errors, temperature, solid state.
const STATISTICS_PAGES: [u8; 4] = [1, 4, 5, 7];

/// Whether the drive sleeps, by CHECK POWER MODE: 00h and 01h are standby, all else answers without spinning up.
pub(super) fn sleeps(session: &mut Session) -> bool {
    session
        .scsi(&CHECK_POWER_MODE, 0)
        .ok()
        .and_then(|sense| count_register(&sense))
        .is_some_and(|mode| mode < 2)
}

/// Asks for everything that a drive which is awake has.
pub(super) fn ask(session: &mut Session) -> Findings {
    let mut found = Findings::default();
    let page = session.scsi(&IDENTIFY, ATA_BLOCK);
    let identify = page.as_ref().ok().and_then(|bytes| ata_identify::decode(bytes).ok());
    let unread = ["serial", "model", "firmware"].into_iter().chain(Teller::DrivePages.names());
    read(&mut found, page, unread, |bytes| ata_identify::decode(bytes).map(|page| page.findings()));
    let Some(identify) = identify else { return found };
    if identify.has_general_purpose_logging {
        statistics(session, identify.sector_bytes, &mut found);
    }
    if identify.has_smart {
        let page = session.scsi(&SMART_DATA, ATA_BLOCK);
        read(&mut found, page, Teller::DrivePages.names(), |bytes| {
            ata_smart::decode(bytes).map(|attributes| ata_smart::findings(&attributes))
        });
    }
    found
}

/// The statistics are the same at every maker, so they come before the attributes, which are not.
fn statistics(session: &mut Session, sector_bytes: u32, found: &mut Findings) {
    let Ok(directory) = session.scsi(&read_log(DIRECTORY, 0), ATA_BLOCK) else { return };
    // Word n of the directory is the number of pages of log n.
    let place = usize::from(STATISTICS) * 2;
    if directory.get(place..place + 2).is_none_or(|pages| pages == [0, 0]) {
        return;
    }
    // Page 0 lists the pages: their number in byte 8, then one byte each.
    let Ok(list) = session.scsi(&read_log(STATISTICS, 0), ATA_BLOCK) else { return };
    let count = usize::from(list.get(8).copied().unwrap_or(0));
    let listed = list.get(9..).unwrap_or(&[]);
    let listed = &listed[..count.min(listed.len())];
    let mut pages = Vec::new();
    for page in STATISTICS_PAGES.into_iter().filter(|page| listed.contains(page)) {
        if let Ok(bytes) = session.scsi(&read_log(STATISTICS, page), ATA_BLOCK) {
            pages.extend(bytes);
        }
    }
    if !pages.is_empty() {
        read(found, Ok(pages), [], |bytes| {
            ata_statistics::decode(bytes).map(|statistics| statistics.findings(sector_bytes))
        });
    }
}
