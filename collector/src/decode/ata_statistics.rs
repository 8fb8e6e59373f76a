//! ATA device statistics (GP log 04h): the same figures at every maker.
//!
//! Pages of 512 bytes; byte 2 is the page's number. A statistic is eight bytes: the value, and flags in the last
//! (bit 7 supported, bit 6 valid). Offsets: ACS, device statistics; checked against smartmontools' output of a drive.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page};

/// Bytes in each page.
pub const PAGE_LENGTH: usize = 512;

const PAGE: &str = "ATA device statistics (log 04h)";

/// What the pages told; `None` where a statistic is not supported or not valid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DeviceStatistics {
    /// Page 1 offset 8.
    pub power_on_resets: Option<u64>,
    /// Page 1 offset 16.
    pub power_on_hours: Option<u64>,
    /// Page 1 offset 24, logical sectors.
    pub sectors_written: Option<u64>,
    /// Page 1 offset 32.
    pub write_commands: Option<u64>,
    /// Page 1 offset 40, logical sectors.
    pub sectors_read: Option<u64>,
    /// Page 1 offset 48.
    pub read_commands: Option<u64>,
    /// Page 4 offset 8.
    pub uncorrectable_errors: Option<u64>,
    /// Page 5 offset 8, °C.
    pub temperature_celsius: Option<i8>,
    /// Page 7 offset 8, percent; may exceed 100.
    pub endurance_used_percent: Option<u8>,
}

/// Decodes one page or several in a row.
///
/// # Errors
/// [`DecodeError`] where the bytes are not whole pages, or none of them holds a statistic that is known here.
pub fn decode(bytes: &[u8]) -> Result<DeviceStatistics, DecodeError> {
    Page::of_length(PAGE, bytes, PAGE_LENGTH)?;
    if !bytes.len().is_multiple_of(PAGE_LENGTH) {
        let whole = bytes.len().next_multiple_of(PAGE_LENGTH);
        Page::of_length(PAGE, bytes, whole)?;
    }
    let mut found = DeviceStatistics::default();
    let mut known = false;
    for page in bytes.chunks_exact(PAGE_LENGTH) {
        let page = Page::new(PAGE, page);
        let statistic = |offset: usize, length: usize| -> Result<Option<u64>, DecodeError> {
            let raw = page.le64(offset)?;
            let is_there = raw >> 56 & 0xc0 == 0xc0;
            Ok(is_there.then_some(raw & ((1 << (8 * length)) - 1)))
        };
        let number = page.u8(2)?;
        known |= matches!(number, 0..=7);
        match number {
            1 => {
                found.power_on_resets = statistic(8, 4)?;
                found.power_on_hours = statistic(16, 4)?;
                found.sectors_written = statistic(24, 6)?;
                found.write_commands = statistic(32, 6)?;
                found.sectors_read = statistic(40, 6)?;
                found.read_commands = statistic(48, 6)?;
            }
            4 => found.uncorrectable_errors = statistic(8, 4)?,
            5 => found.temperature_celsius = statistic(8, 1)?.map(|value| value as u8 as i8),
            7 => found.endurance_used_percent = statistic(8, 1)?.map(|value| value as u8),
            _ => {}
        }
    }
    if !known {
        return Err(Page::new(PAGE, bytes).impossible(2, 1, "no page of device statistics has this number"));
    }
    Ok(found)
}

impl DeviceStatistics {
    /// The drive as core knows it.
    pub fn findings(&self, sector_bytes: u32) -> Findings {
        let mut found = Findings::default();
        let bytes = |sectors: u64| u128::from(sectors) * u128::from(sector_bytes);
        if let Some(hours) = self.power_on_hours {
            let source = "ATA device statistics page 1 offset 16";
            found.status.power_on_hours = found.counter("power_on_hours", hours.into(), source);
        }
        match self.sectors_written {
            Some(sectors) => {
                let source = "ATA device statistics page 1 offset 24, times the sector size";
                found.status.data_written_bytes = found.counter("data_written_bytes", bytes(sectors), source);
            }
            None => found.absent(
                "data_written_bytes",
                AbsenceReason::NotReported,
                "ATA device statistics have no sectors written",
            ),
        }
        if let Some(sectors) = self.sectors_read {
            let source = "ATA device statistics page 1 offset 40, times the sector size";
            found.status.data_read_bytes = found.counter("data_read_bytes", bytes(sectors), source);
        }
        if let Some(errors) = self.uncorrectable_errors {
            let source = "ATA device statistics page 4 offset 8";
            found.status.media_errors = found.counter("media_errors", errors.into(), source);
        }
        if let Some(celsius) = self.temperature_celsius {
            found.temperature(celsius.into(), "ATA device statistics page 5 offset 8");
        }
        match self.endurance_used_percent {
            Some(percent) => {
                found.status.endurance_used_percent = Some(percent.into());
                found.source("endurance_used_percent", "ATA device statistics page 7 offset 8");
            }
            None => found.absent(
                "endurance_used_percent",
                AbsenceReason::NotReported,
                "ATA device statistics have no page 7: not a solid-state drive, or it does not tell its wear",
            ),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE_LENGTH, decode};

    fn page(number: u8, statistics: &[(usize, u64, u8)]) -> Vec<u8> {
        let mut page = vec![0; PAGE_LENGTH];
        page[0] = 1;
        page[2] = number;
        for (offset, value, flags) in statistics {
            page[*offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            page[offset + 7] = *flags;
        }
        page
    }

    #[test]
    fn only_valid_statistics_are_read() {
        let mut pages = page(1, &[(16, 34_013, 0xc0), (24, 1_000_000, 0xc0), (40, 5, 0x80)]);
        pages.extend(page(7, &[(8, 3, 0xe0)]));
        pages.extend(page(5, &[(8, 0xf6, 0xc0)]));
        let status = decode(&pages).unwrap().findings(512).status;
        assert_eq!(status.power_on_hours, Some(34_013));
        assert_eq!(status.data_written_bytes, Some(512_000_000));
        assert_eq!(status.data_read_bytes, None, "supported, not valid");
        assert_eq!(status.endurance_used_percent, Some(3));
        assert_eq!(status.temperature_celsius, Some(-10));
    }

    #[test]
    fn torn_pages_are_refused() {
        assert!(decode(&page(1, &[])[..511]).is_err());
        let mut two = page(1, &[]);
        two.extend([0; 100]);
        assert!(decode(&two).is_err());
        assert!(decode(&page(0x99, &[])).is_err());
    }
}
