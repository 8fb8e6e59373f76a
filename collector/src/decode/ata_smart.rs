//! ATA SMART READ DATA (B0h/D0h): thirty attributes whose meaning is the maker's.
//!
//! Layout: revision 0..2, then 30 entries of 12 bytes (id, flags 1..3, value 3, worst 4, raw 5..11), checksum 511.
//! Only what all makers mean alike is believed: 9 (hours) and 194 or 190 (temperature). Wear and data written stand
//! under numbers that mean something else at each maker: device statistics (`ata_statistics`) have them in the open.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page};

/// Bytes in the page.
pub const LENGTH: usize = 512;

const PAGE: &str = "ATA SMART READ DATA";
/// A hundred years: nobody has run a drive for so long.
const HOURS_MAX: u64 = 876_600;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// Number.
    pub id: u8,
    /// Normalised value.
    pub value: u8,
    /// Worst normalised value.
    pub worst: u8,
    /// Raw value, 48 bits; several figures may be packed into it.
    pub raw: u64,
}

/// Decodes the attributes in use.
///
/// # Errors
/// [`DecodeError`] where the page is short, uniform or its checksum is wrong.
pub fn decode(bytes: &[u8]) -> Result<Vec<Attribute>, DecodeError> {
    let page = Page::exactly(PAGE, bytes, LENGTH)?;
    page.refuse_uniform()?;
    if page.slice(0, LENGTH)?.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(page.impossible(511, 1, "the checksum is wrong: the page is damaged"));
    }
    let mut attributes = Vec::new();
    for offset in (2..362).step_by(12) {
        let id = page.u8(offset)?;
        if id != 0 {
            let raw =
                page.slice(offset + 5, 6)?.iter().rev().fold(0, |raw, byte| raw << 8 | u64::from(*byte));
            attributes.push(Attribute { id, value: page.u8(offset + 3)?, worst: page.u8(offset + 4)?, raw });
        }
    }
    Ok(attributes)
}

/// Hours powered on: the low 32 bits of attribute 9, because some makers pack milliseconds above them.
/// `None` where even those are beyond belief (makers that count minutes or seconds).
pub fn power_on_hours(raw: u64) -> Option<u64> {
    Some(raw & 0xffff_ffff).filter(|hours| *hours <= HOURS_MAX)
}

/// Temperature: the low byte of attribute 194 or 190, because least and highest are packed above it.
pub fn temperature(raw: u64) -> i8 {
    (raw & 0xff) as u8 as i8
}

/// The drive as core knows it.
pub fn findings(attributes: &[Attribute]) -> Findings {
    let mut found = Findings::default();
    let attribute = |id| attributes.iter().find(|attribute| attribute.id == id);
    match attribute(9) {
        Some(hours) => match power_on_hours(hours.raw) {
            Some(hours) => {
                found.status.power_on_hours = Some(hours);
                found.source("power_on_hours", "ATA SMART attribute 9, low 32 bits of the raw value");
            }
            None => {
                let detail =
                    format!("ATA SMART attribute 9 is {} raw, which is no count of hours", hours.raw);
                found.absent("power_on_hours", AbsenceReason::Unbelievable, detail);
            }
        },
        None => found.absent("power_on_hours", AbsenceReason::NotReported, "no ATA SMART attribute 9"),
    }
    match attribute(194).or_else(|| attribute(190)) {
        Some(heat) => {
            let source = format!("ATA SMART attribute {}, low byte of the raw value", heat.id);
            found.temperature(temperature(heat.raw).into(), &source);
        }
        None => found.absent(
            "temperature_celsius",
            AbsenceReason::NotReported,
            "neither ATA SMART attribute 194 nor 190",
        ),
    }
    for field in ["endurance_used_percent", "data_written_bytes"] {
        let detail = "ATA SMART attributes have it in units that each maker chooses: device statistics (log 04h) tell it";
        found.absent(field, AbsenceReason::NotReported, detail);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, decode, findings, power_on_hours, temperature};

    fn page(entries: &[(u8, u64)]) -> Vec<u8> {
        let mut page = vec![0; LENGTH];
        page[0] = 16;
        for (index, (id, raw)) in entries.iter().enumerate() {
            let at = 2 + 12 * index;
            page[at] = *id;
            page[at + 5..at + 11].copy_from_slice(&raw.to_le_bytes()[..6]);
        }
        let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        page[511] = sum.wrapping_neg();
        page
    }

    #[test]
    fn packed_raw_values_are_unpacked() {
        let attributes = decode(&page(&[(9, 115_594_749_838_557), (194, 133_145_034_776)])).unwrap();
        let status = findings(&attributes).status;
        assert_eq!((status.power_on_hours, status.temperature_celsius), (Some(34_013), Some(24)));
    }

    #[test]
    fn hours_beyond_a_century_are_absent() {
        assert_eq!(power_on_hours(4_000_000_000), None);
        assert_eq!(temperature(0xfe), -2);
    }

    #[test]
    fn a_damaged_page_is_refused() {
        let mut page = page(&[(9, 5)]);
        page[40] ^= 1;
        assert!(decode(&page).is_err());
    }
}
