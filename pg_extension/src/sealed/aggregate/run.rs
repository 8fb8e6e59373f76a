//! The node that aggregates.

use std::{ffi::CStr, ptr, rc::Rc};

use headroom_core::block::{Column, Kind as ValueKind};
use pgrx::{AnyNumeric, IntoDatum, PgMemoryContexts, fcinfo::direct_function_call, pg_guard, pg_sys};

use super::{
    spec::{Function, Key, Spec, What},
    state::{self, Rows, State},
};
use crate::{
    hypertable::{
        datum,
        layout::{Form, Layout},
    },
    sealed::{
        open::{self, Head},
        runs::Run,
        scan,
        segments::{Pull, Segments},
        source::BlockRow,
        visible,
    },
    server::{
        error::{Error, Kind, Result, or_raise},
        memory,
    },
};

/// A node, as the server knows it, with what runs behind it.
#[repr(C)]
struct Node {
    base: pg_sys::CustomScanState,
    aggregation: *mut Aggregation,
}

struct Methods(pg_sys::CustomExecMethods);
// SAFETY: never changed.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods(pg_sys::CustomExecMethods {
    CustomName: c"HeadroomAggregate".as_ptr(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(execute),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain),
});

/// `CreateCustomScanState`.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn make_state(_plan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: memory of the server's, all zero, with the head that it wants.
    unsafe {
        let node = pg_sys::palloc0(size_of::<Node>()).cast::<Node>();
        (*node).base.ss.ps.type_ = pg_sys::NodeTag::T_CustomScanState;
        (*node).base.methods = &raw const METHODS.0;
        node.cast()
    }
}

/// `BeginCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    flags: i32,
) {
    // SAFETY: the executor's own structures, in the memory context of the query.
    unsafe {
        let plan = (*node).ss.ps.plan.cast::<pg_sys::CustomScan>();
        let count = (*(*plan).custom_plans).length;
        for i in 0..count {
            let child = pg_sys::ExecInitNode(pg_sys::list_nth((*plan).custom_plans, i).cast(), estate, flags);
            (*node).custom_ps = pg_sys::lappend((*node).custom_ps, child.cast());
        }
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0 {
            return;
        }
        let encoded = pg_sys::list_nth((*plan).custom_private, 0).cast::<pg_sys::List>();
        let length = if encoded.is_null() { 0 } else { (*encoded).length };
        let integers: Vec<i32> = (0..length).map(|i| pg_sys::list_nth_int(encoded, i)).collect();
        let broken = || Error::new(Kind::Internal, "a plan of an aggregation is not one of ours");
        let spec = or_raise(Spec::decode(&integers).ok_or_else(broken));
        let child = |i: i32| pg_sys::list_nth((*node).custom_ps, i).cast::<pg_sys::PlanState>();
        let foreign = or_raise(visible::find(child(0)).ok_or_else(broken));
        let sealed = (*(*foreign).ss.ss_currentRelation).rd_id;
        let aggregation = Aggregation {
            layout: or_raise(Layout::of_sealed(sealed)),
            groups: Groups::new(&spec),
            spec,
            children: Children {
                rows: if count > 1 { child(1) } else { ptr::null_mut() },
                blocks: child(0),
                foreign,
                segment_in_row: 0,
            },
            segments: None,
            next: 0,
            segment: pg_sys::Datum::from(0),
            is_done: false,
            runs: Vec::new(),
            context: pg_sys::CurrentMemoryContext,
            block_memory: memory::child(c"headroom aggregated block"),
            row_memory: memory::child(c"headroom aggregated row"),
            from_heads: 0,
            decoded: 0,
        };
        (*node.cast::<Node>()).aggregation =
            PgMemoryContexts::For(pg_sys::CurrentMemoryContext).leak_and_drop_on_delete(aggregation);
    }
}

/// `ExecCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn execute(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures.
    unsafe { pg_sys::ExecScan(&raw mut (*node).ss, Some(next), Some(recheck)) }
}

