//! ATA IDENTIFY DEVICE (ECh): 256 little-endian words; text has its bytes swapped in each word.
//!
//! Word numbers: ACS, IDENTIFY DEVICE data; checked against smartmontools' output of the same drives.

use headroom_core::unit::{AbsenceReason, EvidenceKind};
use serde::Serialize;

use super::{DecodeError, Findings, Page, findings::BYTES_MAX, page::clean_text, scsi_vpd::rotation};

/// Bytes in the page.
pub const LENGTH: usize = 512;

const PAGE: &str = "ATA IDENTIFY DEVICE";

/// IDENTIFY DEVICE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identify {
    /// Serial number, words 10..20.
    pub serial: Option<String>,
    /// Firmware, words 23..27.
    pub firmware: Option<String>,
    /// Model, words 27..47.
    pub model: Option<String>,
    /// Logical sectors, words 100..104 or 60..62.
    pub sectors: u64,
    /// Bytes of a logical sector: 512 unless word 106 bit 12 points to words 117..119.
    pub sector_bytes: u32,
    /// Rotations per minute, word 217; 0 for solid state; `None` where not reported.
    pub rotation_rpm: Option<u32>,
    /// World wide name in hexadecimal, words 108..112, where word 87 bit 8 says that there is one.
    pub wwn: Option<String>,
    /// Words 82 and 85 bit 0.
    pub has_smart: bool,
    /// Word 84 bit 5: general purpose logging, and with it the device statistics.
    pub has_general_purpose_logging: bool,
    /// Word 169 bit 0.
    pub has_trim: bool,
}

/// Decodes IDENTIFY DEVICE.
///
/// # Errors
/// [`DecodeError`] where it is short, uniform, of no ATA device, of impossible size, or its checksum (word 255) is wrong.
pub fn decode(bytes: &[u8]) -> Result<Identify, DecodeError> {
    let page = Page::exactly(PAGE, bytes, LENGTH)?;
    page.refuse_uniform()?;
    let data = page.slice(0, LENGTH)?;
    // Word 255: the mark A5h says that the sum of all bytes is 0.
    if data[510] == 0xa5 && data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(page.impossible(511, 1, "the checksum of word 255 is wrong: the page is damaged"));
    }
    let word = |number: usize| page.le16(number * 2);
    if word(0)? & 0x8000 != 0 {
        return Err(page.impossible(
            0,
            2,
            "word 0 says that this is no ATA device (ATAPI answers IDENTIFY PACKET)",
        ));
    }
    let sectors = if word(83)? & 0x0400 != 0 { page.le64(200)? } else { page.le32(120)?.into() };
    let layout = word(106)?;
    let is_layout_valid = layout & 0xc000 == 0x4000;
    let sector_words = if is_layout_valid && layout & 0x1000 != 0 { page.le32(234)? } else { 256 };
    if !(256..=1 << 20).contains(&sector_words) {
        return Err(page.impossible(234, 4, format!("sectors of {sector_words} words")));
    }
    let sector_bytes = sector_words * 2;
    if u128::from(sectors) * u128::from(sector_bytes) > u128::from(BYTES_MAX) {
        return Err(page.impossible(200, 8, format!("{sectors} sectors are beyond belief")));
    }
    let names = word(87)?;
    let has_wwn = names & 0xc100 == 0x4100;
    let mut wwn = 0_u64;
    for number in 108..112 {
        wwn = wwn << 16 | u64::from(word(number)?);
    }
    Ok(Identify {
        serial: swapped(page, 10, 10)?,
        firmware: swapped(page, 23, 4)?,
        model: swapped(page, 27, 20)?,
        sectors,
        sector_bytes,
        rotation_rpm: rotation(word(217)?),
        wwn: (has_wwn && wwn != 0).then(|| format!("{wwn:016x}")),
        has_smart: word(82)? & 1 != 0 && word(85)? & 1 != 0,
        has_general_purpose_logging: word(84)? & 0x20 != 0,
        has_trim: word(169)? & 1 != 0,
    })
}

