//! The hub's own certificate authority: node and hub trust nothing else.
//!
//! [`store`] keeps its keys in the data folder, [`issue`] signs certificates, [`names`] reads the name in one,
//! [`tls`] makes the two sides of a connection from them.

mod issue;
mod names;
mod store;
mod tls;

pub(crate) use issue::{IssuedCertificate, NODE_CERTIFICATE_DAYS, RequestRefused};
pub(crate) use names::{PeerName, fingerprint, name_of, serial_of};
pub(crate) use store::{Authority, Credentials};
pub(crate) use tls::{Expected, client_config, fingerprint_client_config, server_config, web_config};
