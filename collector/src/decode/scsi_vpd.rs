//! SCSI vital product data: serial number (80h), device identification (83h), block limits (B0h), characteristics
//! (B1h), logical block provisioning (B2h).
//!
//! Offsets: SPC and SBC; checked against sg3_utils `src/sg_vpd.c` and against emulated devices. Big-endian. Byte 1 of
//! every page is its own code, which is checked.

use headroom_core::unit::{AbsenceReason, EvidenceKind};
use serde::Serialize;

use super::{DecodeError, Findings, Page, page::clean_text};

fn open<'a>(name: &'static str, code: u8, bytes: &'a [u8]) -> Result<Page<'a>, DecodeError> {
    let page = Page::of_length(name, bytes, 4)?;
    page.expect_mark(1, page.u8(1)?, code)?;
    let length = usize::from(page.be16(2)?);
    Ok(Page::new(name, page.slice(0, 4 + length)?))
}

/// The codes of the pages that the device has (page 00h).
///
/// # Errors
/// [`DecodeError`] where it is another page or shorter than it says.
pub fn supported_pages(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(open("SCSI VPD page 00h (supported pages)", 0x00, bytes)?.bytes()[4..].to_vec())
}

/// The serial number of page 80h; `None` where it is blank.
///
/// # Errors
/// [`DecodeError`] where it is another page or shorter than it says.
pub fn serial_number(bytes: &[u8]) -> Result<Option<String>, DecodeError> {
    Ok(clean_text(&open("SCSI VPD page 80h (serial number)", 0x80, bytes)?.bytes()[4..]))
}

/// What a designator of page 83h names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Association {
    /// The logical unit: its identity.
    LogicalUnit,
    /// The port it was reached through.
    Port,
    /// The device that holds the unit.
    Device,
}

/// A designator of page 83h.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Designator {
    /// What it names.
    pub association: Association,
    /// Designator type: 1 T10, 2 EUI-64, 3 NAA, 8 SCSI name, 0Ah UUID.
    pub kind: u8,
    /// Its value: hexadecimal for binary ones, text for the others.
    pub value: String,
}

/// Device identification, page 83h.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DeviceIdentification {
    /// The designators that could be read.
    pub designators: Vec<Designator>,
    /// What is wrong with the rest: very old arrays fill the page in a form of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// Decodes page 83h. What follows a designator that cannot be is left out and told.
///
/// # Errors
/// [`DecodeError`] where it is another page or shorter than it says.
pub fn device_identification(bytes: &[u8]) -> Result<DeviceIdentification, DecodeError> {
    let page = open("SCSI VPD page 83h (device identification)", 0x83, bytes)?;
    let mut found = DeviceIdentification::default();
    let mut offset = 4;
    while offset < page.bytes().len() {
        match designator(page, offset) {
            Ok((one, length)) => {
                found.designators.extend(one);
                offset += 4 + length;
            }
            Err(error) => {
                found.unreadable = Some(error.to_string());
                break;
            }
        }
    }
    Ok(found)
}

fn designator(page: Page<'_>, offset: usize) -> Result<(Option<Designator>, usize), DecodeError> {
    let (code_set, what, length) =
        (page.u8(offset)? & 0xf, page.u8(offset + 1)?, usize::from(page.u8(offset + 3)?));
    let value = page.slice(offset + 4, length)?;
    let association = match what >> 4 & 0x3 {
        0 => Association::LogicalUnit,
        1 => Association::Port,
        2 => Association::Device,
        _ => return Err(page.impossible(offset + 1, 1, "association 3 is reserved")),
    };
    let kind = what & 0xf;
    let fits = match kind {
        2 => matches!(length, 8 | 12 | 16),
        3 => matches!(length, 8 | 16),
        0xa => length == 18,
        _ => length > 0,
    };
    if !fits {
        return Err(page.impossible(
            offset + 3,
            1,
            format!("a designator of type {kind} is {length} bytes long"),
        ));
    }
    let text = match (kind, code_set) {
        (2 | 3, _) | (_, 1) => Some(headroom_core::exchange::enrol::hexadecimal(value)),
        _ => clean_text(value),
    };
    Ok((text.map(|value| Designator { association, kind, value }), length))
}

