//! The bundle: what a push would say, as a signed file. The format is in `headroom_core::exchange::bundle`.

use std::io::{self, Write};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use headroom_core::exchange::bundle::{FORMAT, Header, Trailer};
use headroom_core::exchange::{Answer, Push, SequenceRange, enrol::hexadecimal};
use jiff::Timestamp;
use rcgen::{KeyPair, SigningKey as _};
use uuid::Uuid;

use crate::credentials::Credentials;
use crate::store::{Order, Store};

/// Samples in one push of a bundle.
const PUSH_SAMPLES: u32 = 1_000;

/// What a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Bundled {
    /// Pushes.
    pub pushes: u64,
    /// Samples in them.
    pub samples: u64,
}

/// Writes a bundle of what the hub has not acknowledged, newest first, or of everything.
///
/// # Errors
/// The store cannot be read or the file cannot be written.
pub fn write(
    out: impl Write,
    store: &Store,
    node: Uuid,
    answer: &Answer,
    credentials: &Credentials,
    everything: bool,
    now: Timestamp,
) -> anyhow::Result<Bundled> {
    let mut lines = Lines { out: GzEncoder::new(out, Compression::default()), signed: Vec::new() };
    let certificate = credentials.certificate.clone();
    lines.line(&Header { format: FORMAT.to_owned(), node, made_at: now, certificate })?;
    let mut bundled = Bundled::default();
    for range in ranges(store, everything)? {
        // Downwards from the newest.
        let mut last = range.last;
        while last >= range.first {
            let first = last.saturating_sub(u64::from(PUSH_SAMPLES) - 1).max(range.first);
            let batch = store.batch_of(node, SequenceRange { first, last })?;
            bundled.samples += batch.samples.len() as u64;
            bundled.pushes += 1;
            lines.line(&Push { answer: answer.clone(), batch })?;
            last = first - 1;
        }
    }
    if bundled.pushes == 0 {
        // Specifications and user information are worth carrying by themselves.
        let batch = store.unacknowledged(node, Order::NewestUnacknowledged, 0)?;
        lines.line(&Push { answer: answer.clone(), batch })?;
        bundled.pushes = 1;
    }
    let key = KeyPair::from_pem(&credentials.key).context("the node's key cannot be used")?;
    let signature = key.sign(&lines.signed).context("the bundle cannot be signed")?;
    let trailer = Trailer { pushes: bundled.pushes, signature: hexadecimal(&signature) };
    lines.line(&trailer)?;
    lines.out.finish()?.flush()?;
    Ok(bundled)
}

/// What is to be carried, the newest range first.
fn ranges(store: &Store, everything: bool) -> anyhow::Result<Vec<SequenceRange>> {
    let mut ranges = if everything {
        let last = store.highest()?;
        if last == 0 { Vec::new() } else { vec![SequenceRange { first: 1, last }] }
    } else {
        store.open_ranges()?
    };
    ranges.reverse();
    Ok(ranges)
}

struct Lines<W: Write> {
    out: GzEncoder<W>,
    signed: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let begin = self.signed.len();
        serde_json::to_writer(&mut self.signed, value)?;
        self.signed.push(b'\n');
        self.out.write_all(&self.signed[begin..])
    }
}
