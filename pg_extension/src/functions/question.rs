//! The arguments that all functions on a history share, checked, and the question to core that they make.

use headroom_core::{
    forecast::{self, Forecast, Observation, Prior, Question},
    unit::Resource,
};
use jiff::Timestamp;
use pgrx::{Array, JsonB};

use super::instant;
use crate::server::error::{Error, Kind, Result};

/// Longest horizon, days: three years.
const HORIZON_DAYS_MAX: i32 = 1_096;

/// A history as SQL gives it: arrays of one length. Elements that are null are left out.
pub(super) struct Arrays<'a> {
    /// When.
    pub(super) at: Option<Array<'a, i64>>,
    /// The values.
    pub(super) used: Option<Array<'a, f64>>,
    /// The limit at each time, where it is known.
    pub(super) limits: Option<Array<'a, f64>>,
}

/// What else is asked. A null means the default.
pub(super) struct Options<'a> {
    /// The limit; by default the last one of the history.
    pub(super) resource_limit: Option<f64>,
    /// The moment of asking; by default that of the last value.
    pub(super) as_of: Option<i64>,
    /// Name of the resource; by default capacity.
    pub(super) resource: Option<&'a str>,
    /// How far to look; by default three years.
    pub(super) horizon_days: Option<i32>,
    /// Constants of the model; by default those of this version.
    pub(super) prior: Option<JsonB>,
}

/// A question to core that owns what it is about.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The history.
    pub(super) observations: Vec<Observation>,
    /// Values whose time core has no moment for.
    pub(super) set_aside: u64,
    /// The limit, where it is given.
    pub(super) limit: Option<f64>,
    /// The moment of asking; `None` where there is neither one nor a value.
    pub(super) as_of: Option<Timestamp>,
    /// What can run out.
    pub(super) resource: Resource,
    /// How far to look.
    pub(super) horizon_days: u16,
    /// Constants of the model.
    pub(super) prior: Prior,
}

impl Asked {
    /// Checks the arguments.
    pub(super) fn new(arrays: Arrays<'_>, options: Options<'_>) -> Result<Self> {
        let (observations, set_aside) = observations(&arrays)?;
        let given = options.as_of.map(|at| instant::of_argument(at, "as_of")).transpose()?;
        let believable = |o: &&Observation| o.used.is_finite() && o.used >= 0.0;
        let last = || observations.iter().filter(believable).map(|o| o.at).max();
        Ok(Self {
            as_of: given.or_else(last),
            limit: options.resource_limit.map(limit).transpose()?,
            resource: resource(options.resource)?,
            horizon_days: horizon_days(options.horizon_days)?,
            prior: prior(options.prior)?,
            observations,
            set_aside,
        })
    }

    /// Core's answer.
    pub(super) fn forecast(&self) -> Forecast {
        self.forecast_against(self.limit)
    }

    /// Core's answer with this limit.
    pub(super) fn forecast_against(&self, limit: Option<f64>) -> Forecast {
        let question = Question {
            resource: self.resource,
            observations: &self.observations,
            limit,
            as_of: self.as_of.unwrap_or(Timestamp::UNIX_EPOCH),
            horizon_days: self.horizon_days,
        };
        let mut answer = forecast::forecast(&question, &self.prior);
        answer.set_aside += self.set_aside;
        answer
    }
}

/// The observations, and how many have a time that is no moment.
fn observations(arrays: &Arrays<'_>) -> Result<(Vec<Observation>, u64)> {
    let (Some(at), Some(used)) = (&arrays.at, &arrays.used) else { return Ok((Vec::new(), 0)) };
    let lengths = [Some(used.len()), arrays.limits.as_ref().map(Array::len)];
    for (name, length) in ["used", "limits"].into_iter().zip(lengths) {
        if let Some(length) = length.filter(|length| *length != at.len()) {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("at has {} elements and {name} has {length}", at.len()),
            )
            .hint("Aggregate them together: array_agg(at ORDER BY at), array_agg(used ORDER BY at)."));
        }
    }
    let mut limits = arrays.limits.as_ref().map(Array::iter);
    let mut found = Vec::with_capacity(at.len());
    let mut set_aside = 0;
    for (at, used) in at.iter().zip(used.iter()) {
        let limit = limits.as_mut().and_then(Iterator::next).flatten();
        let (Some(at), Some(used)) = (at, used) else { continue };
        match instant::from_server(at) {
            Some(at) => found.push(Observation { at, used, limit }),
            None => set_aside += 1,
        }
    }
    Ok((found, set_aside))
}

fn limit(limit: f64) -> Result<f64> {
    if limit.is_finite() && limit > 0.0 {
        return Ok(limit);
    }
    Err(Error::new(Kind::InvalidArgument, format!("resource_limit must be a positive number, not {limit}"))
        .hint("Leave it out to take the last limit of the history."))
}

/// The resource of this name; capacity for null.
pub(super) fn resource(name: Option<&str>) -> Result<Resource> {
    let Some(name) = name else { return Ok(Resource::Capacity) };
    name.parse().map_err(|_| {
        let short: String = name.chars().take(60).collect();
        Error::new(Kind::InvalidArgument, format!("unknown resource {short:?}"))
            .hint("Use capacity, load, endurance, inodes or thin_metadata.")
    })
}

/// The horizon; three years for null.
pub(super) fn horizon_days(days: Option<i32>) -> Result<u16> {
    let days = days.unwrap_or(HORIZON_DAYS_MAX);
    u16::try_from(days).ok().filter(|_| (1..=HORIZON_DAYS_MAX).contains(&days)).ok_or_else(|| {
        Error::new(
            Kind::InvalidArgument,
            format!("horizon_days must lie between 1 and {HORIZON_DAYS_MAX}, not {days}"),
        )
    })
}

fn prior(given: Option<JsonB>) -> Result<Prior> {
    let Some(JsonB(given)) = given else { return Ok(Prior::builtin()) };
    serde_json::from_value(given).map_err(|error| {
        Error::new(Kind::InvalidArgument, "prior does not hold the constants of this version's model")
            .detail(error.to_string())
            .hint("Leave it out to take the constants that come with this version.")
    })
}

/// Refuses what is no ratio.
pub(super) fn ratio(value: f64, name: &str) -> Result<f64> {
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    Err(Error::new(Kind::InvalidArgument, format!("{name} must lie between 0 and 1, not {value}")))
}
