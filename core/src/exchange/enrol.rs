//! Enrolment: how a node gets its certificate, once, whichever side starts it.
//!
//! *The node starts.* A person at the hub makes a token (`headroom node token`) and gives it to the node's owner, who
//! runs `headroom-node enrol --hub ADDRESS --token TOKEN`. The node checks that the hub's certificate has the
//! fingerprint in the token, sends [`Request`] to `POST /v1/enrol` of the hub's intake, and gets [`Grant`].
//!
//! *The hub starts.* The node's owner runs `headroom-node enrol --listen ADDRESS`, which prints a token with the
//! fingerprint of a certificate made for this one conversation. A person at the hub runs
//! `headroom node add ADDRESS --token TOKEN`: the hub checks the fingerprint, gets [`Request`] from
//! `POST /v1/enrol/request` with the [`Opening`], signs it, and sends [`Grant`] to `POST /v1/enrol/grant`.
//!
//! A token works once and for one hour. Its text form is `HRT1.<secret>.<fingerprint>`: 32 bytes of secret and the
//! SHA-256 of the DER certificate that the presenter's peer will show, both in lower-case hexadecimal.
//!
//! *Renewal.* The node sends a new [`Request`] without a secret to `POST /v1/renew` of the hub's intake, over the still
//! valid certificate. Where nothing may connect to the hub, the hub asks over the node's read API:
//! `POST /v1/renew/request` gives the [`Request`], `POST /v1/renew/grant` takes the [`Grant`].
//!
//! *Without a network.* `headroom-node enrol --request FILE` writes the [`Request`] as JSON, a person carries it to the
//! hub, which signs it, and `headroom-node enrol --grant FILE` takes the [`Grant`] that comes back.
//!
//! After a long absence a node enrols again: it keeps its id, its store and its history, only the certificate is new.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a node asks to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The token's secret, in hexadecimal; empty for a renewal, where the certificate speaks for the node.
    #[serde(default)]
    pub secret: String,
    /// The node's id.
    pub node: Uuid,
    /// PKCS#10 certificate signing request, PEM.
    pub signing_request: String,
    /// The address at which the node's read API answers, `host:port`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// The hub opens an enrolment that the node listens for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The token's secret, in hexadecimal.
    pub secret: String,
}

/// What the hub grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The node's certificate and chain, PEM.
    pub certificate: String,
    /// The hub's authority, PEM: both sides trust nothing else.
    pub authority: String,
    /// The hub's intake for pushes and renewal, `host:port`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_address: Option<String>,
    /// Certificates of this authority that hold no longer: a PEM certificate revocation list, signed by it. The node
    /// refuses who shows one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<String>,
}

/// A one-time enrolment token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The secret.
    pub secret: [u8; 32],
    /// SHA-256 of the DER certificate that the other side shows.
    pub fingerprint: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HRT1.{}.{}", hexadecimal(&self.secret), hexadecimal(&self.fingerprint))
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no enrolment token: it must read HRT1.<64 hexadecimal digits>.<64 hexadecimal digits>")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().split('.');
        let (Some("HRT1"), Some(secret), Some(fingerprint), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadToken);
        };
        Ok(Self { secret: parse_32(secret)?, fingerprint: parse_32(fingerprint)? })
    }
}

/// The bytes that a text in hexadecimal stands for; `None` where it is none.
pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits.chunks_exact(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

fn parse_32(text: &str) -> Result<[u8; 32], BadToken> {
    bytes_of(text).and_then(|bytes| bytes.try_into().ok()).ok_or(BadToken)
}

#[cfg(test)]
mod tests {
    use super::{BadToken, Token};

    #[test]
    fn a_token_survives_being_printed_and_read() {
        let token = Token { secret: [7; 32], fingerprint: [0xfe; 32] };
        assert_eq!(token.to_string().parse::<Token>(), Ok(token));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "HRT1",
            "HRT1..",
            "HRT2.00.00",
            "HRT1.é.é",
            &format!("HRT1.{}.{}", "0".repeat(64), "g".repeat(64)),
        ] {
            assert_eq!(text.parse::<Token>(), Err(BadToken), "{text:?}");
        }
    }
}
