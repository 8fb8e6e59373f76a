//! Customers, catalogue and units from CSV: all of a file or nothing of it, and the same file again changes nothing.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`sheet`] | reads a file so that every mistake is told with its line |
//! | [`customers`] | customers with their terms and consent |
//! | [`catalogue`] | what is sold |
//! | [`units`] | what was sold to whom |

mod catalogue;
mod customers;
mod sheet;
mod units;

use std::io::Read;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Client;

use crate::database::change::Change;

pub(crate) use sheet::{Column, Mistakes};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Customers with their user information, commercial terms and consent
    Customers,
    /// Products: units that are sold and what expands, replaces or extends them
    Catalogue,
    /// Units that were sold, by serial number
    Units,
}

impl Kind {
    /// The columns of such a file.
    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Self::Customers => customers::COLUMNS,
            Self::Catalogue => catalogue::COLUMNS,
            Self::Units => units::COLUMNS,
        }
    }
}

/// What came of a file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Imported {
    /// Rows that were read.
    pub(crate) rows: u64,
    /// Those that were not there before.
    pub(crate) added: u64,
    /// Those that have changed.
    pub(crate) changed: u64,
    /// Those that were there just so.
    pub(crate) unchanged: u64,
}

impl Imported {
    fn count(&mut self, change: Change) {
        self.rows += 1;
        match change {
            Change::Added => self.added += 1,
            Change::Changed => self.changed += 1,
            Change::Unchanged => self.unchanged += 1,
        }
    }
}

/// Why nothing was imported.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The file has mistakes.
    Mistakes(Mistakes),
    /// The database failed.
    Database(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// Imports a file. `begun` hears how many rows there are, `done` each that was written.
pub(crate) async fn import(
    client: &mut Client,
    kind: Kind,
    input: impl Read,
    now: Timestamp,
    begun: impl FnOnce(u64),
    done: impl Fn(),
) -> Result<Imported, Refused> {
    let mut mistakes = Mistakes::default();
    let rows = sheet::read(input, kind.columns(), &mut mistakes);
    begun(rows.len() as u64);
    let transaction = client.transaction().await?;
    let mut imported = Imported::default();
    match kind {
        Kind::Customers => {
            let customers = customers::parse(&rows, &mut mistakes);
            for (line, customer) in customers.iter().filter(|_| mistakes.0.is_empty()) {
                tracing::trace!(line, reference = customer.reference);
                imported.count(crate::database::customers::put(&transaction, customer, now).await?);
                done();
            }
        }
        Kind::Catalogue => {
            for product in catalogue::parse(&rows, &mut mistakes).iter().filter(|_| mistakes.0.is_empty()) {
                imported.count(crate::database::products::put(&transaction, product).await?);
                done();
            }
        }
        Kind::Units => {
            for (line, sale) in units::parse(&rows, &mut mistakes) {
                units::put(&transaction, line, &sale, now, &mut mistakes, &mut imported).await?;
                done();
            }
        }
    }
    if mistakes.0.is_empty() {
        transaction.commit().await?;
        Ok(imported)
    } else {
        transaction.rollback().await?;
        Err(Refused::Mistakes(mistakes))
    }
}
