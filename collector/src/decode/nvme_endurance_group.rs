//! NVMe log page 09h, Endurance Group Information: wear and space of the media behind several namespaces.
//!
//! Offsets: NVM Express Base Specification, Endurance Group Information log page, checked against libnvme
//! `src/nvme/types.h`. 512 bytes, little-endian. Data units here are thousand millions of bytes (10⁹).

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page};

/// Bytes in the page.
pub const LENGTH: usize = 512;

const PAGE: &str = "NVMe log page 09h (endurance group)";
const UNIT_BYTES: u128 = 1_000_000_000;

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnduranceGroup {
    /// Warning bits, byte 0: 0 spare low, 2 reliability degraded, 3 namespaces read-only.
    pub critical_warning: u8,
    /// Spare left, percent, byte 3.
    pub available_spare_percent: u8,
    /// Spare at which it warns, percent, byte 4.
    pub spare_threshold_percent: u8,
    /// Endurance used, percent, byte 5.
    pub percentage_used: u8,
    /// Data that may be written over its life, bytes, 32..48 times 10⁹; `None` where 0.
    pub endurance_estimate_bytes: Option<u128>,
    /// Data read, bytes, 48..64 times 10⁹; `None` where 0.
    pub data_read_bytes: Option<u128>,
    /// Data written by hosts, bytes, 64..80 times 10⁹; `None` where 0.
    pub data_written_bytes: Option<u128>,
    /// Data written to the media, bytes, 80..96 times 10⁹; `None` where 0.
    pub media_written_bytes: Option<u128>,
    /// Host read commands, 96..112.
    pub host_reads: u128,
    /// Host write commands, 112..128.
    pub host_writes: u128,
    /// Unrecovered media errors, 128..144.
    pub media_errors: u128,
    /// Entries in the error log, 144..160.
    pub error_log_entries: u128,
    /// Capacity of the group, bytes, 160..176; `None` where 0.
    pub total_capacity_bytes: Option<u128>,
    /// Capacity in no NVM set, bytes, 176..192.
    pub unallocated_capacity_bytes: Option<u128>,
}

/// Decodes the page.
///
/// # Errors
/// [`DecodeError`] where the page is short, uniform or has more unallocated than total capacity.
pub fn decode(bytes: &[u8]) -> Result<EnduranceGroup, DecodeError> {
    let page = Page::exactly(PAGE, bytes, LENGTH)?;
    page.refuse_uniform()?;
    let reported = |value: u128| (value != 0).then_some(value);
    let scaled = |offset| page.le128(offset).map(|units| reported(units.saturating_mul(UNIT_BYTES)));
    let (total, unallocated) = (page.le128(160)?, page.le128(176)?);
    if total != 0 && unallocated > total {
        return Err(page.impossible(176, 16, "more unallocated capacity than there is in all"));
    }
    Ok(EnduranceGroup {
        critical_warning: page.u8(0)?,
        available_spare_percent: page.u8(3)?,
        spare_threshold_percent: page.u8(4)?,
        percentage_used: page.u8(5)?,
        endurance_estimate_bytes: scaled(32)?,
        data_read_bytes: scaled(48)?,
        data_written_bytes: scaled(64)?,
        media_written_bytes: scaled(80)?,
        host_reads: page.le128(96)?,
        host_writes: page.le128(112)?,
        media_errors: page.le128(128)?,
        error_log_entries: page.le128(144)?,
        total_capacity_bytes: reported(total),
        unallocated_capacity_bytes: (total != 0).then_some(unallocated),
    })
}

impl EnduranceGroup {
    /// Bytes written to the media for each byte that a host wrote; `None` where either is not reported.
    pub fn write_amplification(&self) -> Option<f64> {
        Some(self.media_written_bytes? as f64 / self.data_written_bytes? as f64)
    }

    /// The group as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.status.critical_warning = Some(self.critical_warning);
        found.source("critical_warning", "NVMe log 09h byte 0");
        found.status.endurance_used_percent = Some(self.percentage_used.into());
        found.source("endurance_used_percent", "NVMe log 09h byte 5");
        if self.available_spare_percent <= 100 {
            found.status.spare_percent = Some(self.available_spare_percent);
            found.source("spare_percent", "NVMe log 09h byte 3");
        } else {
            let detail = format!("NVMe log 09h says {} %", self.available_spare_percent);
            found.absent("spare_percent", AbsenceReason::Unbelievable, detail);
        }
        if let Some(total) = self.total_capacity_bytes {
            found.specs.capacity_bytes = found.bytes("capacity_bytes", total, "NVMe log 09h bytes 160..176");
        }
        if let Some(rated) = self.endurance_estimate_bytes {
            found.specs.rated_write_bytes =
                found.bytes("rated_write_bytes", rated, "NVMe log 09h bytes 32..48");
        }
        for (field, value, source) in [
            ("data_read_bytes", self.data_read_bytes, "NVMe log 09h bytes 48..64"),
            ("data_written_bytes", self.data_written_bytes, "NVMe log 09h bytes 64..80"),
            ("media_errors", Some(self.media_errors), "NVMe log 09h bytes 128..144"),
        ] {
            let Some(value) = value else {
                found.absent(field, AbsenceReason::NotReported, format!("{source} are 0"));
                continue;
            };
            let value = found.counter(field, value, source);
            match field {
                "data_read_bytes" => found.status.data_read_bytes = value,
                "data_written_bytes" => found.status.data_written_bytes = value,
                _ => found.status.media_errors = value,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{LENGTH, decode};

    #[test]
    fn capacity_rating_and_amplification_are_read() {
        let mut page = vec![0; LENGTH];
        page[3..6].copy_from_slice(&[90, 10, 7]);
        page[32] = 100;
        page[64] = 10;
        page[80] = 25;
        page[160..168].copy_from_slice(&1_920_383_410_176_u64.to_le_bytes());
        let decoded = decode(&page).unwrap();
        assert_eq!(decoded.write_amplification(), Some(2.5));
        let found = decoded.findings();
        assert_eq!(found.specs.capacity_bytes, Some(Bytes(1_920_383_410_176)));
        assert_eq!(found.specs.rated_write_bytes, Some(Bytes(100_000_000_000)));
        assert_eq!(found.status.endurance_used_percent, Some(7));
        assert_eq!(found.status.data_read_bytes, None);
    }

    #[test]
    fn more_unallocated_than_total_is_refused() {
        let mut page = vec![0; LENGTH];
        page[160] = 1;
        page[176] = 2;
        assert!(decode(&page).is_err());
        assert!(decode(&page[..511]).is_err());
    }
}
