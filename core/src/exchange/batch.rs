//! Batches of samples and their acknowledgement: each sample reaches the hub exactly once.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::unit::Sample;

/// A range of sequence numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SequenceRange {
    /// First sequence number.
    pub first: u64,
    /// Last sequence number; never below `first`.
    pub last: u64,
}

/// Stored samples of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Which node.
    pub node: Uuid,
    /// Which store file: sequence numbers mean something only together with it.
    pub store: Uuid,
    /// The sequence numbers that this batch speaks for, both ends included: each of them is either in `samples` or in
    /// `gaps`. `None` for an empty batch.
    pub range: Option<SequenceRange>,
    /// Sequence numbers inside `range` that the node no longer has, because it thinned old samples to save space.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<SequenceRange>,
    /// The samples, by rising sequence.
    pub samples: Vec<Sample>,
    /// Whether the store holds samples above `range`.
    pub more: bool,
}

/// The hub has committed every sample of this range. The node may forget what lies inside it, and nothing else:
/// reading the newest first leaves holes, so a highest number alone would lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Which store file.
    pub store: Uuid,
    /// What was committed.
    pub range: SequenceRange,
}
