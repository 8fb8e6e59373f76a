//! Forecasts of the fleet, in ranges of units that several services claim from one run.
//!
//! [`run`] begins, shares out and publishes, [`range`] does one range in one transaction, [`select`] says which units are
//! due, [`alike`] fits what short histories borrow, [`compute`] asks core, [`settle`] rounds once for all readers,
//! [`validate`] holds back what cannot be. Earlier origins are judged by what came, and the band's width is set by it,
//! with core's functions.

mod alike;
#[cfg(test)]
mod alike_tests;
mod compute;
mod range;
mod run;
mod select;
mod settle;
mod validate;

use crate::database::runs::Scope;
use crate::hub::Hub;

pub(crate) use run::{Request, Summary, plan_again, run};

/// The job that judges earlier origins by what came.
pub(crate) async fn backtest_job(hub: Hub) -> anyhow::Result<String> {
    let judged = run::backtest_again(&hub).await?;
    Ok(format!("{judged} origins judged anew"))
}

/// The job that forecasts the fleet.
pub(crate) async fn job(hub: Hub) -> anyhow::Result<String> {
    let summary = run(&hub, Request { as_of: None, scope: Scope::Changed }, &|_, _| ()).await?;
    Ok(summary.to_string())
}
