//! The bundle: what a push would say, as a signed file that a person carries where there is no network.
//!
//! The file is gzip of lines of JSON, each ended by a line feed:
//!
//! 1. [`Header`]: format, the node's certificate, when it was made;
//! 2. any number of [`Push`](super::Push), newest batch first;
//! 3. [`Trailer`]: the signature over every byte before it, line feeds included, and the number of pushes.
//!
//! The signature is ECDSA over P-256 with SHA-256, in ASN.1 form, by the key of the certificate. The hub checks that its
//! authority signed the certificate, that the certificate is not revoked, that it held when the bundle was made, and the
//! signature, before it looks at a push. Importing a bundle twice changes nothing. What the hub committed it writes as
//! JSON, an array of [`Acknowledgement`](super::Acknowledgement), which may travel back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The format's name and version.
pub const FORMAT: &str = "headroom-bundle-1";

/// First line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The node's id; the certificate must name it.
    pub node: Uuid,
    /// When it was made, by the node's clock.
    pub made_at: Timestamp,
    /// The node's certificate, PEM.
    pub certificate: String,
}

/// Last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// Number of pushes between header and trailer.
    pub pushes: u64,
    /// The signature, lower-case hexadecimal.
    pub signature: String,
}

/// Why a file is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBundle {
    /// It has too few lines, or its last line has no end.
    #[error("the bundle is cut off: it has no header, or no trailer with the signature")]
    CutOff,
    /// A line is not what it should be.
    #[error("line {line} of the bundle is damaged: {reason}")]
    Damaged {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Another format.
    #[error("this bundle has the format {0:?}, this program reads {FORMAT:?}")]
    Format(String),
    /// Lines were taken out or put in.
    #[error("the bundle holds {found} pushes where its trailer counts {counted}")]
    Count {
        /// Pushes found.
        found: u64,
        /// Pushes that the trailer counts.
        counted: u64,
    },
}

/// A bundle's parts, before anybody believes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// First line.
    pub header: Header,
    /// The pushes, each a line of JSON.
    pub pushes: Vec<&'a [u8]>,
    /// What was signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
}

/// Takes a bundle (after decompression) apart. Says nothing about its signature.
///
/// # Errors
/// It is cut off or damaged, or has another format.
pub fn take_apart(bytes: &[u8]) -> Result<Parts<'_>, BadBundle> {
    let whole = bytes.strip_suffix(b"\n").ok_or(BadBundle::CutOff)?;
    let last_line = whole.iter().rposition(|byte| *byte == b'\n').ok_or(BadBundle::CutOff)? + 1;
    let (signed, trailer) = (&bytes[..last_line], &whole[last_line..]);
    let mut lines: Vec<&[u8]> = signed[..signed.len() - 1].split(|byte| *byte == b'\n').collect();
    let damaged = |line: usize, reason: String| BadBundle::Damaged { line, reason };
    let header: Header =
        serde_json::from_slice(lines.remove(0)).map_err(|error| damaged(1, error.to_string()))?;
    if header.format != FORMAT {
        return Err(BadBundle::Format(header.format));
    }
    let trailer_line = lines.len() + 2;
    let trailer: Trailer =
        serde_json::from_slice(trailer).map_err(|error| damaged(trailer_line, error.to_string()))?;
    let found = lines.len() as u64;
    if found != trailer.pushes {
        return Err(BadBundle::Count { found, counted: trailer.pushes });
    }
    let signature = super::enrol::bytes_of(&trailer.signature)
        .ok_or_else(|| damaged(trailer_line, "the signature is no hexadecimal".to_owned()))?;
    Ok(Parts { header, pushes: lines, signed, signature })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{BadBundle, FORMAT, Header, Trailer, take_apart};

    fn bundle() -> Vec<u8> {
        let header = Header {
            format: FORMAT.to_owned(),
            node: Uuid::nil(),
            made_at: Timestamp::UNIX_EPOCH,
            certificate: "-".to_owned(),
        };
        let mut bytes = serde_json::to_vec(&header).unwrap();
        bytes.extend_from_slice(b"\n{\"a\":1}\n{\"b\":2}\n");
        bytes.extend(serde_json::to_vec(&Trailer { pushes: 2, signature: "00ff".to_owned() }).unwrap());
        bytes.push(b'\n');
        bytes
    }

    #[test]
    fn a_whole_bundle_comes_apart() {
        let bytes = bundle();
        let parts = take_apart(&bytes).unwrap();
        assert_eq!(parts.pushes, [b"{\"a\":1}", b"{\"b\":2}"]);
        assert_eq!(parts.signature, [0, 0xff]);
        assert!(parts.signed.ends_with(b"{\"b\":2}\n"));
    }

    #[test]
    fn a_bundle_cut_anywhere_is_refused() {
        let bytes = bundle();
        for cut in 0..bytes.len() {
            assert!(take_apart(&bytes[..cut]).is_err(), "{cut}");
        }
        let fewer = bytes.windows(8).position(|window| window == b"{\"a\":1}\n").unwrap();
        let mut fewer_bytes = bytes;
        fewer_bytes.drain(fewer..fewer + 8);
        assert_eq!(take_apart(&fewer_bytes), Err(BadBundle::Count { found: 1, counted: 2 }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(take_apart(&bytes).is_err());
        }
    }
}
