//! What a status says about each resource: the value and the limit that it runs into. `fleet.daily_history` says the
//! same in SQL; a test of the whole system holds the two against each other.

use super::{Resource, Status};

/// Utilisation at which a device is as good as exhausted: beyond it waiting times grow without bound.
pub const LOAD_LIMIT: f64 = 0.8;

/// A resource's value at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value: bytes, a ratio or a count, as the resource says.
    pub used: f64,
    /// The limit, in the same unit, where it is known.
    pub limit: Option<f64>,
}

impl Status {
    /// What this status says about a resource; `None` where it was not reported.
    pub fn reading(&self, resource: Resource) -> Option<Reading> {
        let (used, limit) = match resource {
            Resource::Capacity => (bytes(self.used_bytes)?, bytes(self.capacity_bytes)),
            Resource::Load => (self.utilisation?, Some(LOAD_LIMIT)),
            Resource::Endurance => (f64::from(self.endurance_used_percent?) / 100.0, Some(1.0)),
            Resource::Inodes => (
                self.inodes_used? as f64,
                self.inodes_total.filter(|total| *total > 0).map(|total| total as f64),
            ),
            Resource::ThinMetadata => (bytes(self.metadata_used_bytes)?, bytes(self.metadata_capacity_bytes)),
        };
        Some(Reading { used, limit })
    }
}

fn bytes(value: Option<crate::quantity::Bytes>) -> Option<f64> {
    value.map(|bytes| bytes.0 as f64)
}

#[cfg(test)]
mod tests {
    use super::Reading;
    use crate::quantity::Bytes;
    use crate::unit::{Resource, Status};

    #[test]
    fn what_is_absent_is_no_zero() {
        for resource in Resource::ALL {
            assert_eq!(Status::default().reading(resource), None, "{resource}");
        }
        let status = Status {
            used_bytes: Some(Bytes(7)),
            inodes_used: Some(3),
            inodes_total: Some(0),
            ..Status::default()
        };
        assert_eq!(status.reading(Resource::Capacity), Some(Reading { used: 7.0, limit: None }));
        assert_eq!(status.reading(Resource::Inodes), Some(Reading { used: 3.0, limit: None }));
    }

    #[test]
    fn endurance_is_a_ratio_and_may_pass_its_limit() {
        let status = Status { endurance_used_percent: Some(130), ..Status::default() };
        assert_eq!(status.reading(Resource::Endurance), Some(Reading { used: 1.3, limit: Some(1.0) }));
    }
}