impl DeviceIdentification {
    /// The identity evidence of the logical unit. Ports and the device around it name something else.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        for designator in self.designators.iter().filter(|d| d.association == Association::LogicalUnit) {
            match designator.kind {
                2 => found.evidence(EvidenceKind::Eui64, &designator.value),
                3 => found.evidence(EvidenceKind::Naa, &designator.value),
                8 => {
                    let lower = designator.value.to_lowercase();
                    if let Some(naa) = lower.strip_prefix("naa.") {
                        found.evidence(EvidenceKind::Naa, naa);
                    } else if let Some(eui) = lower.strip_prefix("eui.") {
                        found.evidence(EvidenceKind::Eui64, eui);
                    }
                }
                0xa => {
                    let uuid =
                        designator.value.get(4..).and_then(|digits| uuid::Uuid::parse_str(digits).ok());
                    if let Some(uuid) = uuid {
                        found.evidence(EvidenceKind::Uuid, &uuid.to_string());
                    }
                }
                _ => {}
            }
        }
        if let Some(why) = &self.unreadable {
            found.absent("identity", AbsenceReason::Unbelievable, why.clone());
        }
        found
    }
}

/// Block limits, page B0h.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockLimits {
    /// Longest transfer, blocks, bytes 8..12; `None` where 0.
    pub transfer_blocks_max: Option<u32>,
    /// Best transfer, blocks, bytes 12..16; `None` where 0.
    pub transfer_blocks_best: Option<u32>,
    /// Blocks that one UNMAP may free, bytes 20..24; `None` where the page is the short form.
    pub unmap_blocks_max: Option<u32>,
    /// Grain in which blocks are best freed, bytes 28..32; `None` where 0 or the page is the short form.
    pub unmap_grain_blocks: Option<u32>,
}

/// Decodes page B0h.
///
/// # Errors
/// [`DecodeError`] where it is another page or shorter than it says.
pub fn block_limits(bytes: &[u8]) -> Result<BlockLimits, DecodeError> {
    let page = open("SCSI VPD page B0h (block limits)", 0xb0, bytes)?;
    let reported = |value: u32| (value != 0).then_some(value);
    let is_long = page.bytes().len() >= 36;
    Ok(BlockLimits {
        transfer_blocks_max: reported(page.be32(8)?),
        transfer_blocks_best: reported(page.be32(12)?),
        unmap_blocks_max: if is_long { Some(page.be32(20)?) } else { None },
        unmap_grain_blocks: if is_long { reported(page.be32(28)?) } else { None },
    })
}

/// Block device characteristics, page B1h.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Characteristics {
    /// Rotations per minute, bytes 4..6; 0 for solid state (written as 1), `None` where not reported (0) or reserved.
    pub rotation_rpm: Option<u32>,
}

/// Decodes page B1h.
///
/// # Errors
/// [`DecodeError`] where it is another page or shorter than it says.
pub fn characteristics(bytes: &[u8]) -> Result<Characteristics, DecodeError> {
    let page = open("SCSI VPD page B1h (block device characteristics)", 0xb1, bytes)?;
    Ok(Characteristics { rotation_rpm: rotation(page.be16(4)?) })
}

/// Rotation rate as SCSI and ATA write it: 1 solid state, 0401h to FFFEh rotations per minute.
pub fn rotation(rate: u16) -> Option<u32> {
    match rate {
        1 => Some(0),
        0x0401..=0xfffe => Some(rate.into()),
        _ => None,
    }
}

impl Characteristics {
    /// The device as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.specs.rotation_rpm = self.rotation_rpm;
        match self.rotation_rpm {
            Some(_) => found.source("rotation_rpm", "SCSI VPD B1h bytes 4..6"),
            None => {
                found.absent("rotation_rpm", AbsenceReason::NotReported, "SCSI VPD B1h has no rotation rate")
            }
        }
        found
    }
}

