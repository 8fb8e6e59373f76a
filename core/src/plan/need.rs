//! What the planner is asked and what it answers.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::PlanAction;
use crate::forecast::Forecast;

/// The customer's terms: user information decides plan and timing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// Days that the customer takes to approve an order.
    pub approval_days: u16,
    /// Days from delivery to use.
    pub installation_days: u16,
    /// What it can spend on one plan, in `currency`.
    pub budget: Option<Decimal>,
    /// Currency in which it buys; `None` for the catalogue's first.
    pub currency: Option<String>,
}

/// A unit that may run out.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    /// The forecast of the resource that binds first.
    pub forecast: &'a Forecast,
    /// Model of the unit, where known.
    pub model: Option<&'a str>,
    /// Interface of the unit, where known.
    pub interface: Option<&'a str>,
    /// Free bays, where known.
    pub bays_free: Option<u16>,
    /// The customer's terms.
    pub terms: &'a Terms,
    /// The plan must last until then.
    pub lasts_to: Timestamp,
}

/// A number of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternativeItem {
    /// Order number.
    pub sku: String,
    /// How many.
    pub quantity: u16,
}

/// One thing that could be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// What kind of thing.
    pub action: PlanAction,
    /// What is bought; empty for doing nothing and reclaiming.
    pub items: Vec<AlternativeItem>,
    /// Price of all items with its currency.
    pub price: Option<(Decimal, String)>,
    /// Order by; `None` where nothing is bought.
    pub order_by: Option<Date>,
    /// The order-by date has passed.
    pub overdue: bool,
    /// The date before which it runs out again with a probability of 10 %; `None` beyond the forecast's horizon.
    pub lasts_until: Option<Timestamp>,
    /// Whether it lasts to the end of the planning horizon.
    pub sufficient: bool,
    /// The constraint that keeps it from being smaller, cheaper or possible.
    pub binding_constraint: String,
    /// One sentence.
    pub reason: String,
    /// The suggestion: the cheapest that lasts. At most one is chosen.
    pub chosen: bool,
}