fn swapped(page: Page<'_>, word: usize, words: usize) -> Result<Option<String>, DecodeError> {
    let mut bytes = page.slice(word * 2, words * 2)?.to_vec();
    for pair in bytes.chunks_exact_mut(2) {
        pair.swap(0, 1);
    }
    Ok(clean_text(&bytes))
}

impl Identify {
    /// The drive as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.specs.serial.clone_from(&self.serial);
        found.specs.model.clone_from(&self.model);
        found.specs.firmware.clone_from(&self.firmware);
        found.specs.interface = Some("sata".to_owned());
        for (field, value, words) in [
            ("serial", &self.serial, "10..20"),
            ("model", &self.model, "27..47"),
            ("firmware", &self.firmware, "23..27"),
        ] {
            match value {
                Some(_) => found.source(field, format!("ATA IDENTIFY words {words}")),
                None => {
                    let detail = format!("ATA IDENTIFY words {words} are blank");
                    found.absent(field, AbsenceReason::NotReported, detail);
                }
            }
        }
        if self.sectors == 0 {
            found.absent("capacity_bytes", AbsenceReason::NotReported, "ATA IDENTIFY counts 0 sectors");
        } else {
            let total = u128::from(self.sectors) * u128::from(self.sector_bytes);
            let source = "ATA IDENTIFY words 100..104 (or 60..62), times the sector size";
            found.specs.capacity_bytes = found.bytes("capacity_bytes", total, source);
        }
        found.specs.logical_block_bytes = Some(self.sector_bytes);
        found.source("logical_block_bytes", "ATA IDENTIFY words 106 and 117..119");
        found.specs.rotation_rpm = self.rotation_rpm;
        match self.rotation_rpm {
            Some(_) => found.source("rotation_rpm", "ATA IDENTIFY word 217"),
            None => found.absent(
                "rotation_rpm",
                AbsenceReason::NotReported,
                "ATA IDENTIFY word 217 is 0 or reserved",
            ),
        }
        if let Some(wwn) = &self.wwn {
            found.evidence(EvidenceKind::Wwn, wwn);
        }
        found.model_and_serial(None, self.model.as_deref(), self.serial.as_deref());
        found.absent(
            "used_bytes",
            AbsenceReason::Unsupported,
            "an ATA drive does not know which sectors are spent",
        );
        found
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{LENGTH, decode};

    fn page() -> Vec<u8> {
        let mut page = vec![0; LENGTH];
        page[20..24].copy_from_slice(b"BADC");
        page[167] = 0x04;
        page[200..204].copy_from_slice(&1000_u32.to_le_bytes());
        page[434] = 1;
        page
    }

    #[test]
    fn text_is_swapped_and_capacity_is_of_48_bits() {
        let decoded = decode(&page()).unwrap();
        assert_eq!(decoded.serial.as_deref(), Some("ABCD"));
        assert_eq!(decoded.findings().specs.capacity_bytes, Some(Bytes(512_000)));
        assert_eq!(decoded.rotation_rpm, Some(0));
        assert_eq!(decoded.wwn, None);
    }

    #[test]
    fn native_4k_sectors_are_used() {
        let mut page = page();
        page[212..214].copy_from_slice(&0x5000_u16.to_le_bytes());
        page[234..238].copy_from_slice(&2048_u32.to_le_bytes());
        assert_eq!(decode(&page).unwrap().sector_bytes, 4096);
        page[234..238].fill(0xff);
        assert!(decode(&page).is_err());
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        let mut page = page();
        page[510] = 0xa5;
        assert!(decode(&page).unwrap_err().to_string().contains("checksum"));
        let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        page[511] = sum.wrapping_neg();
        assert!(decode(&page).is_ok());
    }
}
