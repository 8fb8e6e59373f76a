//! `dmsetup status` of a thin pool: spent data *and* metadata, two ways to run out.
//!
//! Line: `[name:] start length thin-pool transaction used/total-metadata used/total-data held-root flags…`
//! (Linux, Documentation/admin-guide/device-mapper/thin-provisioning.rst). Metadata blocks are of 4096 bytes, data
//! blocks of the size in `dmsetup table`; sectors are of 512 bytes.

use headroom_core::unit::{AbsenceReason, CapacitySource, ComponentKind};
use serde::Serialize;

use super::{DecodeError, Findings, Part};

const PAGE: &str = "dmsetup status of a thin pool";
/// Bytes of a metadata block: fixed by the kernel.
const METADATA_BLOCK_BYTES: u64 = 4096;

/// A thin pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThinPool {
    /// Name of the device, where the line has it.
    pub name: Option<String>,
    /// Size, sectors of 512 bytes.
    pub sectors: u64,
    /// Metadata blocks of 4096 bytes: used, in all.
    pub metadata_blocks: (u64, u64),
    /// Data blocks: used, in all.
    pub data_blocks: (u64, u64),
    /// `rw`, `ro` or `out_of_data_space`.
    pub mode: Option<String>,
    /// Bytes of a data block; `None` where neither the table nor the size tells it.
    pub block_bytes: Option<u64>,
}

/// Whether a line is a thin pool's.
pub fn is_thin_pool(line: &str) -> bool {
    line.split_whitespace().any(|word| word == "thin-pool")
}

/// Decodes one line. `block_sectors` is the data block size from `dmsetup table` (its fifth word after `thin-pool`'s
/// two devices); without it the size is worked out where it divides.
///
/// # Errors
/// [`DecodeError`] where the line has another form, says more used than in all, or the pool has failed.
pub fn decode(line: &str, block_sectors: Option<u64>) -> Result<ThinPool, DecodeError> {
    let bad = |what: String| DecodeError::BadText { page: PAGE, offset: 0, length: line.len(), what };
    let (name, rest) = match line.split_once(": ") {
        Some((name, rest)) => (Some(name.trim().to_owned()), rest),
        None => (None, line),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize, what: &str| {
        let word = words.get(index).ok_or_else(|| bad(format!("{what} is missing")))?;
        word.parse::<u64>().map_err(|_| bad(format!("{what} is {word:?}, not a number")))
    };
    let sectors = number(1, "the length")?;
    if words.get(2) != Some(&"thin-pool") {
        return Err(bad("the target is not thin-pool".to_owned()));
    }
    if matches!(words.get(3), Some(&"Fail" | &"Error")) {
        return Err(bad(
            "the pool has failed: its metadata cannot be read; see dmesg and thin_repair".to_owned()
        ));
    }
    let pair = |index: usize, what: &str| {
        let word = words.get(index).ok_or_else(|| bad(format!("{what} is missing")))?;
        let (used, total) =
            word.split_once('/').ok_or_else(|| bad(format!("{what} is {word:?}, not used/total")))?;
        let parse = |text: &str| text.parse::<u64>().map_err(|_| bad(format!("{what} is {word:?}")));
        let (used, total) = (parse(used)?, parse(total)?);
        if used > total || total == 0 {
            return Err(bad(format!("{what} is {word:?}: more used than there is")));
        }
        Ok((used, total))
    };
    let metadata_blocks = pair(4, "metadata blocks")?;
    let data_blocks = pair(5, "data blocks")?;
    let mode =
        words.get(7..).unwrap_or(&[]).iter().find(|word| matches!(**word, "rw" | "ro" | "out_of_data_space"));
    // The pool's length is a whole number of blocks unless its data device was not.
    let divides = sectors.is_multiple_of(data_blocks.1).then(|| sectors / data_blocks.1);
    let block_bytes =
        block_sectors.or(divides).and_then(|sectors| sectors.checked_mul(512)).filter(|b| *b > 0);
    Ok(ThinPool {
        name,
        sectors,
        metadata_blocks,
        data_blocks,
        mode: mode.map(|m| (*m).to_owned()),
        block_bytes,
    })
}

impl ThinPool {
    /// The pool as core knows it.
    pub fn part(&self) -> Part {
        let mut found = Findings::default();
        found.specs.thin = Some(true);
        found.specs.format = Some("dm-thin".to_owned());
        match self.block_bytes {
            Some(block) => {
                let bytes = |blocks: u64| u128::from(blocks) * u128::from(block);
                let source = "dmsetup status thin-pool data blocks, times the block size";
                found.status.capacity_bytes =
                    found.bytes("capacity_bytes", bytes(self.data_blocks.1), source);
                found.specs.capacity_bytes = found.status.capacity_bytes;
                found.status.used_bytes = found.bytes("used_bytes", bytes(self.data_blocks.0), source);
                found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::Lvm);
            }
            None => {
                for field in ["capacity_bytes", "used_bytes"] {
                    let detail =
                        "the length is no whole number of data blocks: dmsetup table tells their size";
                    found.absent(field, AbsenceReason::NotReported, detail);
                }
            }
        }
        let bytes = |blocks: u64| u128::from(blocks) * u128::from(METADATA_BLOCK_BYTES);
        let source = "dmsetup status thin-pool metadata blocks, times 4096";
        found.status.metadata_capacity_bytes =
            found.bytes("metadata_capacity_bytes", bytes(self.metadata_blocks.1), source);
        found.status.metadata_used_bytes =
            found.bytes("metadata_used_bytes", bytes(self.metadata_blocks.0), source);
        let name = self.name.as_deref().unwrap_or("thin-pool");
        let mut part = Part::new(ComponentKind::Pool, found, &format!("dm:{name}"));
        part.label.clone_from(&self.name);
        part
    }
}

