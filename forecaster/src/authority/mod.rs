//! The hub's own certificate authority: node and hub trust nothing else.
//!
//! [`store`] keeps its keys in the data folder, [`issue`] signs certificates, [`revoke`] the list of those that hold no
//! longer, [`tls`] makes the two sides of a connection from them; whom one speaks for is told by [`headroom_peer`].

mod issue;
mod revoke;
mod store;
mod tls;

pub(crate) use issue::{IssuedCertificate, NODE_CERTIFICATE_DAYS, RequestRefused};
pub(crate) use store::{Authority, Credentials, replace_hub_certificate};
pub(crate) use tls::{Expected, client_config, server_config, web_config};