#[pg_guard]
unsafe extern "C-unwind" fn recheck(
    _node: *mut pg_sys::ScanState,
    _slot: *mut pg_sys::TupleTableSlot,
) -> bool {
    true
}

/// The next group in the node's slot, or the empty slot.
#[pg_guard]
unsafe extern "C-unwind" fn next(node: *mut pg_sys::ScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the executor's own structures; the slot has a column for each key and function.
    unsafe {
        let slot = (*node).ss_ScanTupleSlot;
        pg_sys::ExecClearTuple(slot);
        let aggregation = &mut *(*node.cast::<Node>()).aggregation;
        if or_raise(aggregation.advance()) {
            or_raise(aggregation.fill(slot));
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        slot
    }
}

/// `ReScanCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        let children = (*node).custom_ps;
        let count = if children.is_null() { 0 } else { (*children).length };
        for i in 0..count {
            let child = pg_sys::list_nth(children, i).cast::<pg_sys::PlanState>();
            if !(*node).ss.ps.chgParam.is_null() {
                pg_sys::UpdateChangedParamSet(child, (*node).ss.ps.chgParam);
            }
            pg_sys::ExecReScan(child);
        }
        pg_sys::ExecScanReScan(&raw mut (*node).ss);
        if let Some(aggregation) = (*node.cast::<Node>()).aggregation.as_mut() {
            aggregation.restart();
        }
    }
}

/// `EndCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: the executor's own structures.
    unsafe {
        let children = (*node).custom_ps;
        let count = if children.is_null() { 0 } else { (*children).length };
        for i in 0..count {
            pg_sys::ExecEndNode(pg_sys::list_nth(children, i).cast());
        }
    }
}

/// `ExplainCustomScan`.
#[pg_guard]
unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    _ancestors: *mut pg_sys::List,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: the executor's own structures.
    unsafe {
        if let (true, Some(aggregation)) = ((*explain).analyze, (*node.cast::<Node>()).aggregation.as_ref()) {
            let tell = |label: &CStr, count: u64| {
                pg_sys::ExplainPropertyInteger(label.as_ptr(), ptr::null(), count as i64, explain);
            };
            tell(c"Blocks Answered from Summaries", aggregation.from_heads);
            tell(c"Blocks Decoded", aggregation.decoded);
        }
    }
}

/// The plans below the node.
#[derive(Clone, Copy)]
struct Children {
    /// Unsealed rows; null when there are none to read.
    rows: *mut pg_sys::PlanState,
    blocks: *mut pg_sys::PlanState,
    /// The scan in `blocks`.
    foreign: *mut pg_sys::ForeignScanState,
    segment_in_row: usize,
}

impl Pull for Children {
    fn row(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        if self.rows.is_null() {
            return None;
        }
        pull(self.rows)
    }

    fn block(&mut self) -> Result<Option<BlockRow>> {
        if pull(self.blocks).is_none() {
            return Ok(None);
        }
        // SAFETY: the node is part of the running plan and stands on the block whose row has just come out.
        let row = unsafe { scan::of(self.foreign) }.and_then(|scan| scan.block());
        row.map(Some).ok_or_else(|| Error::new(Kind::Internal, "a block came from no scan of blocks"))
    }

    fn segment_in_row(&self) -> usize {
        self.segment_in_row
    }
}

