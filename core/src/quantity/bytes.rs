//! Byte counts, printed in the unit of the thing they belong to.
//!
//! Drives and products are sold in powers of ten, file systems are measured in powers of two. The unit is always
//! written out, so "18 TiB" is never mistaken for "20 TB".

use core::fmt;

use serde::{Deserialize, Serialize};

/// A count of bytes. PostgreSQL keeps it as `bigint`, so it never exceeds [`i64::MAX`] there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Shown with decimal units (kB, MB, GB, TB, PB, EB): for drives and products.
    pub fn si(self) -> BytesSi {
        BytesSi(self.0)
    }

    /// Shown with binary units (KiB, MiB, GiB, TiB, PiB, EiB): for file systems and pools.
    pub fn iec(self) -> BytesIec {
        BytesIec(self.0)
    }
}

/// A byte count that prints with decimal units and at most two decimals.
#[derive(Debug, Clone, Copy)]
pub struct BytesSi(u64);

/// A byte count that prints with binary units and at most two decimals.
#[derive(Debug, Clone, Copy)]
pub struct BytesIec(u64);

impl fmt::Display for BytesSi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
    }
}

impl fmt::Display for BytesIec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }
}

fn scaled(f: &mut fmt::Formatter<'_>, bytes: u64, base: u64, names: [&str; 7]) -> fmt::Result {
    let mut power = 0;
    let mut divisor: u128 = 1;
    while power < 6 && u128::from(bytes) >= divisor * u128::from(base) {
        divisor *= u128::from(base);
        power += 1;
    }
    if power == 0 {
        return write!(f, "{bytes} B");
    }
    let mut hundredths = (u128::from(bytes) * 100 + divisor / 2) / divisor;
    if hundredths >= u128::from(base) * 100 && power < 6 {
        hundredths = 100;
        power += 1;
    }
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (whole, rest) {
        (_, 0) => write!(f, "{whole} {}", names[power]),
        (100.., _) => write!(f, "{} {}", (hundredths + 50) / 100, names[power]),
        (_, r) if r % 10 == 0 => write!(f, "{whole}.{} {}", r / 10, names[power]),
        (_, r) => write!(f, "{whole}.{r:02} {}", names[power]),
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn a_twenty_terabyte_drive_is_called_twenty_terabytes() {
        assert_eq!(Bytes(20_000_588_955_648).si().to_string(), "20 TB");
        assert_eq!(Bytes(20_000_588_955_648).iec().to_string(), "18.19 TiB");
    }

    #[test]
    fn edges_are_printed_with_a_unit() {
        assert_eq!(Bytes(0).si().to_string(), "0 B");
        assert_eq!(Bytes(999).si().to_string(), "999 B");
        assert_eq!(Bytes(999_999).si().to_string(), "1 MB");
        assert_eq!(Bytes(1024).iec().to_string(), "1 KiB");
        assert_eq!(Bytes(1_500_000).si().to_string(), "1.5 MB");
        assert_eq!(Bytes(u64::MAX).iec().to_string(), "16 EiB");
    }
}