/// Logical block provisioning, page B2h.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provisioning {
    /// Byte 4: resources are counted in threshold sets of two to this power blocks; `None` where 0: not counted.
    pub threshold_exponent: Option<u8>,
    /// Byte 5 bit 7: UNMAP frees blocks.
    pub can_unmap: bool,
    /// Byte 6, bits 0..3: 0 not said or fully provisioned, 1 resource provisioned, 2 thin.
    pub provisioning_type: u8,
}

/// Decodes page B2h.
///
/// # Errors
/// [`DecodeError`] where it is another page, shorter than it says, or counts in sets beyond 2^63 blocks.
pub fn provisioning(bytes: &[u8]) -> Result<Provisioning, DecodeError> {
    let page = open("SCSI VPD page B2h (logical block provisioning)", 0xb2, bytes)?;
    let exponent = page.u8(4)?;
    if exponent > 63 {
        return Err(page.impossible(4, 1, format!("threshold sets of 2^{exponent} blocks do not exist")));
    }
    Ok(Provisioning {
        threshold_exponent: (exponent != 0).then_some(exponent),
        can_unmap: page.u8(5)? & 0x80 != 0,
        provisioning_type: page.u8(6)? & 0x7,
    })
}

impl Provisioning {
    /// Whether space is handed out only when written; `None` where the page leaves it open.
    pub fn is_thin(&self) -> Option<bool> {
        match self.provisioning_type {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    /// The device as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.specs.thin = self.is_thin();
        match found.specs.thin {
            Some(_) => found.source("thin", "SCSI VPD B2h byte 6"),
            None => found.absent("thin", AbsenceReason::NotReported, "SCSI VPD B2h has provisioning type 0"),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::unit::EvidenceKind;

    use super::{
        block_limits, characteristics, device_identification, provisioning, rotation, serial_number,
    };

    #[test]
    fn only_the_logical_unit_is_identity() {
        let mut page = vec![0x00, 0x83, 0, 24, 0x01, 0x03, 0, 8];
        page.extend([0x60, 0x01, 0x40, 0x5a, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x13, 0, 8]);
        page.extend([0x50; 8]);
        let found = device_identification(&page).unwrap().findings();
        assert_eq!(found.identity.len(), 1);
        assert_eq!(
            (found.identity[0].kind, found.identity[0].value.as_str()),
            (EvidenceKind::Naa, "6001405adeadbeef")
        );
    }

    #[test]
    fn another_page_is_refused_by_its_mark() {
        let message = serial_number(&[0, 0x83, 0, 0]).unwrap_err().to_string();
        assert!(message.contains("not 0x80"), "{message}");
        assert!(serial_number(&[0, 0x80, 0, 9, b'x']).is_err(), "shorter than it says");
        assert_eq!(serial_number(&[0, 0x80, 0, 2, b' ', b' ']).unwrap(), None);
    }

    #[test]
    fn the_rest_of_a_damaged_identification_page_is_told() {
        let decoded = device_identification(&[0, 0x83, 0, 6, 1, 3, 0, 99, 0, 0]).unwrap();
        assert!(decoded.unreadable.is_some());
        assert_eq!(decoded.findings().missing[0].field, "identity");
    }

    #[test]
    fn rotation_and_provisioning_have_reserved_values() {
        assert_eq!(
            (rotation(0), rotation(1), rotation(7200), rotation(2)),
            (None, Some(0), Some(7200), None)
        );
        assert_eq!(provisioning(&[0, 0xb2, 0, 4, 11, 0xe4, 2, 0]).unwrap().is_thin(), Some(true));
        assert!(provisioning(&[0, 0xb2, 0, 4, 64, 0, 0, 0]).is_err());
        assert!(block_limits(&[0, 0xb0, 0, 4, 0, 0, 0, 0]).is_err());
        assert!(characteristics(&[0, 0xb1, 0, 0]).is_err());
    }
}
