//! The forecast of everything in a store.

use headroom_core::forecast::{Forecast, Prior, Question, forecast};
use headroom_core::unit::{Component, ComponentKey, ComponentKind, Resource};
use jiff::Timestamp;
use serde::Serialize;

use super::daily::{Days, since};
use crate::store::{Store, StoreError};

/// One resource of one component, forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComponentForecast {
    /// Which component.
    pub component: ComponentKey,
    /// What kind of thing it is; `None` where it is gone and its description too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ComponentKind>,
    /// The name its owner knows it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The forecast.
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The model's constants: the hub's, where they were brought here, or the program's own.
    pub prior: Prior,
    /// The moment of asking.
    pub as_of: Timestamp,
    /// How far to look, days.
    pub horizon_days: u16,
    /// Only this resource.
    pub resource: Option<Resource>,
}

/// Forecasts every resource of every component that is there now, in the order of the inventory.
///
/// # Errors
/// The store cannot be read.
pub fn forecast_all(store: &Store, asked: &Asked) -> Result<Vec<ComponentForecast>, StoreError> {
    let units = store.inventory()?.units;
    let components: Vec<Component> = units.into_iter().flat_map(|unit| unit.components).collect();
    let mut answers = Vec::new();
    for component in components {
        let mut days = Days::new(asked.as_of);
        store.each_of(&component.key, since(asked.as_of), |sample| days.take(&sample))?;
        for (resource, observations) in days.histories() {
            if asked.resource.is_some_and(|wanted| wanted != resource) {
                continue;
            }
            let question = Question {
                resource,
                observations: &observations,
                limit: None,
                as_of: asked.as_of,
                horizon_days: asked.horizon_days,
            };
            answers.push(ComponentForecast {
                component: component.key.clone(),
                kind: Some(component.kind),
                label: component.label.clone(),
                forecast: forecast(&question, &asked.prior),
            });
        }
    }
    Ok(answers)
}
