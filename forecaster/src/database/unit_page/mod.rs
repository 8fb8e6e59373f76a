//! Everything that the page of one unit shows. Each question gives nothing where the person may not see the unit.
//!
//! | Room | What it asks |
//! |---|---|
//! | [`forecasts`] | what is forecast now, and what earlier runs said |
//! | [`history`] | what was measured of a resource |
//! | [`components`] | what the unit is made of, and what is not reported |
//! | [`offers`](mod@offers) | what is offered; what could be done is in [`super::plans`] |
//! | [`surroundings`] | whose it is, what was sold, which node sees it |

mod components;
mod forecasts;
mod history;
mod offers;
mod surroundings;

pub(crate) use components::{AbsenceRow, ComponentRow, components};
pub(crate) use forecasts::{Detail, EarlierForecast, ForecastRow, detail, earlier, forecasts};
pub(crate) use history::{Point, history};
pub(crate) use offers::{UnitOffer, offers};
pub(crate) use surroundings::{Surroundings, surroundings};
