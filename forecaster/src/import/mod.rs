//! Customers, catalogue and units from CSV.
//!
//! [`sheet`] reads a file so that every mistake is told with its line.

mod sheet;
