//! The store, through everything that disks do: while it cannot be written, rounds wait in memory, bounded, and the
//! node keeps measuring and says so.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use headroom_core::exchange::SequenceRange;
use headroom_core::unit::{Remark, UnitReport};
use jiff::Timestamp;

use super::round::Round;
use crate::store::{EntryKind, Store, StoreError, check_file};

/// Rows that wait in memory at most; beyond it the oldest rounds are given up, counted.
const WAITING_ROWS_MAX: usize = 5_000;

/// How often the whole file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(86_400);

/// Keeps rounds in the store.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    bytes_max: u64,
    store: Option<Store>,
    waiting: VecDeque<Round>,
    given_up_rows: u64,
    trouble: Option<String>,
    /// When the whole file was looked at.
    looked: Instant,
}

impl Keeper {
    /// A keeper for the store at a path. It is opened at the first round.
    pub fn new(path: PathBuf, bytes_max: u64) -> Self {
        Self {
            path,
            bytes_max,
            store: None,
            waiting: VecDeque::new(),
            given_up_rows: 0,
            trouble: None,
            looked: Instant::now(),
        }
    }

    /// What is wrong with the store, where something is.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Rows that were measured and could be kept nowhere.
    pub fn given_up_rows(&self) -> u64 {
        self.given_up_rows
    }

    /// Rows that wait in memory.
    pub fn waiting_rows(&self) -> usize {
        self.waiting.iter().map(|round| round.rows.len()).sum()
    }

    /// The store, where it is open.
    pub fn store(&mut self) -> Option<&mut Store> {
        self.store.as_mut()
    }

    /// Works with the store, where it is open. One that turns out to be broken is not trusted further: the next round
    /// opens it again, looks at all of it, and sets it aside if need be.
    pub fn with_store<T>(
        &mut self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        let done = work(self.store.as_mut()?);
        if let Err(error) = &done
            && error.is_damage()
        {
            tracing::error!(%error, "the store cannot be read: the next round opens it again");
            self.store = None;
        }
        Some(done)
    }

    /// The open store's id.
    pub fn store_id(&self) -> Option<uuid::Uuid> {
        self.store.as_ref().map(Store::id)
    }

