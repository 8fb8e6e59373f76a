//! headroom for PostgreSQL: hypertables with sealed blocks and forecasts in SQL.
//!
//! Useful alone: it knows no customer, no offer and no HTTP, and reads no table that it was not given.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`functions`] | the time-series functions on anybody's tables and values |
//! | [`hypertable`] | what makes an ordinary table a hypertable, and its catalogue |
//! | [`jobs`] | what is done again and again: policies, their schedule and the processes that run them |
//! | [`sealed`] | how sealed rows are read |
//! | [`server`] | the border to the server: errors and everything unsafe |

use pgrx::prelude::*;

mod functions;
mod hypertable;
mod jobs;
mod sealed;
mod server;

pgrx::pg_module_magic!();

/// Called by the server when it loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    jobs::launcher::register();
    server::settings::define();
    sealed::hooks::install();
}
