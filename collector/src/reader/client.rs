//! The networked part's side: a connection for each round, so that a reader that was started anew is found.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::talk::{self, Answer, Question};
use crate::probe::survey::Survey;
use crate::transport::TransportError;

/// What a reader needs beyond the devices' patience, to start, to look and to write.
const MARGIN: Duration = Duration::from_secs(15);

/// Where the reader listens.
#[derive(Debug, Clone)]
pub struct Reader {
    path: PathBuf,
    node: Uuid,
    patience: Duration,
}

impl Reader {
    /// A reader at a path, which waits for devices for so long.
    pub fn new(path: PathBuf, node: Uuid, patience: Duration) -> Self {
        Self { path, node, patience }
    }

    /// Lets it look at everything once.
    ///
    /// # Errors
    /// It does not answer, or could not look.
    pub fn survey(&self) -> Result<Survey, TransportError> {
        self.ask().unwrap_or_else(|error| {
            Err(TransportError::System {
                what: format!("the reader at {}", self.path.display()),
                message: format!("{error}: is headroom-node-reader running?"),
            })
        })
    }

    fn ask(&self) -> io::Result<Answer> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(self.patience + MARGIN))?;
        stream.set_write_timeout(Some(MARGIN))?;
        talk::send(&mut stream, &Question { node: self.node })?;
        talk::receive(&mut stream)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use uuid::Uuid;

    use super::Reader;
    use crate::config::{Settings, merge};
    use crate::reader::server;

    #[test]
    fn the_reader_sees_what_the_node_would_see_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader.sock");
        let settings = Settings::of(&merge(None, &BTreeMap::new(), &BTreeMap::new()).unwrap()).unwrap();
        let reader = Reader::new(path.clone(), Uuid::nil(), Duration::from_secs(1));
        let missing = reader.survey().unwrap_err();
        assert!(missing.to_string().contains("is headroom-node-reader running?"), "{missing}");
        // What a killed reader leaves behind is in nobody's way.
        drop(server::listen(&path).unwrap());
        let listener = server::listen(&path).unwrap();
        let own = settings.clone();
        // Ends with the test's process.
        std::thread::spawn(move || server::serve(&listener, &own, || jiff::Timestamp::UNIX_EPOCH));
        let seen = reader.survey().unwrap();
        let here = crate::probe::survey::of_machine(&settings, Uuid::nil())
            .0
            .survey(jiff::Timestamp::UNIX_EPOCH)
            .unwrap();
        let keys = |units: &[headroom_core::unit::UnitReport]| -> Vec<_> {
            units.iter().map(|unit| unit.key.clone()).collect()
        };
        assert_eq!(keys(&seen.units), keys(&here.units));
        assert!(server::listen(&path).is_err(), "two readers at one place");
    }
}
