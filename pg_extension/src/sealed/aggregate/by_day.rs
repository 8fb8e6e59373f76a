//! Aggregates from the days of a block.

use headroom_core::block::{
    Damage, Rollup,
    rollup::{Day, Part, key_of_bits},
};

use super::{
    spec::{Function, What},
    state::{State, Value, integer},
};
use crate::hypertable::layout::Layout;

/// What the days tell of one function.
pub(super) enum Told {
    /// It counts rows.
    Rows,
    /// The column is null in all rows.
    Nothing,
    /// A value a day.
    Values(Vec<Value>),
    /// A sum a day.
    Sums(Vec<i128>),
}

impl Told {
    /// What the days of a block tell of each function; nothing when they do not tell one of them.
    pub(super) fn all(
        layout: &Layout,
        rollup: &Rollup<'_>,
        functions: &[Function],
    ) -> Result<Option<Vec<Self>>, Damage> {
        let mut all = Vec::with_capacity(functions.len());
        for function in functions {
            let Some(told) = Self::one(layout, rollup, function)? else { return Ok(None) };
            all.push(told);
        }
        Ok(Some(all))
    }

    fn one(layout: &Layout, rollup: &Rollup<'_>, function: &Function) -> Result<Option<Self>, Damage> {
        let days = rollup.days();
        if function.what == What::Rows {
            return Ok(Some(Self::Rows));
        }
        let part = match function.what {
            What::First => Part::First,
            What::Last => Part::Last,
            What::Least => Part::Least,
            What::Greatest => Part::Greatest,
            What::Rows | What::Count | What::Sum | What::Mean => {
                return Self::counted_or_added(layout, rollup, function);
            }
        };
        if function.position == layout.time {
            let time = |day: &Day| match part {
                Part::First | Part::Least => integer(day.first_time),
                Part::Last | Part::Greatest => integer(day.last_time),
            };
            return Ok(Some(Self::Values(days.iter().map(time).collect())));
        }
        let column = layout.column(function.position);
        let Some((column, number)) = column.and_then(|column| Some((column, column.number()?))) else {
            return Ok(None);
        };
        let Some(rolled) = rollup.column(number) else { return Ok(None) };
        if rolled.is_absent() {
            return Ok(Some(Self::Nothing));
        }
        if rolled.kind() != column.form.kind() {
            return Ok(None);
        }
        let kind = rolled.kind();
        let values = rolled.bits(days, part)?.into_iter().map(|bits| (key_of_bits(kind, bits), bits));
        Ok(Some(Self::Values(values.collect())))
    }

    fn counted_or_added(
        layout: &Layout,
        rollup: &Rollup<'_>,
        function: &Function,
    ) -> Result<Option<Self>, Damage> {
        if function.what == What::Count && function.position == layout.time {
            return Ok(Some(Self::Rows));
        }
        let number = layout.column(function.position).and_then(|column| column.number());
        let Some(rolled) = number.and_then(|number| rollup.column(number)) else { return Ok(None) };
        if rolled.is_absent() {
            return Ok(Some(Self::Nothing));
        }
        if function.what == What::Count {
            return Ok(Some(Self::Rows));
        }
        Ok(if rolled.has_sums() { Some(Self::Sums(rolled.sums(rollup.days())?)) } else { None })
    }

    /// Gives the state what is told of the day with this number.
    pub(super) fn give(&self, state: &mut State, what: What, number: usize, day: &Day) {
        let time = if what == What::First { day.first_time } else { day.last_time };
        match self {
            Self::Rows => state.take_rows(day.rows.into()),
            Self::Nothing => state.take_value(what, None, time),
            Self::Values(values) => state.take_value(what, values.get(number).copied(), time),
            Self::Sums(sums) => state.take_sum(sums.get(number).copied().unwrap_or(0), day.rows.into()),
        }
    }
}
