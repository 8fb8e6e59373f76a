//! What to buy so that a unit lasts, and by when to order it.

mod candidates;
mod catalogue;
mod need;
mod timing;

pub use candidates::alternatives;
pub use catalogue::{Item, PlanAction};
pub use need::{Alternative, AlternativeItem, Need, Terms};
pub use timing::{OrderBy, order_by};

#[cfg(test)]
mod tests;
