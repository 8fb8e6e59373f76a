//! One conversation with a device: commands that its firmware refused before are not sent again, because every refusal
//! raises error counters that its owner watches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use headroom_core::unit::AbsenceReason;

use crate::decode::{DecodeError, Findings};
use crate::transport::{NvmeCommand, Transport, TransportError};

/// A page, or why there is none.
pub(super) type Page = Result<Vec<u8>, TransportError>;

/// Commands that a firmware refused for good, by the text of the command.
pub(super) type Refused = BTreeSet<String>;

/// What each firmware of each device refused.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<String, Refused>);

impl Refusals {
    /// What this firmware refused so far.
    pub(super) fn of(&self, firmware: &str) -> Refused {
        self.0.get(firmware).cloned().unwrap_or_default()
    }

    /// Takes over what a conversation added.
    pub(super) fn remember(&mut self, firmware: &str, refused: Refused) {
        self.0.insert(firmware.to_owned(), refused);
    }
}

/// A conversation.
pub(super) struct Session {
    transport: Arc<dyn Transport>,
    node: PathBuf,
    refused: Refused,
}

impl Session {
    /// Opens one; nothing is sent yet.
    pub(super) fn new(transport: Arc<dyn Transport>, node: PathBuf, refused: Refused) -> Self {
        Self { transport, node, refused }
    }

    /// What was refused, now and before.
    pub(super) fn into_refused(self) -> Refused {
        self.refused
    }

    /// Sends an NVMe admin command.
    pub(super) fn nvme(&mut self, command: NvmeCommand) -> Page {
        let NvmeCommand { operation, namespace, dword10, dword11, .. } = command;
        let name = format!("NVMe command {operation:02x}h {namespace:x} {dword10:x} {dword11:x}");
        // Status code type and code: generic invalid opcode and field, command specific invalid log page.
        self.once(
            name,
            |status| matches!(status & 0x7ff, 0x001 | 0x002 | 0x109),
            |session| session.transport.nvme(&session.node, command),
        )
    }

    /// Sends a SCSI command.
    pub(super) fn scsi(&mut self, command: &[u8], length: u32) -> Page {
        let digits: Vec<String> = command.iter().map(|byte| format!("{byte:02x}")).collect();
        // Sense key 5: illegal request.
        self.once(
            format!("SCSI command {}", digits.join(" ")),
            |status| status >> 16 == 5,
            |session| session.transport.scsi(&session.node, command, length),
        )
    }

    fn once(&mut self, name: String, is_final: fn(u32) -> bool, send: impl FnOnce(&Self) -> Page) -> Page {
        if self.refused.contains(&name) {
            let what = format!("{name}, which this firmware refused before and is not asked again,");
            return Err(TransportError::Refused { what, status: 0 });
        }
        let page = send(self);
        if let Err(TransportError::Refused { status, .. }) = &page
            && is_final(*status)
        {
            self.refused.insert(name);
        }
        page
    }
}

/// Decodes a page into the findings, or says for each of `fields` why it is absent.
pub(super) fn read(
    findings: &mut Findings,
    page: Page,
    fields: impl IntoIterator<Item = &'static str>,
    decode: impl FnOnce(&[u8]) -> Result<Findings, DecodeError>,
) {
    let (reason, detail) = match page.map(|bytes| decode(&bytes)) {
        Ok(Ok(more)) => return findings.merge(more),
        Ok(Err(error)) => (AbsenceReason::Unbelievable, error.to_string()),
        Err(error) => (reason_of(&error), error.to_string()),
    };
    for field in fields {
        findings.absent(field, reason, detail.clone());
    }
}

/// How an error reads as the reason of an absence.
pub(super) fn reason_of(error: &TransportError) -> AbsenceReason {
    match error {
        TransportError::PermissionDenied { .. } => AbsenceReason::PermissionDenied,
        TransportError::TimedOut { .. } => AbsenceReason::TimedOut,
        _ => AbsenceReason::Refused,
    }
}
