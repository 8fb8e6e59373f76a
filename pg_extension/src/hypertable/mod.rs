//! Hypertables: ordinary tables of (segment, time, values) whose old rows can be sealed into blocks.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`catalogue`] | the table `headroom.hypertables` and how it is read |
//! | [`catalogue_change`] | how it is changed |
//! | [`layout`] | how its columns are stored in blocks |
//! | [`datum`] | datums of the server to values of a block and back |
//! | [`create`] | `create_hypertable`: what is asked of a table and why |
//! | [`tables`] | the two tables beside a hypertable |
//! | [`block_store`] | writing blocks |
//! | [`seal`] | rows become blocks: in one transaction, or in slices |
//! | [`gather`] | the rows that are to be sealed, read once |
//! | [`tape`] | a temporary file of rows |
//! | [`pack`] | rows in any order become blocks |
//! | [`leave`] | rows leave as their blocks enter |
//! | [`writers`] | keeping writers away for a moment |
//! | [`row_store`] | writing rows that leave their block |
//! | [`time_argument`] | a point in time given to a function |
//! | [`watch`] | what is done when one is altered or dropped |
//! | [`table_facts`] | what the server says of a table that is to become one |

pub(crate) mod block_store;
pub(crate) mod catalogue;
mod catalogue_change;
mod create;
pub(crate) mod datum;
mod gather;
pub(crate) mod layout;
mod leave;
mod pack;
pub(crate) mod row_store;
pub(crate) mod seal;
mod table_facts;
pub(crate) mod tables;
mod tape;
pub(crate) mod time_argument;
mod watch;
mod writers;
