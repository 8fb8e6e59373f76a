//! Who the other side of a connection between node and hub is. Both programs ask it in the same way, so it is written once;
//! what each of them accepts is its own. Without I/O: certificates and texts come in, answers and rustls's settings go out.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`name`] | who a certificate speaks for: names are authenticated, not addresses |
//! | [`certificate`] | what else is read from one, and whether a signature is by its key |
//! | [`fingerprint`] | the one conversation of an enrolment, in which the server is known by its certificate's fingerprint |

pub mod certificate;
pub mod fingerprint;
pub mod name;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// The one provider of cryptography: ring.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Why something is no certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// It cannot be parsed.
    #[error("this is no X.509 certificate: {0}")]
    Malformed(String),
    /// None of its names means something here.
    #[error("the certificate names neither the hub nor a node")]
    Foreign,
}
