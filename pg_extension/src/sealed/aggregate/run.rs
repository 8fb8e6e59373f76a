//! The aggregation: rows, heads, days and columns to groups.

use std::rc::Rc;

use headroom_core::block::{Column, Kind as ValueKind};
use pgrx::pg_sys;

use super::{
    by_day::Told,
    children::Children,
    groups::Groups,
    result::{finish, key_and_bits},
    spec::{Function, Key, Spec, What},
    state::{Rows, State},
};
use crate::{
    hypertable::{datum, layout::Layout},
    sealed::{
        block_row::BlockRow,
        days,
        open::{self, Head},
        runs::{Buckets, Run},
        segments::{Pull, Segments},
    },
    server::{
        error::{Error, Kind, Result},
        memory,
    },
};

/// A running aggregation.
pub(super) struct Aggregation {
    layout: Rc<Layout>,
    spec: Spec,
    children: Children,
    /// Rows and blocks by segment, when groups are by segment and the first was asked for.
    segments: Option<Segments<Children>>,
    groups: Groups,
    /// The next group to give.
    next: usize,
    segment: pg_sys::Datum,
    is_done: bool,
    runs: Vec<Run>,
    /// Memory that lives as long as the query.
    context: pg_sys::MemoryContext,
    /// Both end with it.
    block_memory: pg_sys::MemoryContext,
    row_memory: pg_sys::MemoryContext,
    counters: Counters,
}

/// What EXPLAIN ANALYZE tells: how many blocks were answered how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    pub(super) from_heads: u64,
    pub(super) by_day: u64,
    pub(super) decoded: u64,
}

