//! The only SQL in Rust, one file a subject.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`pool`] | connections: of the service, of the people it acts for, of the owner |
//! | [`guard`] | refuses a role with too much power |
//! | [`migrations`] | brings the schema up to date |
//! | [`nodes`] | nodes and their certificates |
//! | [`certificates`] | certificates that were taken out of use |
//! | [`ranges`] | what was acknowledged, and what was set aside |
//! | [`lives`] | copies of a node that speak at the same time |
//! | [`units`] | what nodes describe: units, components, identity, absences |
//! | [`remarks`] | what nodes say beside the figures |
//! | [`lifecycle`] | what a person decides about units |
//! | [`matching`] | discovered units and the sales they belong to |
//! | [`customers`], [`products`], [`sales`] | what is imported |
//! | [`change`] | what writing such a row did |
//! | [`variant_name`] | how a variant is called in the database |
//! | [`series`] | rows of `fleet.status` |
//! | [`forecasts`] | forecasts of a run, written and read back |
//! | [`histories`] | daily histories and what stands beside each unit for its plan |
//! | [`backtests`] | past forecasts judged by what came |
//! | [`runs`] | fleet runs: begun, shared out, published |
//! | [`plans`] | the catalogue, and plans of a run |
//! | [`needs`] | units whose chosen plan is a purchase |
//! | [`open_offers`] | offers made, filled from plans, judged, moved on |
//! | [`offers`] | offers with their lines and events, as they are shown |
//! | [`outbox`] | messages to be sent |
//! | [`worklist`] | one row a unit, as pages and reports list them |
//! | [`jobs`] | schedule and history |
//! | [`people`] | who signs in |
//! | [`acting`] | transactions in which row-level security sees a person |
//! | [`worklist_page`], [`unit_page`], [`judged`], [`catalogue_page`], [`portal_page`], [`unmatched_page`] | what pages ask, as the person who looks |
//! | [`watched`] | what senders of series leave between two requests |
//! | [`fleet_health`] | figures for monitoring |

pub(crate) mod acting;
pub(crate) mod backtests;
pub(crate) mod catalogue_page;
pub(crate) mod certificates;
pub(crate) mod change;
pub(crate) mod customers;
pub(crate) mod fleet_health;
pub(crate) mod forecasts;
pub(crate) mod guard;
pub(crate) mod histories;
pub(crate) mod jobs;
pub(crate) mod judged;
pub(crate) mod lifecycle;
pub(crate) mod lives;
pub(crate) mod matching;
pub(crate) mod migrations;
pub(crate) mod needs;
pub(crate) mod nodes;
pub(crate) mod offers;
pub(crate) mod open_offers;
pub(crate) mod outbox;
pub(crate) mod people;
pub(crate) mod plans;
pub(crate) mod pool;
pub(crate) mod portal_page;
pub(crate) mod products;
pub(crate) mod ranges;
pub(crate) mod remarks;
pub(crate) mod runs;
pub(crate) mod sales;
pub(crate) mod series;
pub(crate) mod unit_page;
pub(crate) mod units;
pub(crate) mod unmatched_page;
mod variant_name;
pub(crate) mod watched;
pub(crate) mod worklist;
pub(crate) mod worklist_page;
