//! Unsealed rows and blocks of a hypertable side by side, segment after segment: what functions read that answer from
//! blocks as a whole.
//!
//! Both come from queries under one snapshot and as the caller, so privileges and policies are checked by the executor
//! and a row is in one of the two.

use std::cmp::Ordering;

use pgrx::pg_sys;

use super::{
    block_row::BlockRow,
    carried::Give,
    conditions::Comparison,
    visible::{self, VisibleBlocks},
};
use crate::{
    hypertable::{
        catalogue,
        layout::{ColumnLayout, Form, Layout, Role},
    },
    server::{
        cursor::Cursor,
        error::{Error, Kind, Result},
        memory,
        relation::{self, Open},
        type_form::TypeForm,
    },
};

/// A hypertable that is asked, sealed rows or not.
pub(super) struct Asked {
    pub(super) relation: pg_sys::Oid,
    pub(super) layout: Option<std::rc::Rc<Layout>>,
    /// Its columns, dropped ones left out.
    pub(super) columns: Vec<ColumnLayout>,
    pub(super) time: ColumnLayout,
    pub(super) segment: ColumnLayout,
}

impl Asked {
    /// Looks at the table.
    pub(super) fn of(relation: Option<pg_sys::Oid>) -> Result<Self> {
        let Some(relation) = relation else {
            return Err(Error::new(Kind::InvalidArgument, "the relation is null"));
        };
        if !relation::exists(relation) {
            return Err(Error::new(
                Kind::UndefinedTable,
                format!("there is no relation with the identifier {}", relation.to_u32()),
            ));
        }
        let name = relation::name(relation);
        let Some(names) = catalogue::names(relation)? else {
            return Err(Error::new(Kind::WrongObject, format!("{name} is no hypertable")).hint(format!(
                "SELECT headroom.create_hypertable({}, 'time column', 'segment column');",
                pgrx::spi::quote_literal(&name)
            )));
        };
        let Some(segment) = names.segment else {
            return Err(Error::new(Kind::WrongObject, format!("{name} has no segment column"))
                .hint("A hypertable is given its segment column when it is made, by create_hypertable."));
        };
        let layout = Layout::of_hypertable(relation)?;
        let open = Open::with(relation, pg_sys::AccessShareLock);
        let columns: Vec<_> = open
            .attributes()
            .iter()
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| ColumnLayout {
                name: relation::text_of(&attribute.attname),
                role: Role::Value(0),
                form: Form::of(attribute.atttypid),
                type_oid: attribute.atttypid,
                type_modifier: attribute.atttypmod,
                collation: attribute.attcollation,
                missing: None,
            })
            .collect();
        let find = |wanted: &str| {
            columns.iter().find(|column| column.name == wanted).cloned().ok_or_else(|| {
                Error::new(
                    Kind::UndefinedColumn,
                    format!("column \"{wanted}\" of {name} does not exist any more"),
                )
            })
        };
        let (time, segment) = (find(&names.time)?, find(&segment)?);
        Ok(Self { relation, layout, columns, time, segment })
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Result<&ColumnLayout> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            Error::new(
                Kind::UndefinedColumn,
                format!("column \"{name}\" of {} does not exist", relation::name(self.relation)),
            )
        })
    }

    /// Where a column is among those of the blocks.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let columns = &self.layout.as_ref()?.columns;
        columns.iter().position(|column| column.as_ref().is_some_and(|column| column.name == name))
    }
}

/// Where rows and blocks come from, both by rising segment.
pub(super) trait Pull {
    /// The next unsealed row, deformed.
    fn row(&mut self) -> Option<*mut pg_sys::TupleTableSlot>;
    /// The next block.
    fn block(&mut self) -> Result<Option<BlockRow>>;
    /// Where the segment is among a row's columns.
    fn segment_in_row(&self) -> usize;
}

/// The two queries of a function.
pub(super) struct Queries {
    rows: Cursor,
    blocks: Option<VisibleBlocks>,
}

impl Queries {
    /// Begins. `query` makes the query for rows, from what stands behind FROM and the condition on the segment: rows by
    /// rising segment, the segment first. Parameter `$1` is the array of segments, when there is one.
    pub(super) fn open(
        asked: &Asked,
        give: Give,
        segments: Option<(pg_sys::Oid, pg_sys::Datum)>,
        others: &[(pg_sys::Oid, pg_sys::Datum)],
        query: impl Fn(&str, &str) -> Result<String>,
    ) -> Result<Self> {
        let blocks = match &asked.layout {
            Some(layout) => VisibleBlocks::open(layout, give, segments)?,
            None => None,
        };
        let name = relation::name(asked.relation);
        let from = if asked.layout.is_none() || blocks.is_some() { format!("ONLY {name}") } else { name };
        let condition = match segments {
            Some(_) => format!(
                "{} {} ANY ($1)",
                pgrx::spi::quote_identifier(&asked.segment.name),
                visible::operator(&asked.segment, Comparison::Equal)?
            ),
            None => "true".to_owned(),
        };
        let arguments: Vec<_> = segments.into_iter().chain(others.iter().copied()).collect();
        let rows = Cursor::open(&query(&from, &condition)?, &arguments)?;
        Ok(Self { rows, blocks })
    }

