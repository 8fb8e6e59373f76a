//! `latest`: the newest row of each segment. Of sealed rows the head of one block a segment tells it: it holds the last
//! value of every column of numbers.

use pgrx::{PgMemoryContexts, pg_guard, pg_sys, prelude::*, spi::quote_identifier};

use super::{
    block_row::BlockRow,
    carried::Give,
    conditions::Comparison,
    daily_arrays,
    ends::{End, Known},
    open::{self, Head},
    segments::{Asked, Queries, Segments},
    source,
    tip::LastRow,
    visible,
};
use crate::{
    hypertable::{
        datum::{self, Datums},
        layout::Layout,
    },
    server::{
        error::{Error, Kind, Result, or_raise},
        memory,
        relation::{self, Open},
        srf::{Arguments, Rows},
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.latest(table_row anyelement) RETURNS SETOF anyelement
    LANGUAGE c STABLE PARALLEL SAFE ROWS 1000 COST 10000 AS 'MODULE_PATHNAME', 'headroom_latest';
COMMENT ON FUNCTION headroom.latest(anyelement) IS
'The newest row of every segment of a hypertable, by rising segment; the table is told by its row type: headroom.latest(NULL::status). Sealed and unsealed rows, as the caller may see them';
CREATE FUNCTION headroom.latest(table_row anyelement, segments anycompatiblearray) RETURNS SETOF anyelement
    LANGUAGE c STABLE PARALLEL SAFE ROWS 1000 COST 10000 AS 'MODULE_PATHNAME', 'headroom_latest';
COMMENT ON FUNCTION headroom.latest(anyelement, anycompatiblearray) IS
'As headroom.latest(table_row), of these segments alone; of all where the array is NULL';
"#,
    name = "latest",
    requires = ["hypertables"]
);

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the function is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_latest() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_latest(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the server's promise.
    let arguments = unsafe { Arguments::of(call) };
    or_raise(answer(&arguments));
    pg_sys::Datum::from(0)
}

fn answer(arguments: &Arguments) -> Result<()> {
    let kind = arguments.type_of(0);
    // SAFETY: a look-up in the server's caches.
    let table = unsafe { pg_sys::get_typ_typrelid(kind) };
    if table == pg_sys::InvalidOid {
        return Err(Error::new(Kind::WrongType, "the argument is not of a table's row type")
            .hint("SELECT * FROM headroom.latest(NULL::your_table);"));
    }
    let asked = Asked::of(Some(table))?;
    let segments = if arguments.count() > 1 { daily_arrays::segments(arguments, &asked)? } else { None };
    let mut rows = arguments.materialised();
    give_latest(&asked, segments, &mut rows)
}

fn give_latest(asked: &Asked, segments: Option<(pg_sys::Oid, pg_sys::Datum)>, rows: &mut Rows) -> Result<()> {
    let targets = Target::all(asked, rows);
    let has_index = has_index(asked);
    let queries = Queries::open(asked, Give::NewestBlocks, segments, &[], |from, condition| {
        query(asked, from, condition, segments.is_some(), has_index)
    })?;
    let mut running = Segments::of(queries, &asked.segment)?;
    let time_form = asked.time.form;
    let mut memory = PgMemoryContexts::new("headroom latest");
    while let Some(segment) = running.next() {
        let row = running.row().map(|slot| {
            // SAFETY: a deformed row of the query: segment, time, then all columns.
            let time = unsafe { *(*slot).tts_values.add(1) };
            (slot, datum::time_of(time, time_form))
        });
        let block = running
            .block()
            .map(|block| (block, datum::time_of(block.value(block.columns.last_time), time_form)));
        // SAFETY: what is made for the row is copied into the answer.
        unsafe {
            memory.reset();
            let before = memory::enter(memory.value());
            let values = match (row, block) {
                (Some((_, at)), Some((block, last))) if last > at => {
                    of_block(asked, &targets, segment, block, &mut running)
                }
                (None, Some((block, _))) => of_block(asked, &targets, segment, block, &mut running),
                (Some((slot, _)), _) => Ok(of_row(&targets, slot)),
                (None, None) => Err(Error::new(Kind::Internal, "a segment has neither row nor block")),
            };
            let values = values.map(|values| rows.put(&values));
            memory::enter(before);
            values?;
        }
        while running.row().is_some() {
            running.step_row();
        }
        while running.block().is_some() {
            running.step_block()?;
        }
    }
    running.close();
    Ok(())
}

/// A column of the answer; nothing where the table has dropped one.
type Targets = Vec<Option<Target>>;

struct Target {
    /// Where it is among the columns of the query for rows.
    in_row: usize,
    /// Where it is among the columns of the blocks.
    in_block: Option<usize>,
}

impl Target {
    fn all(asked: &Asked, rows: &Rows) -> Targets {
        // SAFETY: the descriptor of the answer: the table's columns, dropped ones included.
        let attributes = unsafe {
            let descriptor = rows.descriptor();
            (*descriptor).attrs.as_slice((*descriptor).natts as usize)
        };
        let mut in_row = 1;
        attributes
            .iter()
            .map(|attribute| {
                if attribute.attisdropped {
                    return None;
                }
                in_row += 1;
                Some(Self { in_row, in_block: asked.position(&relation::text_of(&attribute.attname)) })
            })
            .collect()
    }
}

/// Whether an index of the row store finds the newest row of a segment.
fn has_index(asked: &Asked) -> bool {
    let open = Open::with(asked.relation, pg_sys::AccessShareLock);
    let number = |name: &str| {
        let found =
            open.attributes().iter().find(|a| !a.attisdropped && relation::text_of(&a.attname) == name);
        found.map(|attribute| attribute.attnum)
    };
    let wanted: Vec<i16> = [&asked.segment, &asked.time].iter().filter_map(|c| number(&c.name)).collect();
    // SAFETY: the relation is open.
    unsafe { source::indexes(open.as_ptr()) }.iter().any(|index| index.columns.starts_with(&wanted))
}

/// The query for the newest unsealed row of each segment.
fn query(asked: &Asked, from: &str, condition: &str, has_segments: bool, has_index: bool) -> Result<String> {
    let segment = quote_identifier(&asked.segment.name);
    let time = quote_identifier(&asked.time.name);
    let columns: String = asked.columns.iter().map(|c| format!(", {}", quote_identifier(&c.name))).collect();
    let newest = |key: &str, equal: &str| {
        format!(
            "LATERAL (SELECT t.{segment}, t.{time}{columns} FROM {from} t WHERE t.{segment} {equal} {key}
             ORDER BY t.{time} DESC LIMIT 1) newest"
        )
    };
    if !has_index || !from.starts_with("ONLY ") {
        return Ok(format!(
            "SELECT DISTINCT ON ({segment}) {segment}, {time}{columns} FROM {from} WHERE {condition}
             ORDER BY {segment}, {time} DESC"
        ));
    }
    let equal = visible::operator(&asked.segment, Comparison::Equal)?;
    if has_segments {
        return Ok(format!(
            "SELECT newest.* FROM (SELECT DISTINCT k FROM pg_catalog.unnest($1) AS k) keys, {} ORDER BY 1",
            newest("keys.k", &equal)
        ));
    }
    // One look-up for the next segment and one for its newest row: the index is not read from end to end.
    let later = visible::operator(&asked.segment, Comparison::Greater)?;
    Ok(format!(
        "WITH RECURSIVE keys (k) AS (
             (SELECT t.{segment} FROM {from} t ORDER BY 1 LIMIT 1)
             UNION ALL
             SELECT (SELECT t.{segment} FROM {from} t WHERE t.{segment} {later} keys.k ORDER BY 1 LIMIT 1)
               FROM keys WHERE keys.k IS NOT NULL)
         SELECT newest.* FROM keys, {} ORDER BY 1",
        newest("keys.k", &equal)
    ))
}

