//! NVMe log page 02h, SMART / Health information: wear, temperature, life-time counters.
//!
//! Offsets: NVM Express Base Specification, SMART / Health Information log page, checked against libnvme
//! `src/nvme/types.h`. 512 bytes, little-endian, counters of 128 bits.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page};

/// Bytes in the page.
pub const LENGTH: usize = 512;
/// One data unit: a thousand blocks of 512 bytes.
pub const DATA_UNIT_BYTES: u128 = 512_000;

const PAGE: &str = "NVMe log page 02h (SMART / Health)";

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SmartHealth {
    /// Warning bits, byte 0: 0 spare low, 1 temperature, 2 reliability, 3 read-only, 4 backup failed, 5 persistent
    /// memory region.
    pub critical_warning: u8,
    /// Composite temperature, kelvins, bytes 1..3; `None` where 0.
    pub temperature_kelvin: Option<u16>,
    /// Spare left, percent, byte 3.
    pub available_spare_percent: u8,
    /// Spare at which it warns, percent, byte 4.
    pub spare_threshold_percent: u8,
    /// Endurance used, percent, byte 5: may exceed 100, stops at 255.
    pub percentage_used: u8,
    /// Data units read by hosts, bytes 32..48; `None` where 0, which means "not reported".
    pub data_units_read: Option<u128>,
    /// Data units written by hosts, bytes 48..64; `None` where 0.
    pub data_units_written: Option<u128>,
    /// Read commands completed, bytes 64..80.
    pub host_reads: u128,
    /// Write commands completed, bytes 80..96.
    pub host_writes: u128,
    /// Minutes in which commands were outstanding, bytes 96..112; `None` where 0: many controllers never count.
    pub busy_minutes: Option<u128>,
    /// Power cycles, bytes 112..128.
    pub power_cycles: u128,
    /// Hours powered on, bytes 128..144; may stop in low-power states.
    pub power_on_hours: u128,
    /// Power losses without notice, bytes 144..160.
    pub unsafe_shutdowns: u128,
    /// Unrecovered media errors, bytes 160..176.
    pub media_errors: u128,
    /// Entries in the error log, bytes 176..192: probing pages that a controller lacks raises it, so it alarms nobody.
    pub error_log_entries: u128,
}

/// Decodes the page.
///
/// # Errors
/// [`DecodeError`] where the page is short or all FFh.
pub fn decode(bytes: &[u8]) -> Result<SmartHealth, DecodeError> {
    let page = Page::exactly(PAGE, bytes, LENGTH)?;
    page.refuse_uniform()?;
    let reported = |value: u128| (value != 0).then_some(value);
    let kelvin = page.le16(1)?;
    Ok(SmartHealth {
        critical_warning: page.u8(0)?,
        temperature_kelvin: (kelvin != 0).then_some(kelvin),
        available_spare_percent: page.u8(3)?,
        spare_threshold_percent: page.u8(4)?,
        percentage_used: page.u8(5)?,
        data_units_read: reported(page.le128(32)?),
        data_units_written: reported(page.le128(48)?),
        host_reads: page.le128(64)?,
        host_writes: page.le128(80)?,
        busy_minutes: reported(page.le128(96)?),
        power_cycles: page.le128(112)?,
        power_on_hours: page.le128(128)?,
        unsafe_shutdowns: page.le128(144)?,
        media_errors: page.le128(160)?,
        error_log_entries: page.le128(176)?,
    })
}