    fn close(self) {
        self.rows.close();
        if let Some(blocks) = self.blocks {
            blocks.close();
        }
    }
}

impl Pull for Queries {
    fn row(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        self.rows.next()
    }

    fn block(&mut self) -> Result<Option<BlockRow>> {
        match &mut self.blocks {
            Some(blocks) => blocks.next(),
            None => Ok(None),
        }
    }

    fn segment_in_row(&self) -> usize {
        0
    }
}

/// Rows and blocks, segment after segment.
pub(super) struct Segments<P> {
    from: P,
    /// The next row, not taken yet.
    row: Option<*mut pg_sys::TupleTableSlot>,
    /// The next block, not taken yet.
    block: Option<BlockRow>,
    compare: pg_sys::FmgrInfo,
    collation: pg_sys::Oid,
    form: TypeForm,
    /// The segment whose rows and blocks are being taken; it lives in `context`.
    current: pg_sys::Datum,
    context: pg_sys::MemoryContext,
}

impl<P: Pull> Segments<P> {
    /// Begins, in a memory context that lives as long.
    pub(super) fn of(from: P, column: &ColumnLayout) -> Result<Self> {
        // SAFETY: look-ups in the server's caches; the context is a child of the caller's, in whose memory all ends.
        let mut opened = unsafe {
            let flags = pg_sys::TYPECACHE_CMP_PROC_FINFO as i32;
            let entry = pg_sys::lookup_type_cache(column.type_oid, flags);
            let mut compare = pg_sys::FmgrInfo::default();
            pg_sys::fmgr_info((*entry).cmp_proc, &raw mut compare);
            Self {
                from,
                row: None,
                block: None,
                compare,
                collation: column.collation,
                form: TypeForm::of(column.type_oid),
                current: pg_sys::Datum::from(0),
                context: memory::child(c"headroom segment"),
            }
        };
        opened.step_row();
        opened.step_block()?;
        Ok(opened)
    }

    /// Goes to the next segment, when all rows and blocks of this one have been taken.
    pub(super) fn next(&mut self) -> Option<pg_sys::Datum> {
        let of_row = self.row.map(|row| self.segment_of(row));
        let of_block = self.block.and_then(|row| row.columns.segment.map(|column| row.value(column)));
        let next = match (of_row, of_block) {
            (None, None) => return None,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(row), Some(block)) if self.order(row, block) == Ordering::Greater => block,
            (Some(row), Some(_)) => row,
        };
        // SAFETY: the copy outlives the page or row that it is from, until the next segment.
        unsafe {
            pg_sys::MemoryContextReset(self.context);
            let before = memory::enter(self.context);
            self.current = self.form.copy(next);
            memory::enter(before);
        }
        Some(self.current)
    }

    /// The next unsealed row of this segment; to be passed with [`Self::step_row`].
    pub(super) fn row(&mut self) -> Option<*mut pg_sys::TupleTableSlot> {
        let row = self.row?;
        (self.order(self.segment_of(row), self.current) == Ordering::Equal).then_some(row)
    }

    /// Goes past a row.
    pub(super) fn step_row(&mut self) {
        self.row = self.from.row();
    }

    /// The next block of this segment; to be passed with [`Self::step_block`].
    pub(super) fn block(&mut self) -> Option<BlockRow> {
        let block = self.block?;
        let segment = block.value(block.columns.segment?);
        (self.order(segment, self.current) == Ordering::Equal).then_some(block)
    }

    /// Goes past a block.
    pub(super) fn step_block(&mut self) -> Result<()> {
        self.block = self.from.block()?;
        Ok(())
    }

    fn order(&mut self, one: pg_sys::Datum, other: pg_sys::Datum) -> Ordering {
        if self.form.by_value && one.value() == other.value() {
            return Ordering::Equal;
        }
        // SAFETY: the comparison of the segment's type, and two values of it.
        let order = unsafe { pg_sys::FunctionCall2Coll(&raw mut self.compare, self.collation, one, other) };
        (order.value() as i32).cmp(&0)
    }

    /// The segment of a row, which is not null.
    fn segment_of(&self, slot: *mut pg_sys::TupleTableSlot) -> pg_sys::Datum {
        // SAFETY: the slot holds a deformed row that has the column.
        unsafe { *(*slot).tts_values.add(self.from.segment_in_row()) }
    }
}

impl Segments<Queries> {
    /// All of the next block of this segment, of which perhaps only the index was read.
    pub(super) fn whole_block(&mut self) -> Result<BlockRow> {
        match &mut self.from.blocks {
            Some(blocks) => blocks.whole(),
            None => Err(Error::new(Kind::Internal, "a block came from no scan of blocks")),
        }
    }

    /// Ends both queries.
    pub(super) fn close(self) {
        self.from.close();
    }
}