impl Aggregation {
    /// To be made in the memory context of the query.
    pub(super) fn new(layout: Rc<Layout>, spec: Spec, children: Children) -> Self {
        // SAFETY: a variable of this backend.
        let context = unsafe { pg_sys::CurrentMemoryContext };
        Self {
            layout,
            groups: Groups::new(&spec),
            spec,
            children,
            segments: None,
            next: 0,
            segment: pg_sys::Datum::from(0),
            is_done: false,
            runs: Vec::new(),
            context,
            block_memory: memory::child(c"headroom aggregated block"),
            row_memory: memory::child(c"headroom aggregated row"),
            counters: Counters::default(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Begins anew; the plans below have done so.
    pub(super) fn restart(&mut self) {
        self.segments = None;
        self.groups.clear();
        self.next = 0;
        self.is_done = false;
    }

    /// Goes to the next group; whether there is one.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.next += 1;
        while self.next > self.groups.starts.len() {
            self.groups.clear();
            self.next = 1;
            if self.is_done {
                return Ok(false);
            }
            if self.spec.is_by_segment() {
                self.take_segment()?;
            } else {
                self.take_everything()?;
            }
        }
        Ok(true)
    }

    fn take_segment(&mut self) -> Result<()> {
        let mut segments = match self.segments.take() {
            Some(segments) => segments,
            None => {
                let column = self.layout.segment_column();
                let column = column.ok_or_else(|| Error::new(Kind::Internal, "no segment to group by"))?;
                let children = Children { segment_in_row: self.spec.segment_in_row, ..self.children };
                // SAFETY: what is made lives as long as the query.
                unsafe {
                    let before = memory::enter(self.context);
                    let segments = Segments::of(children, column);
                    memory::enter(before);
                    segments?
                }
            }
        };
        match segments.next() {
            None => self.is_done = true,
            Some(segment) => {
                self.segment = segment;
                while let Some(row) = segments.row() {
                    self.take_row(row);
                    segments.step_row();
                }
                while let Some(block) = segments.block() {
                    self.take_block(block)?;
                    segments.step_block()?;
                }
            }
        }
        self.segments = Some(segments);
        Ok(())
    }

    fn take_everything(&mut self) -> Result<()> {
        self.is_done = true;
        if self.spec.keys.is_empty() {
            // Without GROUP BY there is one group, of no rows as well.
            self.groups.at(0);
        }
        let mut children = self.children;
        while let Some(row) = children.row() {
            self.take_row(row);
        }
        while let Some(block) = children.block()? {
            self.take_block(block)?;
        }
        Ok(())
    }

    fn take_row(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        let value = |i: usize| {
            // SAFETY: a deformed row of the row store's scan, which has the columns that the plan counted.
            unsafe { (*(*slot).tts_values.add(i), *(*slot).tts_isnull.add(i)) }
        };
        let needs_time = self.groups.whats.iter().any(|what| matches!(what, What::First | What::Last));
        let buckets = self.spec.buckets();
        let time = if needs_time || buckets.is_some() {
            datum::time_of(value(self.spec.time_in_row).0, self.layout.time_column().form)
        } else {
            0
        };
        let start = buckets.map_or(0, |buckets| buckets.of(time).0);
        let states = self.groups.at(start);
        for (function, state) in self.spec.functions.iter().zip(states) {
            if function.what == What::Rows {
                state.take_rows(1);
                continue;
            }
            let (datum, is_null) = value(function.in_row);
            let column = self.layout.column(function.position);
            let kind = column.map_or(ValueKind::Bytes, |column| column.form.kind());
            state.take_value(function.what, (!is_null).then(|| key_and_bits(kind, datum)), time);
        }
    }

    fn take_block(&mut self, row: BlockRow) -> Result<()> {
        let bounds = self.children.bounds();
        let form = self.layout.time_column().form;
        let first = datum::time_of(row.value(row.columns.first_time), form);
        let last = datum::time_of(row.value(row.columns.last_time), form);
        if last < bounds.0 || first > bounds.1 {
            return Ok(());
        }
        let is_inside = bounds.0 <= first && last <= bounds.1;
        let start = match self.spec.buckets() {
            None => Some(0),
            Some(buckets) => {
                let (start, end) = buckets.of(first);
                (last < end || first == last).then_some(start)
            }
        };
        // SAFETY: what the server allocates for the block is not used after it.
        unsafe {
            pg_sys::MemoryContextReset(self.block_memory);
            let before = memory::enter(self.block_memory);
            let done = match start.filter(|_| is_inside) {
                None if is_inside => self.take_days_or_columns(row, bounds),
                start => self.take_head_or_columns(row, bounds, start),
            };
            memory::enter(before);
            done
        }
    }

    /// Takes a block of several groups, by its days when groups are made of whole ones.
    fn take_days_or_columns(&mut self, row: BlockRow, bounds: (i64, i64)) -> Result<()> {
        if let Some(buckets) = self.spec.buckets()
            && buckets.are_whole_days()
            && self.take_days(buckets, &row)?
        {
            self.counters.by_day += 1;
            return Ok(());
        }
        self.take_head_or_columns(row, bounds, None)
    }

    /// Takes the days of a block; whether they tell everything.
    fn take_days(&mut self, buckets: Buckets, row: &BlockRow) -> Result<bool> {
        let layout = Rc::clone(&self.layout);
        let Some(rollup) = days::of_block(&layout, row)? else { return Ok(false) };
        let told = Told::all(&layout, &rollup, &self.spec.functions)
            .map_err(|damage| open::damaged(&layout, row.place(), &damage.to_string()))?;
        let Some(told) = told else { return Ok(false) };
        let (mut start, mut end) = buckets.of(rollup.days()[0].start);
        for (number, day) in rollup.days().iter().enumerate() {
            if day.start >= end {
                (start, end) = buckets.of(day.start);
            }
            let states = self.groups.at(start);
            for ((function, told), state) in self.spec.functions.iter().zip(&told).zip(states) {
                told.give(state, function.what, number, day);
            }
        }
        Ok(true)
    }

    /// Takes a block, from its head when all its rows are in the group that begins at `start`.
    fn take_head_or_columns(&mut self, row: BlockRow, bounds: (i64, i64), start: Option<i64>) -> Result<()> {
        let layout = Rc::clone(&self.layout);
        let head = Head::read(&layout, row)?;
        if let Some(start) = start
            && self.take_head(&layout, &head, start)
        {
            self.counters.from_heads += 1;
            return Ok(());
        }
        self.counters.decoded += 1;
        let mut wanted: Vec<usize> = Vec::new();
        for function in self.spec.functions.iter().filter(|function| function.what != What::Rows) {
            if !wanted.contains(&function.position) {
                wanted.push(function.position);
            }
        }
        let (times, columns) = open::decode(&layout, &head, &wanted)?;
        let from = times.partition_point(|time| *time < bounds.0);
        let to = times.partition_point(|time| *time <= bounds.1);
        let mut runs = std::mem::take(&mut self.runs);
        match self.spec.buckets() {
            Some(buckets) => buckets.runs(&times, from, to, &mut runs),
            None => {
                runs.clear();
                if from < to {
                    runs.push(Run { start: 0, from, to });
                }
            }
        }
        for run in &runs {
            let rows = Rows { times: &times, from: run.from, to: run.to };
            let states = self.groups.at(run.start);
            for (function, state) in self.spec.functions.iter().zip(states) {
                if function.what == What::Rows {
                    state.take_rows((run.to - run.from) as i64);
                    continue;
                }
                let column: Option<&Column> = wanted
                    .iter()
                    .position(|position| *position == function.position)
                    .and_then(|i| columns[i].as_ref());
                state.take_column(function.what, column, rows);
            }
        }
        self.runs = runs;
        Ok(())
    }

    /// Takes a block from its head alone; whether that could be done.
    fn take_head(&mut self, layout: &Layout, head: &Head, start: i64) -> bool {
        let rows = head.directory.rows;
        let entry = |function: &Function| {
            let column = layout.column(function.position)?;
            let entry = head.directory.entry(column.number()?)?;
            (entry.kind == column.form.kind()).then_some(entry)
        };
        let can = self.spec.functions.iter().all(|function| {
            function.what == What::Rows
                || entry(function).is_some_and(|entry| State::can_take_entry(function.what, entry, rows))
        });
        if !can {
            return false;
        }
        let times = (head.directory.first_time, head.directory.last_time);
        let states = self.groups.at(start);
        for (function, state) in self.spec.functions.iter().zip(states) {
            match entry(function) {
                Some(entry) if function.what != What::Rows => {
                    state.take_entry(function.what, entry, rows, times);
                }
                _ => state.take_rows(rows.into()),
            }
        }
        true
    }

    /// Fills the slot with the group that the node stands on.
    ///
    /// # Safety
    /// The slot has a column for each key and function.
    pub(super) unsafe fn fill(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<()> {
        let place = self.next - 1;
        let count = self.spec.functions.len();
        // SAFETY: the slot has a column for each key and function; what is allocated lives until the next row.
        unsafe {
            pg_sys::MemoryContextReset(self.row_memory);
            let before = memory::enter(self.row_memory);
            let mut column = 0;
            let mut put = |value: Option<pg_sys::Datum>| {
                *(*slot).tts_values.add(column) = value.unwrap_or(pg_sys::Datum::from(0));
                *(*slot).tts_isnull.add(column) = value.is_none();
                column += 1;
            };
            for key in &self.spec.keys {
                put(Some(match key {
                    Key::Segment => self.segment,
                    Key::Bucket(_) => pg_sys::Datum::from(self.groups.starts[place]),
                }));
            }
            let states = &self.groups.states[place * count..(place + 1) * count];
            for (function, state) in self.spec.functions.iter().zip(states) {
                put(finish(&self.layout, function, *state));
            }
            memory::enter(before);
        }
        Ok(())
    }
}
