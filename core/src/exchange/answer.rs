//! The answer of a node: the three things of claim 1, specifications, user information and status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Batch;
use crate::unit::{Absence, Remark, Sample, UnitReport, UserInformation};

/// Where the node runs: on the host above the peripheral (claim 1) or in the peripheral itself (claim 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// On the host that the peripheral is attached to.
    #[default]
    Host,
    /// In the peripheral: an array, NAS or JBOD controller.
    Peripheral,
}

/// Which node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// The node's id, made at its first start and kept.
    pub node: Uuid,
    /// Where it runs.
    pub placement: Placement,
    /// Version of the program.
    pub software: String,
    /// Random id made with each store file: a fresh store starts its sequence anew under a new id.
    pub store: Uuid,
    /// Seconds between two measurements.
    pub interval_seconds: u32,
}

/// What a node tells when asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`super::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// Which node answers.
    #[serde(flatten)]
    pub description: NodeDescription,
    /// The node's clock when it answered.
    pub answered_at: Timestamp,
    /// User information, as the node's owner set it.
    pub user: UserInformation,
    /// Units with their components and specifications.
    pub units: Vec<UnitReport>,
    /// Latest status of each component.
    pub status: Vec<Sample>,
    /// What is not reported, and why.
    pub absences: Vec<Absence>,
    /// What a person should know and no figure says: what holds now, such as two pages of a drive that disagree, and
    /// what happened lately, such as a clock that jumped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// Components that are not there any more while samples of them are still held: unplugged drives, unmounted file
    /// systems, as last described. Batches may speak of them; they have no status and no absences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<UnitReport>,
    /// How the node itself does, one sentence each, where it does not do well: a store that cannot be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// What a node sends by itself to the hub: the same answer, with a batch of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// Who it is and what it has.
    pub answer: Answer,
    /// Stored samples.
    pub batch: Batch,
}
