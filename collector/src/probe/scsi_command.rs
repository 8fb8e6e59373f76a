//! SCSI commands that only read, and ATA commands packed into them (SAT).
//!
//! Layouts: SPC and SBC; ATA PASS-THROUGH(16): SAT, checked against sg3_utils `src/sg_sat_identify.c`.

/// Bytes that pages of identity are asked with: drives of SCSI-2 know lengths of one byte only.
pub(super) const SHORT: u32 = 252;
/// Bytes that longer pages are asked with.
pub(super) const LONG: u32 = 4_096;

/// REQUEST SENSE: what the unit has to say, its power condition too. It moves nothing.
pub(super) const REQUEST_SENSE: [u8; 6] = [0x03, 0, 0, 0, 252, 0];
/// Standard INQUIRY data.
pub(super) const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 96, 0];
/// Bytes that [`INQUIRY`] asks for.
pub(super) const INQUIRY_LENGTH: u32 = 96;
/// READ CAPACITY(16).
pub(super) const READ_CAPACITY: [u8; 16] = [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0];
/// Bytes that [`READ_CAPACITY`] asks for.
pub(super) const READ_CAPACITY_LENGTH: u32 = 32;

/// INQUIRY for a page of vital product data.
pub(super) fn vital_product_data(page: u8, length: u32) -> [u8; 6] {
    let [_, _, high, low] = length.to_be_bytes();
    [0x12, 1, page, high, low, 0]
}

/// LOG SENSE for the cumulative values of a page.
pub(super) fn log_sense(page: u8, subpage: u8) -> [u8; 10] {
    let [_, _, high, low] = LONG.to_be_bytes();
    [0x4d, 0, 0x40 | page & 0x3f, subpage, 0, 0, 0, high, low, 0]
}

/// Protocols of ATA PASS-THROUGH, byte 1 bits 1..5.
const NO_DATA: u8 = 3 << 1;
const PIO_IN: u8 = 4 << 1;
/// Byte 1 bit 0: a 48-bit command.
const EXTENDED: u8 = 1;
/// Byte 2: from the device, in blocks, as many as the count says.
const BLOCKS_IN: u8 = 0x0e;
/// Byte 2: the registers come back as sense data.
const WITH_REGISTERS: u8 = 0x20;
/// Bytes of a block of ATA data.
pub(super) const ATA_BLOCK: u32 = 512;

/// CHECK POWER MODE: does not wake the drive.
pub(super) const CHECK_POWER_MODE: [u8; 16] =
    [0x85, NO_DATA, WITH_REGISTERS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe5, 0];
/// IDENTIFY DEVICE.
pub(super) const IDENTIFY: [u8; 16] = [0x85, PIO_IN, BLOCKS_IN, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xec, 0];
/// SMART READ DATA: feature D0h, signature 4Fh C2h.
pub(super) const SMART_DATA: [u8; 16] =
    [0x85, PIO_IN, BLOCKS_IN, 0, 0xd0, 0, 1, 0, 0, 0, 0x4f, 0, 0xc2, 0, 0xb0, 0];

/// READ LOG EXT for one page of a log.
pub(super) fn read_log(log: u8, page: u8) -> [u8; 16] {
    [0x85, PIO_IN | EXTENDED, BLOCKS_IN, 0, 0, 0, 1, 0, log, 0, page, 0, 0, 0, 0x2f, 0]
}

/// The count register that CHECK POWER MODE came back with, from sense data in descriptor form (ATA status return,
/// type 09h) or fixed form; `None` where it holds none.
pub(super) fn count_register(sense: &[u8]) -> Option<u8> {
    match sense.first()? & 0x7f {
        0x72 => {
            let mut rest = sense.get(8..)?;
            while let [kind, length, ..] = *rest {
                if kind == 0x09 {
                    return rest.get(5).copied();
                }
                rest = rest.get(2 + usize::from(length)..)?;
            }
            None
        }
        0x70 => sense.get(6).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{count_register, log_sense, read_log, vital_product_data};

    #[test]
    fn the_count_register_is_found_in_both_forms() {
        let mut sense = vec![0x72, 1, 0, 0x1d, 0, 0, 0, 14];
        sense.extend([0x09, 0x0c, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x50]);
        assert_eq!(count_register(&sense), Some(0xff));
        assert_eq!(count_register(&[0x70, 0, 1, 0, 0x50, 0, 0x80, 0]), Some(0x80));
        assert_eq!(count_register(&[]), None);
        assert_eq!(count_register(&sense[..9]), None);
        assert_eq!(count_register(&[0x72, 1, 0, 0x1d, 0, 0, 0, 4, 0, 0]), None);
    }

    #[test]
    fn pages_stand_where_the_standards_want_them() {
        assert_eq!(vital_product_data(0x83, 4_096), [0x12, 1, 0x83, 0x10, 0, 0]);
        assert_eq!(log_sense(0x0e, 1), [0x4d, 0, 0x4e, 1, 0, 0, 0, 0x10, 0, 0]);
        assert_eq!(read_log(4, 7)[8..11], [4, 0, 7]);
    }
}
