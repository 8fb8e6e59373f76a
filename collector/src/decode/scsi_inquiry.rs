//! SCSI INQUIRY (12h), standard data: who made the device.
//!
//! Offsets: SPC, standard INQUIRY data format; checked against sg3_utils `src/sg_inq.c`. Big-endian.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page};

const PAGE: &str = "SCSI INQUIRY, standard data";

/// Standard INQUIRY data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inquiry {
    /// Peripheral device type, byte 0 bits 0..5: 0 a direct access block device, 14h zoned, 0Dh an enclosure.
    pub device_type: u8,
    /// Byte 0, bits 5..8: 0 a device is connected here.
    pub qualifier: u8,
    /// Vendor, bytes 8..16.
    pub vendor: Option<String>,
    /// Product, bytes 16..32.
    pub product: Option<String>,
    /// Revision, bytes 32..36.
    pub revision: Option<String>,
}

/// Decodes standard INQUIRY data.
///
/// # Errors
/// [`DecodeError`] where it is shorter than 36 bytes or uniform.
pub fn decode(bytes: &[u8]) -> Result<Inquiry, DecodeError> {
    let page = Page::of_length(PAGE, bytes, 36)?;
    page.refuse_uniform()?;
    let first = page.u8(0)?;
    Ok(Inquiry {
        device_type: first & 0x1f,
        qualifier: first >> 5,
        vendor: page.text(8, 8)?,
        product: page.text(16, 16)?,
        revision: page.text(32, 4)?,
    })
}

impl Inquiry {
    /// Whether it stores blocks: a disk (0), a reduced-block disk (0Eh) or a host-managed zoned disk (14h).
    pub fn is_block_device(&self) -> bool {
        self.qualifier == 0 && matches!(self.device_type, 0x00 | 0x0e | 0x14)
    }

    /// The device as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        found.specs.vendor.clone_from(&self.vendor);
        found.specs.model.clone_from(&self.product);
        found.specs.firmware.clone_from(&self.revision);
        // A SATA disk behind SAT calls itself "ATA": that is its translator, not its maker.
        if self.vendor.as_deref() == Some("ATA") {
            found.specs.vendor = None;
        }
        found.specs.interface = Some("scsi".to_owned());
        for (field, value, bytes) in [
            ("vendor", &found.specs.vendor.clone(), "8..16"),
            ("model", &self.product, "16..32"),
            ("firmware", &self.revision, "32..36"),
        ] {
            match value {
                Some(_) => found.source(field, format!("SCSI INQUIRY bytes {bytes}")),
                None => found.absent(
                    field,
                    AbsenceReason::NotReported,
                    format!("SCSI INQUIRY bytes {bytes} name none"),
                ),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_translator_of_a_sata_disk_is_not_its_vendor() {
        let mut page = vec![0; 36];
        page[8..16].copy_from_slice(b"ATA     ");
        page[16..24].copy_from_slice(b"QEMU HAR");
        let decoded = decode(&page).unwrap();
        assert!(decoded.is_block_device());
        assert_eq!(decoded.findings().specs.vendor, None);
        assert!(decode(&page[..35]).is_err());
    }
}
