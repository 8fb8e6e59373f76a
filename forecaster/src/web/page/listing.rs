//! Pages that are tables of text: title, a few sentences, tables.

use askama::Template;

use crate::web::frame::Frame;

/// A cell, perhaps a link.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) address: Option<String>,
}

impl Cell {
    /// Text alone.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), address: None }
    }

    /// Text that leads somewhere.
    pub(super) fn link(text: impl Into<String>, address: String) -> Self {
        Self { text: text.into(), address: Some(address) }
    }
}

/// A table with its heading.
pub(super) struct Table {
    pub(super) title: String,
    pub(super) note: Option<String>,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) empty: &'static str,
}

impl Table {
    /// The name of a column; empty where a row has more cells than there are columns.
    pub(super) fn column(&self, index: &usize) -> &'static str {
        self.columns.get(*index).copied().unwrap_or_default()
    }
}

/// The page.
#[derive(Template)]
#[template(path = "listing.html")]
pub(super) struct ListingPage {
    pub(super) frame: Frame,
    pub(super) title: &'static str,
    pub(super) intro: Vec<String>,
    pub(super) tables: Vec<Table>,
}
