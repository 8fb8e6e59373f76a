//! The hub's own certificate authority: node and hub trust nothing else.
//!
//! [`store`] keeps its keys in the data folder, [`issue`] signs certificates, [`revoke`] the list of those that hold no
//! longer, [`names`] reads the name in one and checks a signature, [`tls`] makes the two sides of a connection from them.

mod issue;
mod names;
mod revoke;
mod store;
mod tls;

pub(crate) use issue::{IssuedCertificate, NODE_CERTIFICATE_DAYS, RequestRefused};
pub(crate) use names::{PeerName, fingerprint, is_signed_by, name_of, not_after, serial_of};
pub(crate) use store::{Authority, Credentials, replace_hub_certificate};
pub(crate) use tls::{Expected, client_config, fingerprint_client_config, server_config, web_config};