/// The values of an unsealed row.
unsafe fn of_row(targets: &Targets, slot: *mut pg_sys::TupleTableSlot) -> Vec<Option<pg_sys::Datum>> {
    let value = |target: &Target| {
        // SAFETY: a deformed row of the query.
        unsafe {
            let is_null = *(*slot).tts_isnull.add(target.in_row);
            (!is_null).then(|| *(*slot).tts_values.add(target.in_row))
        }
    };
    targets.iter().map(|target| target.as_ref().and_then(value)).collect()
}

/// The values of the last row of a block: as the index tells them, else from the block.
fn of_block(
    asked: &Asked,
    targets: &Targets,
    segment: pg_sys::Datum,
    row: BlockRow,
    running: &mut Segments<Queries>,
) -> Result<Vec<Option<pg_sys::Datum>>> {
    let Some(layout) = &asked.layout else {
        return Err(Error::new(Kind::Internal, "a block of a table without blocks"));
    };
    // SAFETY: the row stays until the next block is asked for.
    let last = unsafe { LastRow::read(layout, row)? };
    let mut head = None;
    let mut values = Vec::with_capacity(targets.len());
    for target in targets {
        let Some(position) = target.as_ref().and_then(|target| target.in_block) else {
            values.push(None);
            continue;
        };
        let told = match &last {
            Some(last) => last.value(layout, position, segment)?,
            None => Known::No,
        };
        values.push(match told {
            Known::Value(value) => value,
            Known::No => {
                if head.is_none() {
                    head = Some(Head::read(layout, running.whole_block()?)?);
                }
                let Some(head) = &head else { return Err(Error::new(Kind::Internal, "a head was not read")) };
                last_value(layout, head, position, segment)?
            }
        });
    }
    Ok(values)
}

fn last_value(
    layout: &Layout,
    head: &Head,
    position: usize,
    segment: pg_sys::Datum,
) -> Result<Option<pg_sys::Datum>> {
    if let Known::Value(value) = End::Last.value(layout, head, position, segment) {
        return Ok(value);
    }
    let Some(column) = layout.column(position) else { return Ok(None) };
    if column.number().and_then(|number| head.directory.entry(number)).is_none() {
        let (value, is_null) = datum::missing(column);
        return Ok((!is_null).then_some(value));
    }
    let decoded = open::decode_one(layout, head, position)?;
    let last = head.directory.rows as usize - 1;
    let datums = Datums::of(decoded, column)?;
    let is_null = datums.nulls.as_ref().is_some_and(|nulls| nulls[last]);
    Ok((!is_null).then(|| datums.copy(last, column)))
}
