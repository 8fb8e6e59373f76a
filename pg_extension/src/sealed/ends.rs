//! The values of a block's first and last row, from its head.

use pgrx::pg_sys;

use super::open::Head;
use crate::hypertable::{
    datum,
    layout::{Form, Layout, Role},
};

/// Which end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

impl End {
    /// The time of the row.
    pub(super) fn time(self, head: &Head) -> i64 {
        match self {
            Self::First => head.directory.first_time,
            Self::Last => head.directory.last_time,
        }
    }

    /// The value of a column in the row, nothing where that is null; not known where the head does not tell it.
    pub(super) fn value(
        self,
        layout: &Layout,
        head: &Head,
        position: usize,
        segment: pg_sys::Datum,
    ) -> Known {
        let Some(column) = layout.column(position) else { return Known::Value(None) };
        match column.role {
            Role::Segment => return Known::Value(Some(segment)),
            Role::Time(_) => return Known::Value(Some(datum::datum_of_time(self.time(head), column.form))),
            Role::Value(_) => {}
        }
        let Some(entry) = column.number().and_then(|number| head.directory.entry(number)) else {
            return if column.missing.is_none() { Known::Value(None) } else { Known::No };
        };
        if entry.null_count == head.directory.rows {
            return Known::Value(None);
        }
        match column.form {
            Form::Number(kind) if kind == entry.kind => {
                let bits = match self {
                    Self::First => entry.summary.first,
                    Self::Last => entry.summary.last,
                };
                Known::Value(bits.map(|bits| datum::of_bits(kind, bits)))
            }
            _ => Known::No,
        }
    }
}

/// What the head of a block tells of a value.
pub(super) enum Known {
    /// It; nothing for null.
    Value(Option<pg_sys::Datum>),
    /// Nothing.
    No,
}