/// Whether a line is a thin volume's.
pub fn is_thin_volume(line: &str) -> bool {
    line.split_whitespace().nth(2) == Some("thin")
}

/// The block size in a pool's table: `start length thin-pool METADATA DATA BLOCK-SECTORS …`.
pub fn block_sectors(table: &str) -> Option<u64> {
    let words: Vec<&str> = table.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "thin-pool")?;
    words.get(place + 3)?.parse().ok().filter(|sectors| (128..=2_097_152).contains(sectors))
}

/// A thin volume's status, `start length thin MAPPED-SECTORS HIGHEST`: what is mapped is spent.
///
/// # Errors
/// [`DecodeError`] where the line has another form or maps more than the volume's length.
pub fn thin_volume(line: &str) -> Result<Findings, DecodeError> {
    let bad = |what: String| DecodeError::BadText {
        page: "dmsetup status of a thin volume",
        offset: 0,
        length: line.len(),
        what,
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize, what: &str| {
        let word = words.get(index).copied().unwrap_or("");
        word.parse::<u64>().map_err(|_| bad(format!("{what} is {word:?}, not a number")))
    };
    let (length, mapped) = (number(1, "the length")?, number(3, "the number of mapped sectors")?);
    if mapped > length {
        return Err(bad(format!("{mapped} of {length} sectors are mapped")));
    }
    let mut found = Findings::default();
    found.specs.thin = Some(true);
    found.source("thin", "dmsetup status, target thin");
    let source = "dmsetup status thin, mapped sectors of 512 bytes";
    found.status.used_bytes = found.bytes("used_bytes", u128::from(mapped) * 512, source);
    found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::Lvm);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{block_sectors, decode, is_thin_volume, thin_volume};

    const LINE: &str =
        "pool: 0 131072 thin-pool 1 17/1024 320/1024 - rw discard_passdown queue_if_no_space - 1024";

    #[test]
    fn data_and_metadata_are_two_resources() {
        let pool = decode(LINE, None).unwrap();
        assert_eq!((pool.block_bytes, pool.mode.as_deref()), (Some(65_536), Some("rw")));
        let status = pool.part().findings.status;
        assert_eq!(status.used_bytes, Some(Bytes(320 * 65_536)));
        assert_eq!(status.metadata_used_bytes, Some(Bytes(17 * 4096)));
    }

    #[test]
    fn a_length_that_does_not_divide_needs_the_table() {
        let line = "0 131073 thin-pool 1 17/1024 320/1024 - rw";
        assert_eq!(decode(line, None).unwrap().part().findings.status.used_bytes, None);
        assert_eq!(
            decode(line, Some(128)).unwrap().part().findings.status.used_bytes,
            Some(Bytes(320 << 16))
        );
    }

    #[test]
    fn damage_and_failure_are_named() {
        for line in [
            "",
            "0 1 thin-pool Fail",
            "0 1 linear 8:0",
            "0 9 thin-pool 1 5/4 1/2 -",
            "0 9 thin-pool 1 a/b 1/2",
        ] {
            assert!(decode(line, None).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_thin_volume_has_spent_what_is_mapped() {
        let line = "0 409600 thin 40960 81919";
        assert!(is_thin_volume(line) && !is_thin_volume(LINE));
        assert_eq!(thin_volume(line).unwrap().status.used_bytes, Some(Bytes(40_960 * 512)));
        for line in ["", "0 10 thin 11 12", "0 10 thin - -", "0 10 thin Fail"] {
            assert!(thin_volume(line).is_err(), "{line:?}");
        }
        assert_eq!(block_sectors("0 131072 thin-pool 7:0 7:1 128 32768 0"), Some(128));
        assert_eq!(block_sectors("0 131072 thin-pool 7:0 7:1 x"), None);
    }
}
