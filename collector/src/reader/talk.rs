//! Question and answer on the socket: a length in four bytes (little-endian) and that much JSON.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::probe::survey::Survey;
use crate::transport::TransportError;

/// No message is longer, bytes: a machine with thousands of devices tells a few megabytes.
const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// Look at everything once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// The node's id: it names the machine where that has no id of its own.
    pub(super) node: Uuid,
}

/// What was seen.
pub(super) type Answer = Result<Survey, TransportError>;

pub(super) fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the message is too long"))?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(&json)?;
    stream.flush()
}

/// `None` where the other side closed before a message began.
pub(super) fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if let Err(error) = stream.read_exact(&mut length) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u32::from_le_bytes(length);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    // Grows with what comes: a length alone reserves nothing.
    let mut json = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut json)?;
    if json.len() != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&json).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{Answer, Question, receive, send};

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let mut line = Vec::new();
        let question = Question { node: Uuid::from_u128(5) };
        send(&mut line, &question).unwrap();
        let mut rest = line.as_slice();
        assert_eq!(receive::<Question>(&mut rest).unwrap(), Some(question));
        assert_eq!(receive::<Question>(&mut rest).unwrap(), None);
        for cut in 1..line.len() {
            let cut_off = receive::<Question>(&mut &line[..cut]);
            assert!(cut_off.is_err() || cut < 4, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 4..200)) {
            prop_assert!(receive::<Answer>(&mut bytes.as_slice()).is_err());
        }
    }
}
