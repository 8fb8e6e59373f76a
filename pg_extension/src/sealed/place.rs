//! The `ctid` of a sealed row: where its block is, and which row of it.
//!
//! An item pointer has 48 bits. The block's own pointer takes the page (26 bits, 512 GB of blocks' heads) and the line
//! on the page (9 bits: a page of 8 kB has at most 291); the row in the block takes 12. One bit is spare.

use pgrx::pg_sys;

use crate::server::error::{Error, Kind, Result};

/// No block that is written here has more rows.
pub(crate) const MAX_ROWS: usize = 1 << ROW_BITS;
const ROW_BITS: u32 = 12;
const LINE_BITS: u32 = 9;
const PAGE_BITS: u32 = 26;

/// The pointer of the first row of the block at this place.
pub(crate) fn of_block(block: pg_sys::ItemPointerData) -> Result<u64> {
    let page = u64::from(block.ip_blkid.bi_hi) << 16 | u64::from(block.ip_blkid.bi_lo);
    let line = u64::from(block.ip_posid);
    if page >> PAGE_BITS != 0 || line >> LINE_BITS != 0 {
        return Err(Error::new(
            Kind::Unsupported,
            format!("a block lies at ({page},{line}), beyond what can be addressed"),
        )
        .hint("Seal less into one hypertable: the heads of its blocks fill more than 512 GB."));
    }
    Ok((page << LINE_BITS | line) << ROW_BITS)
}

/// The `ctid` of a row of a block.
pub(crate) fn of_row(first: u64, row: usize) -> pg_sys::ItemPointerData {
    let place = first | row as u64;
    // One more in the low part: no valid pointer has line 0.
    let (page, line) = (place >> 15, (place & 0x7fff) as u16 + 1);
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (page >> 16) as u16, bi_lo: page as u16 },
        ip_posid: line,
    }
}

/// The block's place and the row in it, from a `ctid` that [`of_row`] made.
pub(crate) fn block_and_row(ctid: pg_sys::ItemPointerData) -> (pg_sys::ItemPointerData, usize) {
    let page = u64::from(ctid.ip_blkid.bi_hi) << 16 | u64::from(ctid.ip_blkid.bi_lo);
    let place = page << 15 | u64::from(ctid.ip_posid.wrapping_sub(1) & 0x7fff);
    let row = place as usize & (MAX_ROWS - 1);
    let line = (place >> ROW_BITS) & ((1 << LINE_BITS) - 1);
    let page = place >> (ROW_BITS + LINE_BITS);
    let block = pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (page >> 16) as u16, bi_lo: page as u16 },
        ip_posid: line as u16,
    };
    (block, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(page: u32, line: u16) -> pg_sys::ItemPointerData {
        pg_sys::ItemPointerData {
            ip_blkid: pg_sys::BlockIdData { bi_hi: (page >> 16) as u16, bi_lo: page as u16 },
            ip_posid: line,
        }
    }

    #[test]
    fn a_place_comes_back() {
        for page in [0, 1, 0xffff, 0x1_0000, (1 << PAGE_BITS) - 1] {
            for line in [1, 2, 291, 511] {
                let first = of_block(pointer(page, line)).expect("in range");
                for row in [0, 1, 2047, MAX_ROWS - 1] {
                    let ctid = of_row(first, row);
                    assert_ne!(ctid.ip_posid, 0);
                    let (block, back) = block_and_row(ctid);
                    let place = (block.ip_blkid.bi_hi, block.ip_blkid.bi_lo, block.ip_posid, back);
                    assert_eq!(place, ((page >> 16) as u16, page as u16, line, row));
                }
            }
        }
    }

    #[test]
    fn a_place_beyond_the_bits_is_refused() {
        assert!(of_block(pointer(1 << PAGE_BITS, 1)).is_err());
    }
}