impl SmartHealth {
    /// The drive's status as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.status.critical_warning = Some(self.critical_warning);
        found.source("critical_warning", "NVMe log 02h byte 0");
        match self.temperature_kelvin {
            Some(kelvin) => {
                found.temperature(i64::from(kelvin) - 273, "NVMe log 02h bytes 1..3, kelvins - 273")
            }
            None => found.absent(
                "temperature_celsius",
                AbsenceReason::NotReported,
                "NVMe log 02h says 0 K, which no sensor reads",
            ),
        }
        found.status.endurance_used_percent = Some(self.percentage_used.into());
        found.source("endurance_used_percent", "NVMe log 02h byte 5");
        self.add_spare(&mut found);
        self.add_counters(&mut found);
        found
    }

    fn add_spare(&self, found: &mut Findings) {
        let source = "NVMe log 02h byte 3";
        let warns_of_spare = self.critical_warning & 1 != 0;
        match self.available_spare_percent {
            // Emulated controllers leave spare and threshold at 0 without a warning: that is no figure.
            0 if self.spare_threshold_percent == 0 && !warns_of_spare => found.absent(
                "spare_percent",
                AbsenceReason::NotReported,
                "NVMe log 02h has spare and threshold 0 without a warning",
            ),
            spare @ 0..=100 => {
                found.status.spare_percent = Some(spare);
                found.source("spare_percent", source);
            }
            spare => {
                found.absent(
                    "spare_percent",
                    AbsenceReason::Unbelievable,
                    format!("{source} says {spare} %"),
                );
            }
        }
    }

    fn add_counters(&self, found: &mut Findings) {
        let not_reported = "NVMe log 02h has 0 data units, which means \"not reported\"";
        let bytes = |units: u128| units.saturating_mul(DATA_UNIT_BYTES);
        match self.data_units_read {
            Some(units) => {
                found.status.data_read_bytes = found.counter(
                    "data_read_bytes",
                    bytes(units),
                    "NVMe log 02h bytes 32..48, times 512,000",
                );
            }
            None => found.absent("data_read_bytes", AbsenceReason::NotReported, not_reported),
        }
        match self.data_units_written {
            Some(units) => {
                found.status.data_written_bytes = found.counter(
                    "data_written_bytes",
                    bytes(units),
                    "NVMe log 02h bytes 48..64, times 512,000",
                );
            }
            None => found.absent("data_written_bytes", AbsenceReason::NotReported, not_reported),
        }
        found.status.power_on_hours =
            found.counter("power_on_hours", self.power_on_hours, "NVMe log 02h bytes 128..144");
        found.status.media_errors =
            found.counter("media_errors", self.media_errors, "NVMe log 02h bytes 160..176");
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::unit::AbsenceReason;

    use super::{LENGTH, decode};

    fn page() -> Vec<u8> {
        let mut page = vec![0; LENGTH];
        page[1..3].copy_from_slice(&310_u16.to_le_bytes());
        page[3] = 100;
        page[4] = 10;
        page[5] = 104;
        page[48..56].copy_from_slice(&32_381_395_004_u64.to_le_bytes());
        page[128] = 9;
        page
    }

    #[test]
    fn wear_may_exceed_its_rating_and_data_units_exceed_32_bits() {
        let found = decode(&page()).unwrap().findings();
        assert_eq!(found.status.endurance_used_percent, Some(104));
        assert_eq!(found.status.temperature_celsius, Some(37));
        assert_eq!(found.status.data_written_bytes, Some(16_579_274_242_048_000));
        assert_eq!(found.status.data_read_bytes, None, "0 data units are not reported");
        assert_eq!(found.status.spare_percent, Some(100));
        assert_eq!(found.status.power_on_hours, Some(9));
    }

    #[test]
    fn zero_kelvin_and_absent_spare_are_not_reported() {
        let mut page = page();
        page[1..5].fill(0);
        let found = decode(&page).unwrap().findings();
        assert_eq!(found.status.temperature_celsius, None);
        assert_eq!(found.status.spare_percent, None);
        page[0] = 1;
        assert_eq!(
            decode(&page).unwrap().findings().status.spare_percent,
            Some(0),
            "a warning makes 0 % real"
        );
    }

    #[test]
    fn a_cold_drive_has_a_negative_temperature() {
        let mut page = page();
        page[1..3].copy_from_slice(&263_u16.to_le_bytes());
        assert_eq!(decode(&page).unwrap().findings().status.temperature_celsius, Some(-10));
    }

    #[test]
    fn counters_that_no_device_reaches_are_unbelievable() {
        let mut page = page();
        page[48..64].fill(0xff);
        page[128..144].fill(0xff);
        page[3] = 200;
        let found = decode(&page).unwrap().findings();
        let reason = |field| found.missing.iter().find(|m| m.field == field).map(|m| m.reason);
        assert_eq!(found.status.data_written_bytes, None);
        for field in ["data_written_bytes", "power_on_hours", "spare_percent"] {
            assert_eq!(reason(field), Some(AbsenceReason::Unbelievable), "{field}");
        }
    }

    #[test]
    fn a_short_page_is_refused_by_name() {
        let message = decode(&page()[..511]).unwrap_err().to_string();
        assert!(message.contains("log page 02h"), "{message}");
    }
}
