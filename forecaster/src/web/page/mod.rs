//! The pages: one file each, handler and template together.

pub(crate) mod accuracy;
pub(crate) mod catalogue;
pub(crate) mod health;
mod listing;
pub(crate) mod offers;
pub(crate) mod portal;
pub(crate) mod unit;
pub(crate) mod unmatched;
pub(crate) mod worklist;
