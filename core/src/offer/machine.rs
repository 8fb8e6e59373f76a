//! The state machine of an offer: `planned → drafted → approved → sent → accepted | declined | expired`, and
//! `withdrawn` from any open state.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The need must be gone for this many fleet runs in a row before an offer is withdrawn: a date that flaps does not
/// make an offer flap.
pub const CALM_RUNS_TO_WITHDRAW: u16 = 3;

/// Where an offer is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// A need was seen.
    Planned,
    /// Written, with addressee and price.
    Drafted,
    /// A person took responsibility for it.
    Approved,
    /// The customer has it.
    Sent,
    /// The customer took it.
    Accepted,
    /// The customer refused it.
    Declined,
    /// Its validity ended.
    Expired,
    /// Taken back: the need or the consent is gone.
    Withdrawn,
}

impl OfferState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Drafted,
        Self::Approved,
        Self::Sent,
        Self::Accepted,
        Self::Declined,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// The name in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Drafted => "drafted",
            Self::Approved => "approved",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether something may still come of it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planned | Self::Drafted | Self::Approved | Self::Sent)
    }
}

impl fmt::Display for OfferState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no offer state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown offer state {0:?}")]
pub struct UnknownOfferState(pub String);

impl FromStr for OfferState {
    type Err = UnknownOfferState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == name).ok_or_else(|| UnknownOfferState(name.to_owned()))
    }
}

/// What happens to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It is written.
    Draft,
    /// A person approves it.
    Approve,
    /// It is sent.
    Send,
    /// The customer accepts.
    Accept,
    /// The customer declines.
    Decline,
    /// Its validity ends.
    Expire,
    /// It is taken back.
    Withdraw,
}

/// The event cannot happen to an offer in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an offer that is {state} cannot {event:?}")]
pub struct Refused {
    /// Where it is.
    pub state: OfferState,
    /// What was tried.
    pub event: Event,
}

/// The state after an event.
///
/// # Errors
/// [`Refused`] where the event cannot happen in this state.
pub fn transition(state: OfferState, event: Event) -> Result<OfferState, Refused> {
    use OfferState as S;
    match (state, event) {
        (S::Planned, Event::Draft) => Ok(S::Drafted),
        (S::Drafted, Event::Approve) => Ok(S::Approved),
        (S::Approved, Event::Send) => Ok(S::Sent),
        (S::Sent, Event::Accept) => Ok(S::Accepted),
        (S::Sent, Event::Decline) => Ok(S::Declined),
        (S::Sent, Event::Expire) => Ok(S::Expired),
        (open, Event::Withdraw) if open.is_open() => Ok(S::Withdrawn),
        (state, event) => Err(Refused { state, event }),
    }
}

/// What a fleet run means for an open offer: how many runs in a row saw no need, and whether it is withdrawn.
pub fn after_run(state: OfferState, need_is_there: bool, calm_runs: u16) -> (u16, Option<Event>) {
    if need_is_there || !state.is_open() {
        return (0, None);
    }
    let calm_runs = calm_runs.saturating_add(1);
    (calm_runs, (calm_runs >= CALM_RUNS_TO_WITHDRAW).then_some(Event::Withdraw))
}