    /// Components that are not among these units while samples of them are held.
    pub fn gone(&self, units: &[UnitReport]) -> Vec<UnitReport> {
        let gone = self.store.as_ref().map(|store| store.gone(units)).transpose();
        gone.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is gone cannot be told");
            None
        })
        .unwrap_or_default()
    }

    /// What happened lately to the clock and the store.
    pub fn happenings(&self) -> Vec<Remark> {
        let happenings = self.store.as_ref().map(Store::happenings).transpose();
        happenings
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "what happened cannot be told");
                None
            })
            .unwrap_or_default()
    }

    /// What is to be known about the store, one sentence each.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(trouble) = &self.trouble {
            let waiting = self.waiting_rows();
            notices
                .push(format!("The store cannot be written: {trouble}; {waiting} samples wait in memory."));
        }
        if self.given_up_rows > 0 {
            notices.push(format!(
                "{} samples were measured and could be kept nowhere since this node started.",
                self.given_up_rows
            ));
        }
        notices
    }

    /// Opens the store if need be, so that its id is known before the first round.
    pub fn open(&mut self) {
        if let Err(error) = self.ensure_open() {
            self.complain(&error);
        }
    }

    /// Keeps a round, after those that wait. `None` while the store cannot be written.
    pub fn keep(&mut self, round: Round) -> Option<SequenceRange> {
        self.waiting.push_back(round);
        let mut kept = None;
        while let Some(round) = self.waiting.pop_front() {
            match self.write(&round) {
                Ok(range) => {
                    kept = range;
                    if self.trouble.take().is_some() {
                        tracing::info!(waiting = self.waiting.len(), "the store can be written again");
                    }
                }
                Err(error) => {
                    self.waiting.push_front(round);
                    self.complain(&error);
                    self.bound();
                    return None;
                }
            }
        }
        kept
    }

    /// Writes an entry into the journal, and into the log in any case.
    pub fn note(&mut self, at: Timestamp, kind: EntryKind, detail: &str) {
        tracing::info!(?kind, "{detail}");
        if let Some(store) = &mut self.store
            && let Err(error) = store.note(at, kind, detail)
        {
            tracing::warn!(%error, "the journal cannot be written");
        }
    }

    fn write(&mut self, round: &Round) -> Result<Option<SequenceRange>, StoreError> {
        match self.write_once(round) {
            Err(error) if error.is_damage() => {
                // Opening again sets the damaged file aside.
                self.store = None;
                self.write_once(round)
            }
            Err(error) if is_full(&error) => {
                // Freed pages of the file are used again, so a full disk is no end.
                if let Some(store) = &mut self.store {
                    let thinned = store.thin()?;
                    tracing::warn!(?thinned, "the disk or the store is full: old samples were thinned");
                }
                self.write_once(round)
            }
            Err(error) => {
                // A connection that was opened read-only, or to a disk that went away, never heals: the next round opens
                // another.
                self.store = None;
                Err(error)
            }
            done => done,
        }
    }

    fn write_once(&mut self, round: &Round) -> Result<Option<SequenceRange>, StoreError> {
        let store = self.ensure_open()?;
        store.note_inventory(round.at, &round.units, &round.absences, &round.remarks)?;
        if let Some(seconds) = round.clock_jump_seconds {
            let detail = format!("the clock of this machine jumped by {seconds} s");
            tracing::warn!("{detail}");
            store.note(round.at, EntryKind::Clock, &detail)?;
        }
        let range = store.append(&round.rows)?;
        if let Some(thinned) = store.thin_if_full()? {
            let detail = format!(
                "the store reached its {} bytes: {} acknowledged and {} unacknowledged samples were thinned",
                self.bytes_max, thinned.acknowledged, thinned.unacknowledged
            );
            self.note(round.at, EntryKind::Store, &detail);
        }
        Ok(range)
    }

    fn ensure_open(&mut self) -> Result<&mut Store, StoreError> {
        if self.store.as_ref().is_some_and(|store| !store.is_in_place()) {
            tracing::warn!(path = %self.path.display(), "the store was deleted or replaced: starting afresh");
            self.store = None;
        }
        if self.store.is_some() && self.is_broken() {
            // Opening again looks at all of it, sets it aside and saves what can be read.
            self.store = None;
        }
        if self.store.is_none() {
            let opened = Store::open(&self.path, self.bytes_max)?;
            self.store = Some(opened.store);
            if let Some(aside) = opened.quarantined {
                let detail = format!(
                    "a damaged store was set aside as {} ({}); {} samples were saved, {} between them could not be read",
                    aside.file.display(),
                    aside.reason,
                    aside.saved,
                    aside.unreadable
                );
                tracing::error!("{detail}");
                self.note(Timestamp::now(), EntryKind::Store, &detail);
            }
        }
        self.store.as_mut().ok_or_else(|| StoreError::Damaged {
            path: self.path.clone(),
            what: "the store".to_owned(),
            detail: "it was closed while it was used".to_owned(),
        })
    }

    /// Looks at the beginning every time and at the whole file once a day: what SQLite holds in memory hides damage.
    fn is_broken(&mut self) -> bool {
        let Some(store) = &self.store else { return false };
        if !store.begins_whole() {
            tracing::error!(path = %self.path.display(), "the store was written over");
            return true;
        }
        if self.looked.elapsed() < LOOK_EVERY {
            return false;
        }
        self.looked = Instant::now();
        match check_file(&self.path) {
            Ok(None) => false,
            Ok(Some(finding)) => {
                tracing::error!(path = %self.path.display(), finding, "the store is damaged");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the store could not be checked");
                false
            }
        }
    }

    fn complain(&mut self, error: &StoreError) {
        let text = error.to_string();
        // Once per trouble, not once per round.
        if self.trouble.as_deref() != Some(text.as_str()) {
            tracing::error!(
                %error,
                waiting_rows = self.waiting_rows(),
                "the store cannot be written; measuring goes on and rounds wait in memory"
            );
        }
        self.trouble = Some(text);
    }

    fn bound(&mut self) {
        while self.waiting_rows() > WAITING_ROWS_MAX {
            if let Some(round) = self.waiting.pop_front() {
                self.given_up_rows += round.rows.len() as u64;
            }
        }
    }
}

fn is_full(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Sqlite { source, .. } if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    )
}
