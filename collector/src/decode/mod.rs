//! Pure decoders: bytes or text in, core's types or a typed error out. Nothing here asks a device.
//!
//! | Room | What it reads |
//! |---|---|
//! | `nvme_identify` | controller, namespaces, namespace list, descriptors |
//! | `nvme_smart` | log page 02h |
//!
//! [`Page`] bounds every read, [`Findings`] gathers what pages say of one component.

mod error;
mod findings;
pub mod nvme_identify;
pub mod nvme_smart;
mod page;

pub use error::DecodeError;
pub use findings::{BYTES_MAX, Findings, Missing, is_believable_identity};
pub use page::{Page, clean_text};
