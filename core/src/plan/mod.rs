//! What to buy so that a unit lasts, and by when to order it.
//!
//! [`catalogue`] is what is sold, [`need`] the question and the answer, [`effect`] what a purchase makes of the limit,
//! [`lasting`] tries a limit on the unit's own history, [`cover`] finds the cheapest set, [`choose`] the best of one
//! kind, [`candidates`] puts the alternatives beside each other, [`timing`] says by when to order.

mod candidates;
mod catalogue;
mod choose;
mod cover;
mod effect;
mod lasting;
mod need;
mod timing;

pub use candidates::alternatives;
pub use catalogue::{Item, PlanAction, UnknownPlanAction};
pub use need::{Alternative, AlternativeItem, Constraint, Installed, Need, Terms};
pub use timing::{OrderBy, days_to_use, order_by};

#[cfg(test)]
mod tests;
