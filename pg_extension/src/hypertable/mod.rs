//! Hypertables: ordinary tables of (segment, time, values) whose old rows can be sealed into blocks.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`catalogue`] | the table `headroom.hypertables` and how it is read |
//! | [`create`] | `create_hypertable`: what is asked of a table and why |
//! | [`table_facts`] | what the server says of a table that is to become one |

mod catalogue;
mod create;
mod table_facts;
