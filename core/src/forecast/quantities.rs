//! How a resource's values are printed: with their unit, as a person of the trade writes them.

use crate::{quantity::Bytes, unit::Resource};

/// A limit of load above this is no ratio: operations or bytes a second, printed as plain numbers.
const RATIO_LIMIT_MAX: f64 = 10.0;

/// Prints values of one resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quantities {
    /// Bytes, in powers of two: the resource does not say whether it is a drive's or a file system's.
    Bytes,
    /// A ratio, in per cent.
    Ratio,
    /// Inodes.
    Inodes,
    /// Load in a unit of the asker's own.
    Plain,
}

impl Quantities {
    /// The printer for a resource that runs into this limit.
    pub(super) fn of(resource: Resource, limit: Option<f64>) -> Self {
        match resource {
            Resource::Capacity | Resource::ThinMetadata => Self::Bytes,
            Resource::Load if limit.is_some_and(|limit| limit > RATIO_LIMIT_MAX) => Self::Plain,
            Resource::Load | Resource::Endurance => Self::Ratio,
            Resource::Inodes => Self::Inodes,
        }
    }

    /// Whether a fall is room that was freed.
    pub(super) fn can_be_freed(self) -> bool {
        matches!(self, Self::Bytes | Self::Inodes)
    }

    /// A value that is not negative.
    pub(super) fn print(self, value: f64) -> String {
        match self {
            Self::Bytes => Bytes(value as u64).iec().to_string(),
            Self::Ratio => format!("{:.1} %", value * 100.0),
            Self::Inodes => format!("{value:.0} inodes"),
            Self::Plain => significant(value),
        }
    }

    /// The distance of two values.
    pub(super) fn print_step(self, step: f64) -> String {
        match self {
            Self::Ratio => format!("{} percentage points", significant(step * 100.0)),
            _ => self.print(step),
        }
    }

    /// A change, with its sign, beside others of the same unit.
    pub(super) fn print_change_beside(self, change: f64) -> String {
        let sign = if change < 0.0 { "−" } else { "+" };
        match self {
            Self::Ratio => format!("{sign}{}", significant(change.abs() * 100.0)),
            Self::Inodes => format!("{sign}{:.0}", change.abs()),
            _ => self.print_change(change),
        }
    }

    /// A change, with its sign.
    pub(super) fn print_change(self, change: f64) -> String {
        let sign = if change < 0.0 { "−" } else { "+" };
        format!("{sign}{}", self.print_step(change.abs()))
    }
}

/// Three digits that say something, without an exponent where a person would write none.
fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let before_point = libm::floor(libm::log10(value.abs())) as i32 + 1;
    match before_point {
        ..-6 => format!("{value:.2e}"),
        16.. => format!("{value:.2e}"),
        _ => {
            let text = format!("{value:.*}", usize::try_from(3 - before_point).unwrap_or(0));
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}
