//! What can run out.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A resource of a component that can run out. Forecasts are made per resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Space for data, bytes.
    Capacity,
    /// Utilisation, ratio 0…1 of the time or of the rating.
    Load,
    /// Endurance used, ratio of the rated writes; may exceed 1.
    Endurance,
    /// Inodes of a file system, count.
    Inodes,
    /// Metadata space of a thin pool, bytes.
    ThinMetadata,
}

impl Resource {
    /// Every resource, in the order in which pages list them.
    pub const ALL: [Self; 5] =
        [Self::Capacity, Self::Load, Self::Endurance, Self::Inodes, Self::ThinMetadata];

    /// The name in SQL, JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Load => "load",
            Self::Endurance => "endurance",
            Self::Inodes => "inodes",
            Self::ThinMetadata => "thin_metadata",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A resource name that is none of [`Resource::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown resource {0:?}: use capacity, load, endurance, inodes or thin_metadata")]
pub struct UnknownResource(pub String);

impl FromStr for Resource {
    type Err = UnknownResource;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|r| r.as_str() == name).ok_or_else(|| UnknownResource(name.to_owned()))
    }
}
