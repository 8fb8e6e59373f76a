//! Forecasts and plans of units whose histories are at hand. Nothing here knows where a history comes from.

use headroom_core::forecast::{Forecast, Prior, Question, State, forecast};
use headroom_core::plan::{Installed, Item, Need, alternatives};
use headroom_core::unit::Resource;
use jiff::Timestamp;

use super::alike::Alike;
use crate::database::forecasts::Made;
use crate::database::histories::{Component, History, Site};
use crate::database::plans::UnitPlan;

/// What is asked of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The model's constants.
    pub(crate) prior: Prior,
    /// What units alike have shown.
    pub(crate) alike: Alike,
    /// The moment of asking.
    pub(crate) as_of: Timestamp,
    /// How far to look, days.
    pub(crate) horizon_days: u16,
    /// A purchase must last until then.
    pub(crate) lasts_to: Timestamp,
    /// With this probability.
    pub(crate) confidence: f64,
}

impl Asked {
    fn question<'a>(&self, history: &'a History) -> Question<'a> {
        Question {
            resource: history.resource,
            observations: &history.observations,
            limit: None,
            as_of: self.as_of,
            horizon_days: self.horizon_days,
        }
    }

    /// The constants for one history, with what it borrows from units alike.
    fn prior(&self, history: &History) -> Prior {
        Prior { pooled: history.pooled.clone(), ..self.prior.clone() }
    }

    /// Forecasts one history.
    pub(crate) fn forecast(&self, history: &History) -> Forecast {
        forecast(&self.question(history), &self.prior(history))
    }
}

/// Of a unit's forecasts the one that binds first, as the worklist has it: exhausted, then the earliest P10, then
/// capacity before the others.
pub(crate) fn binding(forecasts: &[Made]) -> Option<usize> {
    let rank = |Made { component, forecast: one, .. }: &Made| {
        let dated = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MAX);
        (
            one.state != State::AlreadyExhausted,
            dated(one.p10),
            dated(one.p50),
            one.resource != Resource::Capacity,
            *component,
            one.resource,
        )
    };
    (0..forecasts.len())
        .filter(|index| matches!(forecasts[*index].forecast.state, State::Dated | State::AlreadyExhausted))
        .min_by_key(|index| rank(&forecasts[*index]))
}

/// The plan of one unit; `None` where nothing runs out. `forecasts` are the unit's own, with their components.
pub(crate) fn plan(
    asked: &Asked,
    site: &Site,
    components: &[Component],
    forecasts: &[Made],
    histories: &[History],
    catalogue: &[Item],
) -> Option<UnitPlan> {
    let first = binding(forecasts)?;
    let Made { component, forecast, .. } = &forecasts[first];
    let history =
        histories.iter().find(|one| one.component == *component && one.resource == forecast.resource)?;
    let part = components.iter().find(|one| one.id == *component)?;
    let others: Vec<Forecast> = forecasts
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != first)
        .map(|(_, other)| other.forecast.clone())
        .collect();
    let installed = Installed {
        interface: site.installed.interface.clone().or_else(|| part.interface.clone()),
        // Inodes and metadata belong to the space that stands beside them.
        space: part.space,
        rated_write_bytes: part.rated_write_bytes.or(site.installed.rated_write_bytes),
        ..site.installed.clone()
    };
    let need = Need {
        question: &asked.question(history),
        prior: &asked.prior(history),
        forecast,
        others: &others,
        installed: &installed,
        terms: &site.terms,
        lasts_to: asked.lasts_to,
        confidence: asked.confidence,
    };
    let alternatives = alternatives(&need, catalogue);
    (!alternatives.is_empty()).then_some(UnitPlan {
        unit: site.unit,
        component: *component,
        resource: forecast.resource,
        alternatives,
    })
}
