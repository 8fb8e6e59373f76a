//! How sealed rows are read (docs/decisions/0001): as a foreign table that inherits from its hypertable.
//!
//! The server loads this library itself when it plans a query over the hypertable, whatever is preloaded, so no session
//! can miss the sealed rows.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`handler`] | the wrapper, its server, and which function answers which question |
//! | [`paths`] | how many rows, which ways to read them, at what cost |
//! | [`plan`] | the chosen way, as a plan |
//! | [`carried`] | what the plan carries to its execution |
//! | [`conditions`] | which conditions tell that a block need not be read |
//! | [`scan`] | the rows, one after the other |
//! | [`block_row`] | a row of the table of blocks |
//! | [`source`] | which blocks, in which order |
//! | [`tip`] | what the index by falling time tells of a block |
//! | [`open`] | one block with the columns that are wanted |
//! | [`ends`] | the values of its first and last row, not decoded |
//! | [`days`] | the days of one block, not decoded |
//! | [`place`] | the `ctid` of a sealed row |
//! | [`parallel`] | a scan that several processes share |
//! | [`explain`] | what EXPLAIN tells |
//! | [`sample`] | rows for ANALYZE |
//! | [`retire`] | deleting old rows |
//! | [`unseal`](mod@unseal) | rows go back to the row store |
//! | [`modify`] | UPDATE, DELETE and TRUNCATE of sealed rows |
//! | [`guard`] | how new rows are noticed that have a sealed key |
//! | [`keys`] | the unique keys that sealed rows keep |
//! | [`block_index`] | blocks found by segment and time without a plan |
//! | [`probe`] | which sealed row has a key |
//! | [`known_times`] | times of sealed rows that a session has seen |
//! | [`latest`] | the newest row of each segment, from the heads of blocks |
//! | [`segments`] | unsealed rows and blocks side by side, segment after segment |
//! | [`block_query`] | what the planner is told of a query that is to give blocks |
//! | [`visible`] | blocks as a whole, of which the caller may see every row |
//! | [`aggregate`] | aggregates from summaries and columns, without rows |
//! | [`runs`] | rows cut into buckets of time |
//! | [`daily`] | numbers and times to one value a day |
//! | [`daily_arrays`] | the days of each segment as arrays, straight from the blocks |
//! | [`upsert`] | `INSERT … ON CONFLICT` against sealed keys |
//! | [`vacuum`] | `VACUUM` takes the blocks along |
//! | [`hooks`] | what is done to statements as they begin |

mod aggregate;
mod block_index;
mod block_query;
mod block_row;
mod carried;
mod conditions;
mod daily;
mod daily_arrays;
mod days;
mod ends;
mod explain;
mod guard;
mod handler;
pub(crate) mod hooks;
mod keys;
mod known_times;
mod latest;
mod modify;
mod open;
mod parallel;
mod paths;
mod place;
mod plan;
mod probe;
mod retire;
mod runs;
mod sample;
mod scan;
mod segments;
mod source;
mod tip;
mod unseal;
mod upsert;
mod vacuum;
mod visible;
