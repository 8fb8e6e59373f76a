//! SCSI READ CAPACITY(16) (9Eh/10h): size and block size.
//!
//! Offsets: SBC, READ CAPACITY (16) parameter data; checked against sg3_utils `src/sg_readcap.c`. Big-endian.

use headroom_core::unit::AbsenceReason;
use serde::Serialize;

use super::{DecodeError, Findings, Page, findings::BYTES_MAX};

const PAGE: &str = "SCSI READ CAPACITY(16)";

/// READ CAPACITY(16) parameter data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadCapacity {
    /// Number of blocks: the last address, bytes 0..8, and one.
    pub blocks: u64,
    /// Size of a logical block, bytes, 8..12.
    pub block_bytes: u32,
    /// Logical blocks per physical block, byte 13 bits 0..4 as a power of two; `None` in the short form.
    pub blocks_per_physical_block: Option<u32>,
    /// Byte 14 bit 7: logical block provisioning is managed; `None` in the short form.
    pub is_provisioning_managed: Option<bool>,
}

/// Decodes READ CAPACITY(16) parameter data. Old devices answer with 12 bytes.
///
/// # Errors
/// [`DecodeError`] where it is shorter, the block size is none, or the size is beyond belief.
pub fn decode(bytes: &[u8]) -> Result<ReadCapacity, DecodeError> {
    let page = Page::of_length(PAGE, bytes, 12)?;
    let (last, block) = (page.be64(0)?, page.be32(8)?);
    if !(256..=1 << 24).contains(&block) {
        return Err(page.impossible(8, 4, format!("blocks of {block} bytes")));
    }
    let bytes = (u128::from(last) + 1) * u128::from(block);
    if bytes > u128::from(BYTES_MAX) {
        return Err(page.impossible(0, 8, format!("a last address of {last} makes {bytes} bytes")));
    }
    let is_long = page.bytes().len() >= 15;
    Ok(ReadCapacity {
        blocks: last + 1,
        block_bytes: block,
        blocks_per_physical_block: if is_long { Some(1 << (page.u8(13)? & 0xf)) } else { None },
        is_provisioning_managed: if is_long { Some(page.u8(14)? & 0x80 != 0) } else { None },
    })
}

impl ReadCapacity {
    /// Size in bytes; checked against overflow when it was decoded.
    pub fn size_bytes(&self) -> u64 {
        self.blocks.saturating_mul(u64::from(self.block_bytes))
    }

    /// The device as core knows it.
    pub fn findings(&self) -> Findings {
        let mut found = Findings::default();
        let source = "SCSI READ CAPACITY(16), bytes 0..8 and one, times bytes 8..12";
        found.specs.capacity_bytes = found.bytes("capacity_bytes", self.size_bytes().into(), source);
        found.status.capacity_bytes = found.specs.capacity_bytes;
        found.specs.logical_block_bytes = Some(self.block_bytes);
        found.source("logical_block_bytes", "SCSI READ CAPACITY(16) bytes 8..12");
        if self.is_provisioning_managed == Some(false) {
            found.specs.thin = Some(false);
            found.source("thin", "SCSI READ CAPACITY(16) byte 14 bit 7");
            found.absent(
                "used_bytes",
                AbsenceReason::Unsupported,
                "a fully provisioned unit does not track what is spent",
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_last_address_is_one_less_than_the_count() {
        let mut page = vec![0; 32];
        page[6..12].copy_from_slice(&[0xff, 0xff, 0, 0, 2, 0]);
        page[5] = 1;
        let decoded = decode(&page).unwrap();
        assert_eq!((decoded.blocks, decoded.size_bytes()), (131_072, 67_108_864));
        assert!(decode(&page[..12]).unwrap().is_provisioning_managed.is_none());
        page[0..8].fill(0xff);
        assert!(decode(&page).is_err());
        assert!(decode(&[0; 32]).is_err(), "blocks of no bytes");
    }
}
