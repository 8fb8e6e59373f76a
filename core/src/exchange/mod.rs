//! What node and hub say to each other, versioned.
//!
//! All of it is JSON over HTTPS with mutual authentication. The hub's authority signs the node's certificate (DNS name
//! [`node_dns_name`]) and the hub's own client certificate (DNS name [`HUB_DNS_NAME`]); both sides check the *name*,
//! not the address, so a node may sit behind any address, tunnel or proxy.
//!
//! Node, read API:
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/answer` | [`Answer`]: specifications, user information, latest status, absences |
//! | `POST /v1/measure` | the same, measured now |
//! | `POST /v1/renew/request`, `POST /v1/renew/grant` | [`enrol::Request`], and 204 for the [`enrol::Grant`] to it |
//! | `GET /v1/samples?after=SEQ&limit=N` | [`Batch`], oldest first, of what is stored with a sequence above `after` |
//! | `GET /v1/samples?newest=N` | [`Batch`] of the newest N not yet acknowledged |
//! | `POST /v1/acknowledge` with [`Acknowledgement`] | 204: the range may be forgotten when space is short |
//!
//! Hub, intake API: `POST /v1/push` with [`Push`], answered by [`Acknowledgement`] after the rows are committed.
//! Errors on both sides are `application/problem+json`. A body may be compressed (`Content-Encoding: gzip`) in both
//! directions, an answer only for who accepts it.
//!
//! While no purpose is granted a node answers 403 to all of it. Once a purpose had been granted and all were withdrawn,
//! the answer is that decision alone: [`Answer`] with the user information's version and consent, without anything else.
//! Enrolment is in [`enrol`], the file for sites without a network in [`bundle`].

mod answer;
mod batch;
pub mod bundle;
pub mod enrol;

pub use answer::{Answer, NodeDescription, Placement, Push};
pub use batch::{Acknowledgement, Batch, SequenceRange};

/// Version of what this module describes; a reader refuses a higher one by name.
pub const PROTOCOL_VERSION: u32 = 1;

/// The DNS name in the hub's client certificate.
pub const HUB_DNS_NAME: &str = "hub.headroom.internal";

/// The DNS name in the certificate of the node with this id.
pub fn node_dns_name(node: uuid::Uuid) -> String {
    format!("{node}.node.headroom.internal")
}