/// The next row of a plan, deformed.
fn pull(plan: *mut pg_sys::PlanState) -> Option<*mut pg_sys::TupleTableSlot> {
    // SAFETY: a plan that was begun and has not ended.
    unsafe {
        let slot = pg_sys::ExecProcNode(plan);
        if slot.is_null() || (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 {
            return None;
        }
        pg_sys::slot_getallattrs(slot);
        Some(slot)
    }
}

/// The groups of one segment, or of all, by the beginning of their buckets.
struct Groups {
    whats: Vec<What>,
    starts: Vec<i64>,
    /// As many for each group as there are functions.
    states: Vec<State>,
}

impl Groups {
    fn new(spec: &Spec) -> Self {
        Self {
            whats: spec.functions.iter().map(|function| function.what).collect(),
            starts: Vec::new(),
            states: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.starts.clear();
        self.states.clear();
    }

    /// The states of a group, made when it is not there yet.
    fn at(&mut self, start: i64) -> &mut [State] {
        let count = self.whats.len();
        let place = match self.starts.last() {
            Some(last) if *last == start => self.starts.len() - 1,
            Some(last) if *last > start => match self.starts.binary_search(&start) {
                Ok(place) => place,
                Err(place) => {
                    self.starts.insert(place, start);
                    let fresh: Vec<_> = self.whats.iter().map(|what| State::new(*what)).collect();
                    self.states.splice(place * count..place * count, fresh);
                    place
                }
            },
            _ => {
                self.starts.push(start);
                self.states.extend(self.whats.iter().map(|what| State::new(*what)));
                self.starts.len() - 1
            }
        };
        &mut self.states[place * count..(place + 1) * count]
    }
}

/// A running aggregation.
struct Aggregation {
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
    from_heads: u64,
    decoded: u64,
}

impl Aggregation {
    fn restart(&mut self) {
        self.segments = None;
        self.groups.clear();
        self.next = 0;
        self.is_done = false;
    }

    /// Goes to the next group; whether there is one.
    fn advance(&mut self) -> Result<bool> {
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
        // SAFETY: the node is part of the running plan.
        let bounds =
            unsafe { scan::of(self.children.foreign) }.map_or((i64::MIN, i64::MAX), |scan| scan.bounds());
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
            let done = self.take_head_or_columns(row, bounds, start.filter(|_| is_inside));
            memory::enter(before);
            done
        }
    }

    /// Takes a block, from its head when all its rows are in the group that begins at `start`.
    fn take_head_or_columns(&mut self, row: BlockRow, bounds: (i64, i64), start: Option<i64>) -> Result<()> {
        let layout = Rc::clone(&self.layout);
        let head = Head::read(&layout, row)?;
        if let Some(start) = start
            && self.take_head(&layout, &head, start)
        {
            self.from_heads += 1;
            return Ok(());
        }
        self.decoded += 1;
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
    unsafe fn fill(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Result<()> {
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

/// Key and bits of a datum of a column whose values are of this kind.
fn key_and_bits(kind: ValueKind, datum: pg_sys::Datum) -> (i64, u64) {
    match kind {
        ValueKind::I16 => state::integer((datum.value() as i16).into()),
        ValueKind::I32 => state::integer((datum.value() as i32).into()),
        ValueKind::I64 => state::integer(datum.value() as i64),
        ValueKind::F32 => state::float32(f32::from_bits(datum.value() as u32)),
        ValueKind::F64 => state::float64(f64::from_bits(datum.value() as u64)),
        ValueKind::Bool => state::integer((datum.value() as u8 != 0).into()),
        ValueKind::Bytes => (0, 0),
    }
}

/// The value of an aggregate.
fn finish(layout: &Layout, function: &Function, state: State) -> Option<pg_sys::Datum> {
    let column = layout.column(function.position);
    let kind = column.map_or(ValueKind::Bytes, |column| column.form.kind());
    match state {
        State::Count(count) => Some(pg_sys::Datum::from(count)),
        State::Sum { count: 0, .. } => None,
        State::Sum { sum, .. } if function.what == What::Sum => match column.map(|column| column.form) {
            // The server adds bigint as numeric, and the smaller integers as bigint.
            Some(Form::Number(ValueKind::I64)) => AnyNumeric::from(sum).into_datum(),
            _ => Some(pg_sys::Datum::from(sum as i64)),
        },
        State::Sum { sum, count } => {
            let parts = [AnyNumeric::from(sum).into_datum(), AnyNumeric::from(count).into_datum()];
            // SAFETY: the server's own division, of two values of its type.
            unsafe { direct_function_call::<AnyNumeric>(pg_sys::numeric_div, &parts) }
                .and_then(IntoDatum::into_datum)
        }
        State::Best(best) => best.map(|(_, bits)| datum::of_bits(kind, bits)),
        State::At(at) => at.and_then(|(_, bits)| bits).map(|bits| datum::of_bits(kind, bits)),
    }
}
