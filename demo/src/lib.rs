//! The demo: a private PostgreSQL, a hub, the node of this machine, and a fictional fleet with real growth.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`series`] | the real series |
//! | [`fleet`] | who has which unit, and which series drives it |
//! | [`calendar`] | which day of the replay today is |
//! | [`report`] | what a unit's node tells on a day |
//! | [`replay`] | telling it to the hub, as a node does |
//! | [`node_client`] | the node's side of the exchange |
//! | [`nodes`] | the node of this machine, and those of the fictional customers |
//! | [`hub`] | the hub's configuration and commands |
//! | [`run`] | everything up, a day every day, everything down |
//! | [`secret`] | passwords and keys of this installation |
//! | [`addresses`] | where its services listen |
//! | [`places`] | where the demo keeps its things |
//! | [`database`] | its private PostgreSQL |
//! | [`program`] | programs that end with whoever started them |

pub mod addresses;
pub mod calendar;
pub mod database;
pub mod fleet;
pub mod hub;
pub mod node_client;
pub mod nodes;
pub mod places;
pub mod program;
pub mod replay;
pub mod report;
pub mod run;
pub mod secret;
pub mod series;
