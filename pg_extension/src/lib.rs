//! headroom for PostgreSQL: hypertables with sealed blocks and forecasts in SQL.
//!
//! Useful alone: it knows no customer, no offer and no HTTP, and reads no table that it was not given.

pgrx::pg_module_magic!();
