//! What the forecast answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Prior, Question, Reason, State};
use crate::unit::Resource;

/// The value's quantiles at one future day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FanPoint {
    /// When.
    pub at: Timestamp,
    /// The value that is undershot with a probability of 10 %.
    pub p10: f64,
    /// Median.
    pub p50: f64,
    /// The value that is undershot with a probability of 90 %.
    pub p90: f64,
}

/// The probability that the limit has been reached by a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PassagePoint {
    /// When.
    pub at: Timestamp,
    /// Probability of exhaustion by then, 0…1; never falls with time.
    pub probability: f64,
}

/// The distribution of the exhaustion date over the horizon, as points between which it is linear.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Passage(pub Vec<PassagePoint>);

impl Passage {
    /// Probability of exhaustion by a deadline; `None` where the forecast has no distribution or the deadline lies
    /// beyond its last point. 0 before the first point.
    pub fn probability_by(&self, deadline: Timestamp) -> Option<f64> {
        let points = &self.0;
        let last = points.last()?;
        if deadline > last.at {
            return None;
        }
        let next = points.partition_point(|p| p.at < deadline);
        let right = points[next];
        let Some(left) = next.checked_sub(1).map(|i| points[i]) else {
            return Some(if right.at == deadline { right.probability } else { 0.0 });
        };
        let span = right.at.as_millisecond() - left.at.as_millisecond();
        if span == 0 {
            return Some(right.probability);
        }
        let share = (deadline.as_millisecond() - left.at.as_millisecond()) as f64 / span as f64;
        Some(left.probability + share * (right.probability - left.probability))
    }

    /// The date by which the limit is reached with this probability: the inverse of [`Self::probability_by`]. `None`
    /// where the last point is less probable, and where there is no distribution. The first point where it is more
    /// probable already.
    pub fn date_of(&self, probability: f64) -> Option<Timestamp> {
        let next = self.0.iter().position(|point| point.probability >= probability)?;
        let right = self.0[next];
        let Some(left) = next.checked_sub(1).map(|i| self.0[i]) else { return Some(right.at) };
        let share = (probability - left.probability) / (right.probability - left.probability);
        let span = (right.at.as_second() - left.at.as_second()) as f64;
        Timestamp::from_second(left.at.as_second() + libm::round(share * span) as i64).ok()
    }
}

/// One thing that moves the date, as data from which a sentence is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// What kind: `trend`, `season`, `step`, `burst`, `expansion`, `clean_up`, `reset`, `gap`, `change`, `prior` …
    pub kind: String,
    /// When it happened, where it has a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Its size in the resource's unit (per day for a trend), where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// One sentence with the figures in it.
    pub sentence: String,
}

/// The forecast of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Which resource.
    pub resource: Resource,
    /// What it says.
    pub state: State,
    /// Why it is in this state.
    pub reason: Reason,
    /// The date before which it is exhausted with a probability of 10 %. Only in [`State::Dated`].
    pub p10: Option<Timestamp>,
    /// Median date; `None` where it lies beyond the horizon.
    pub p50: Option<Timestamp>,
    /// The date before which it is exhausted with a probability of 90 %; `None` where it lies beyond the horizon.
    pub p90: Option<Timestamp>,
    /// Distribution of the date; empty where there is no ground for one.
    pub passage: Passage,
    /// Quantiles of the value over time; empty where there is no ground for them.
    pub fan: Vec<FanPoint>,
    /// What moves the date, the most important first.
    pub why: Vec<Factor>,
    /// Name and version of the model and its constants.
    pub model: String,
    /// The moment of asking.
    pub as_of: Timestamp,
    /// First observation used.
    pub data_from: Option<Timestamp>,
    /// Last observation used.
    pub data_until: Option<Timestamp>,
    /// Last value used.
    pub last_used: Option<f64>,
    /// The limit that was run into.
    pub limit: Option<f64>,
    /// Number of observations used.
    pub samples: u64,
    /// Number of observations set aside because they were not believable.
    pub set_aside: u64,
}

impl Forecast {
    /// The answer with this state, for this reason.
    pub(super) fn with_state(mut self, state: State, code: &str, sentence: String) -> Self {
        self.state = state;
        self.reason = Reason { code: code.to_owned(), sentence };
        self
    }

    /// The answer to a question before its history is looked at.
    pub(super) fn without_history(question: &Question<'_>, prior: &Prior, set_aside: u64) -> Self {
        Self {
            resource: question.resource,
            state: State::TooShort,
            reason: Reason { code: String::new(), sentence: String::new() },
            p10: None,
            p50: None,
            p90: None,
            passage: Passage::default(),
            fan: Vec::new(),
            why: Vec::new(),
            model: prior.version.clone(),
            as_of: question.as_of,
            data_from: None,
            data_until: None,
            last_used: None,
            limit: question.limit.filter(|l| l.is_finite() && *l > 0.0),
            samples: 0,
            set_aside,
        }
    }

    /// Probability that it is exhausted by a deadline, the lead time of an order for example: the number that offers
    /// act on. `None` where there is no ground for one.
    pub fn probability_by(&self, deadline: Timestamp) -> Option<f64> {
        match self.state {
            State::AlreadyExhausted => Some(1.0),
            _ => self.passage.probability_by(deadline),
        }
    }
}
