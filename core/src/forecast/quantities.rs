//! How a resource's values are printed: with their unit, as a person of the trade writes them.

use crate::{quantity::Bytes, unit::Resource};

/// Prints values of one resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantities(Resource);

impl Quantities {
    /// The printer for a resource.
    pub(super) fn of(resource: Resource) -> Self {
        Self(resource)
    }

    /// A value that is not negative.
    pub(super) fn print(&self, value: f64) -> String {
        match self.0 {
            // Both units, since the resource does not say whether it is a drive's or a file system's.
            Resource::Capacity | Resource::ThinMetadata => Bytes(value as u64).iec().to_string(),
            Resource::Load | Resource::Endurance => format!("{:.1} %", value * 100.0),
            Resource::Inodes => format!("{value:.0} inodes"),
        }
    }

    /// A change, with its sign.
    pub(super) fn print_change(&self, change: f64) -> String {
        let sign = if change < 0.0 { "−" } else { "+" };
        match self.0 {
            Resource::Load | Resource::Endurance => {
                format!("{sign}{:.3} percentage points", change.abs() * 100.0)
            }
            _ => format!("{sign}{}", self.print(change.abs())),
        }
    }
}
