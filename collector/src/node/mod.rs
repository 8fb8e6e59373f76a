//! The running node: what its parts share.
//!
//! | Room | What it is |
//! |---|---|
//! | [`Node`] | latest round, store and settings, shared by measuring, read API and push |
//! | [`answer`] | what is told, from a round or from the store, as the owner allows |

pub mod answer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headroom_core::exchange::Answer;
use headroom_core::unit::Sample;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::config::Settings;
use crate::measure::ask::Ask;
use crate::measure::keeper::Keeper;
use crate::measure::round::Round;
use crate::owner::Owner;
use crate::store::EntryKind;
use answer::{Silence, Snapshot};

/// What the parts of a running node share.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    id: Uuid,
    keeper: Mutex<Keeper>,
    latest: watch::Sender<Option<Arc<Snapshot>>>,
    asks: std::sync::mpsc::Sender<Ask>,
}

impl Node {
    /// A node that has measured nothing yet. `asks` leads to the thread that measures.
    pub fn new(settings: Settings, id: Uuid, asks: std::sync::mpsc::Sender<Ask>) -> Self {
        let keeper = Mutex::new(Keeper::new(settings.store_path(), settings.store_bytes_max));
        Self { settings, id, keeper, latest: watch::Sender::new(None), asks }
    }

    /// What the owner decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The node's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The keeper of the store. Blocks while it writes: not for a task of the runtime.
    pub fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A thread that panicked while it held the keeper left at worst an open transaction, which SQLite rolls back.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells about each round that was kept.
    pub fn rounds(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.latest.subscribe()
    }

    /// The latest round, where there was one.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.borrow().clone()
    }

    /// Keeps a round and makes it the latest.
    pub fn take(&self, round: Round) {
        let mut keeper = self.keeper();
        let mut samples: Vec<Sample> = round.samples();
        let (at, units) = (round.at, round.units.clone());
        let (absences, mut remarks) = (round.absences.clone(), round.remarks.clone());
        if let Some(range) = keeper.keep(round) {
            for (sample, sequence) in samples.iter_mut().zip(range.first..=range.last) {
                sample.sequence = sequence;
            }
        }
        remarks.extend(keeper.happenings());
        let snapshot = Snapshot {
            at,
            store: keeper.store_id(),
            gone: keeper.gone(&units),
            units,
            status: samples,
            absences,
            remarks,
            notices: keeper.notices(),
        };
        drop(keeper);
        self.latest.send_replace(Some(Arc::new(snapshot)));
    }

    /// What is told now.
    ///
    /// # Errors
    /// The owner allows nothing, or nothing was measured yet.
    pub fn answer(&self) -> Result<Answer, Silence> {
        let owner = Owner::settled(&self.settings).map_err(Silence::Owner)?;
        let snapshot = self.latest().ok_or(Silence::NothingYet)?;
        answer::tell(&self.settings, self.id, &owner, &snapshot, Timestamp::now())
    }

    /// Whether samples may leave.
    ///
    /// # Errors
    /// They may not.
    pub fn may_tell(&self) -> Result<(), Silence> {
        let owner = Owner::settled(&self.settings).map_err(Silence::Owner)?;
        if owner.user.consent.any() { Ok(()) } else { Err(Silence::NotGranted) }
    }

    /// Asks for a round now and waits until it is kept. `false` where the measuring has ended.
    pub async fn measure_now(&self) -> bool {
        let (done, waits) = oneshot::channel();
        self.asks.send(Ask::Measure(done)).is_ok() && waits.await.is_ok()
    }

    /// Writes into the log and the journal.
    pub fn note(&self, kind: EntryKind, detail: &str) {
        self.keeper().note(Timestamp::now(), kind, detail);
    }
}
