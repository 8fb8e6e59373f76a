//! How a resource's values are written. The unit is always there: "14.2 TB", "9.1 TiB", "71 %", "1,204,000 inodes".

use headroom_core::quantity::Bytes;
use headroom_core::unit::Resource;

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Bytes of a drive or a product, shown in powers of ten.
    BytesSi,
    /// Bytes of a file system or a pool, shown in powers of two.
    BytesIec,
    /// A ratio, shown in percent.
    Ratio,
    /// A count of inodes.
    Inodes,
}

impl Measure {
    /// The measure of a resource; `binary` for components that are measured in powers of two.
    pub(crate) fn of(resource: Resource, binary: bool) -> Self {
        match resource {
            Resource::Capacity if binary => Self::BytesIec,
            Resource::Capacity => Self::BytesSi,
            Resource::ThinMetadata => Self::BytesIec,
            Resource::Load | Resource::Endurance => Self::Ratio,
            Resource::Inodes => Self::Inodes,
        }
    }

    /// A value with its unit. What is not finite is written as "not known".
    pub(crate) fn write(self, value: f64) -> String {
        if !value.is_finite() {
            return "not known".to_owned();
        }
        // Values are clamped, so the casts below cannot wrap.
        let whole = value.max(0.0).round() as u64;
        match self {
            Self::BytesSi => Bytes(whole).si().to_string(),
            Self::BytesIec => Bytes(whole).iec().to_string(),
            Self::Ratio => percent(value),
            Self::Inodes => format!("{} inodes", grouped(whole)),
        }
    }

    /// Distance between axis marks are chosen from powers of this base.
    pub(crate) fn step_base(self) -> f64 {
        if self == Self::BytesIec { 1024.0 } else { 1000.0 }
    }
}

/// A ratio in percent: "71 %", "0.4 %", "< 0.1 %".
pub(crate) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if !percent.is_finite() {
        return "not known".to_owned();
    }
    if percent > 0.0 && percent < 0.05 {
        "< 0.1 %".to_owned()
    } else if percent.abs() < 10.0 && (percent - percent.round()).abs() >= 0.05 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Measure, grouped, percent};

    #[test]
    fn every_value_carries_its_unit() {
        assert_eq!(Measure::BytesSi.write(14.2e12), "14.2 TB");
        assert_eq!(Measure::BytesIec.write(1_099_511_627_776.0), "1 TiB");
        assert_eq!(Measure::Ratio.write(0.714), "71 %");
        assert_eq!(Measure::Inodes.write(1_204_000.0), "1,204,000 inodes");
        assert_eq!(Measure::BytesSi.write(f64::NAN), "not known");
    }

    #[test]
    fn small_shares_are_not_rounded_to_nothing() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_1), "< 0.1 %");
        assert_eq!(percent(0.014), "1.4 %");
        assert_eq!(percent(0.996), "100 %");
        assert_eq!(percent(f64::INFINITY), "not known");
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }
}
