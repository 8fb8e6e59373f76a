//! `daily_arrays`: one value a day of each segment, as arrays, straight from blocks and unsealed rows.

use headroom_core::block::Column;
use pgrx::{PgMemoryContexts, pg_guard, pg_sys, prelude::*};

use super::{
    block_row::BlockRow,
    carried::Give,
    daily::{Days, Statistic},
    days,
    open::{self, Head},
    runs::{Buckets, Run},
    segments::{Asked, Queries, Segments},
};
use crate::{
    functions::bucket::DAY,
    hypertable::{
        datum::{self, Collector},
        layout::{Form, Layout},
    },
    server::{
        array,
        error::{Error, Kind, Result, or_raise},
        memory, relation,
        srf::{Arguments, Rows},
    },
};

extension_sql!(
    r#"
CREATE FUNCTION headroom.daily_arrays(relation regclass, segments anyarray, columns text[], statistics text[] DEFAULT NULL,
    companions text[] DEFAULT NULL, divisors double precision[] DEFAULT NULL, "after" timestamptz DEFAULT '-infinity',
    until timestamptz DEFAULT 'infinity', origin timestamptz DEFAULT '2000-01-01 00:00:00+00')
    RETURNS TABLE (segment anyelement, column_name text, statistic text, day timestamptz[], at timestamptz[],
        value double precision[], companion double precision[])
    LANGUAGE c STABLE PARALLEL SAFE ROWS 1000 COST 10000 AS 'MODULE_PATHNAME', 'headroom_daily_arrays';
COMMENT ON FUNCTION headroom.daily_arrays(regclass, anyarray, text[], text[], text[], double precision[], timestamptz, timestamptz, timestamptz) IS
'One value a day of a hypertable''s columns, a row for each segment (of these, or with NULL of all, by rising segment) and column: the days'' beginnings, counted from origin in steps of 24 hours; the time of each day''s last value that is not null; the statistic (first, last, min, max, sum, avg, count, p1 … p99; last where none is given), divided by the divisor; the companion column''s value in that last row. Values after a time, until and with a time. Sealed and unsealed rows, as the caller may see them';
"#,
    name = "daily_arrays",
    requires = ["hypertables"]
);

#[expect(unreachable_pub, reason = "the server looks for the symbol")]
/// Tells the server by which calling convention the function is called.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_headroom_daily_arrays() -> *const pg_sys::Pg_finfo_record {
    static VERSION: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &raw const VERSION
}

/// # Safety
/// Called by the server.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn headroom_daily_arrays(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the server's promise.
    let arguments = unsafe { Arguments::of(call) };
    or_raise(answer(&arguments));
    pg_sys::Datum::from(0)
}

fn answer(arguments: &Arguments) -> Result<()> {
    let question = Question::of(arguments)?;
    let mut rows = arguments.materialised();
    question.answer(&mut rows)
}

/// One column that is asked for.
struct Wanted {
    name: String,
    statistic_name: Option<String>,
    statistic: Statistic,
    divisor: Option<f64>,
    /// Where it is among the columns that are read.
    column: usize,
    /// Where its companion is.
    companion: Option<usize>,
}

/// The arguments, checked.
struct Question {
    asked: Asked,
    segments: Option<(pg_sys::Oid, pg_sys::Datum)>,
    wanted: Vec<Wanted>,
    /// The names of the columns that are read, each once.
    read: Vec<String>,
    after: i64,
    until: i64,
    days: Buckets,
}

impl Question {
    fn of(arguments: &Arguments) -> Result<Self> {
        let invalid = |what: String| Error::new(Kind::InvalidArgument, what);
        let asked = Asked::of(arguments.get::<pg_sys::Oid>(0))?;
        if asked.time.type_oid != pg_sys::TIMESTAMPTZOID {
            return Err(Error::new(
                Kind::WrongType,
                format!(
                    "the time column \"{}\" is not of type timestamptz, so it has no days",
                    asked.time.name
                ),
            ));
        }
        let segments = segments(arguments, &asked)?;
        let names = arguments.get::<Vec<Option<String>>>(2).ok_or_else(|| {
            invalid("columns are null".to_owned()).hint("Name at least one: ARRAY['column'].")
        })?;
        let count = names.len();
        let statistics = optional::<String>(arguments, 3, "statistics", count)?;
        let companions = optional::<String>(arguments, 4, "companions", count)?;
        let divisors = optional::<f64>(arguments, 5, "divisors", count)?;
        let mut read: Vec<String> = Vec::new();
        let mut number = |name: &str| -> Result<usize> {
            let column = asked.column(name)?;
            if !matches!(column.form, Form::Number(_)) || is_time(column.type_oid) {
                return Err(Error::new(
                    Kind::WrongType,
                    format!("column \"{name}\" of {} holds no numbers that a float can be", relation::name(asked.relation)),
                )
                .detail("Columns of the types smallint, integer, bigint, real, double precision and boolean are read."));
            }
            if name == asked.segment.name {
                return Err(Error::new(
                    Kind::InvalidArgument,
                    format!(
                        "\"{name}\" is the segment column of {}: it is the same in every row of a segment",
                        relation::name(asked.relation)
                    ),
                )
                .hint("It is given as segment; count rows by a column that is never null."));
            }
            Ok(read.iter().position(|known| known == name).unwrap_or_else(|| {
                read.push(name.to_owned());
                read.len() - 1
            }))
        };
        let mut wanted = Vec::with_capacity(count);
        for (i, name) in names.into_iter().enumerate() {
            let name = name.ok_or_else(|| invalid("the name of a column is null".to_owned()))?;
            let statistic = match &statistics[i] {
                None => Statistic::Last,
                Some(text) => Statistic::named(text).ok_or_else(|| {
                    invalid(format!("unknown statistic {}", pgrx::spi::quote_literal(text)))
                        .hint("Use first, last, min, max, sum, avg, count, or p1 to p99.")
                })?,
            };
            if divisors[i] == Some(0.0) {
                return Err(invalid("a divisor is 0".to_owned()));
            }
            let column = number(&name)?;
            let companion = companions[i].as_deref().map(&mut number).transpose()?;
            let statistic_name = statistics[i].clone();
            wanted.push(Wanted { name, statistic_name, statistic, divisor: divisors[i], column, companion });
        }
        let moment = |i: usize, what: &str| {
            arguments.get::<i64>(i).ok_or_else(|| invalid(format!("{what} is null")).hint("Leave it out."))
        };
        let (after, until, origin) = (moment(6, "\"after\"")?, moment(7, "until")?, moment(8, "origin")?);
        if origin == i64::MIN || origin == i64::MAX {
            return Err(invalid("origin must be a moment, not infinity".to_owned()));
        }
        // Infinite times are on no day.
        let until = until.min(i64::MAX - 1);
        let days = Buckets { width: DAY, origin };
        Ok(Self { asked, segments, wanted, read, after, until, days })
    }

    fn answer(&self, rows: &mut Rows) -> Result<()> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let quoted = |name: &str| pgrx::spi::quote_identifier(name);
        let (segment, time) = (quoted(&self.asked.segment.name), quoted(&self.asked.time.name));
        let columns: String = self.read.iter().map(|name| format!(", {}", quoted(name))).collect();
        let first = if self.segments.is_some() { 2 } else { 1 };
        let bounds = [self.after, self.until].map(|at| (pg_sys::TIMESTAMPTZOID, pg_sys::Datum::from(at)));
        let queries = Queries::open(&self.asked, Give::Blocks, self.segments, &bounds, |from, condition| {
            Ok(format!(
                "SELECT {segment}, {time}{columns} FROM {from} WHERE {condition}
                 AND {time} OPERATOR(pg_catalog.>) ${first} AND {time} OPERATOR(pg_catalog.<=) ${}
                 ORDER BY {segment}, {time}",
                first + 1
            ))
        })?;
        let mut segments = Segments::of(queries, &self.asked.segment)?;
        let mut reader = Reader::new(self)?;
        while let Some(segment) = segments.next() {
            reader.take_rows(&mut segments)?;
            while let Some(block) = segments.block() {
                reader.take_block(block)?;
                segments.step_block()?;
            }
            reader.emit(segment, rows);
        }
        segments.close();
        Ok(())
    }
}

/// Whether the numbers of a type are moments.
fn is_time(type_oid: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the server's caches.
    let base = unsafe { pg_sys::getBaseType(type_oid) };
    [pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID, pg_sys::DATEOID, pg_sys::TIMEOID].contains(&base)
}

/// The array of segments, when there is one.
pub(super) fn segments(arguments: &Arguments, asked: &Asked) -> Result<Option<(pg_sys::Oid, pg_sys::Datum)>> {
    let array = arguments.type_of(1);
    // SAFETY: look-ups in the server's caches.
    let (element, wanted) =
        unsafe { (pg_sys::get_base_element_type(array), pg_sys::getBaseType(asked.segment.type_oid)) };
    if element != wanted {
        // SAFETY: the server's own name of a type, copied at once.
        let name = unsafe { std::ffi::CStr::from_ptr(pg_sys::format_type_be(wanted)) }.to_string_lossy();
        return Err(Error::new(
            Kind::WrongType,
            format!("segments are not of the type of column \"{}\"", asked.segment.name),
        )
        .hint(format!("Give an array of {name}, or NULL::{name}[] for all segments.")));
    }
    Ok(arguments.datum(1).map(|datum| (array, datum)))
}

/// An array argument with an element for each column, or with none.
fn optional<T: FromDatum>(
    arguments: &Arguments,
    index: usize,
    what: &str,
    count: usize,
) -> Result<Vec<Option<T>>>
where
    Vec<Option<T>>: FromDatum,
{
    let given = arguments.get::<Vec<Option<T>>>(index);
    let given = given.unwrap_or_else(|| (0..count).map(|_| None).collect());
    if given.len() == count {
        return Ok(given);
    }
    Err(Error::new(Kind::InvalidArgument, format!("{count} columns have {} {what}", given.len()))
        .hint("Give one for each column (NULL where there is none to be), or leave them out."))
}

/// So many unsealed rows are looked at together.
const ROWS: usize = 4_096;

/// Turns rows and blocks of one segment into days.
struct Reader<'a> {
    question: &'a Question,
    /// Where the columns that are read are among those of the blocks.
    positions: Vec<usize>,
    /// The days of each wanted column.
    days: Vec<Days>,
    /// Whether the days asked for are those of UTC, which blocks have.
    takes_days: bool,
    /// Unsealed rows, until they are looked at.
    times: Vec<i64>,
    collectors: Vec<Collector>,
    runs: Vec<Run>,
    context: PgMemoryContexts,
}

impl<'a> Reader<'a> {
    fn new(question: &'a Question) -> Result<Self> {
        let asked = &question.asked;
        let positions = match &asked.layout {
            None => Vec::new(),
            Some(_) => {
                let missing = || Error::new(Kind::Internal, "sealed rows lack a column of their hypertable");
                question
                    .read
                    .iter()
                    .map(|name| asked.position(name).ok_or_else(missing))
                    .collect::<Result<_>>()?
            }
        };
        let collectors =
            question.read.iter().map(|name| asked.column(name).map(Collector::new)).collect::<Result<_>>()?;
        Ok(Self {
            question,
            positions,
            days: question.wanted.iter().map(|wanted| Days::new(wanted.statistic)).collect(),
            takes_days: question.days.are_whole_days(),
            times: Vec::new(),
            collectors,
            runs: Vec::new(),
            context: PgMemoryContexts::new("headroom daily arrays"),
        })
    }

    /// Takes the unsealed rows of the segment.
    fn take_rows(&mut self, segments: &mut Segments<Queries>) -> Result<()> {
        while let Some(row) = segments.row() {
            // SAFETY: a deformed row of the query: segment, time, then the columns that are read.
            unsafe {
                self.times.push((*(*row).tts_values.add(1)).value() as i64);
                for (i, collector) in self.collectors.iter_mut().enumerate() {
                    collector.push(*(*row).tts_values.add(2 + i), *(*row).tts_isnull.add(2 + i));
                }
            }
            segments.step_row();
            if self.times.len() == ROWS {
                self.take_collected();
            }
        }
        self.take_collected();
        Ok(())
    }

    fn take_collected(&mut self) {
        let columns: Vec<_> = self.collectors.iter_mut().map(|collector| Some(collector.take())).collect();
        let times = std::mem::take(&mut self.times);
        self.take(&times, &columns, 0, times.len());
    }

    /// Takes the rows of a block.
    fn take_block(&mut self, row: BlockRow) -> Result<()> {
        let Some(layout) = self.question.asked.layout.clone() else { return Ok(()) };
        let form = layout.time_column().form;
        let first = datum::time_of(row.value(row.columns.first_time), form);
        let last = datum::time_of(row.value(row.columns.last_time), form);
        let (after, until) = (self.question.after, self.question.until);
        if last <= after || first > until {
            return Ok(());
        }
        let is_inside = after < first && last <= until;
        // SAFETY: what the server allocates for the block is not used after it.
        let decoded = unsafe {
            self.context.reset();
            let before = memory::enter(self.context.value());
            let decoded = self.take_days_or_decode(&layout, row, is_inside);
            memory::enter(before);
            decoded
        };
        let Some((times, columns)) = decoded? else { return Ok(()) };
        let from = if first <= after { times.partition_point(|time| *time <= after) } else { 0 };
        let to = if last > until { times.partition_point(|time| *time <= until) } else { times.len() };
        self.take(&times, &columns, from, to);
        Ok(())
    }

    /// Takes the days of a block, or gives its times and columns where they do not tell what is asked.
    fn take_days_or_decode(
        &mut self,
        layout: &Layout,
        row: BlockRow,
        is_inside: bool,
    ) -> Result<Option<open::Decoded>> {
        if is_inside && self.takes_days && self.take_days(layout, &row)? {
            return Ok(None);
        }
        let head = Head::read(layout, row)?;
        open::decode(layout, &head, &self.positions).map(Some)
    }

    /// Takes the days of a block that lies within the bounds; whether that could be done.
    fn take_days(&mut self, layout: &Layout, row: &BlockRow) -> Result<bool> {
        let Some(rollup) = days::of_block(layout, row)? else { return Ok(false) };
        let find = |column: usize| {
            let column = layout.column(self.positions[column])?;
            let rolled = rollup.column(column.number()?)?;
            (rolled.kind() == column.form.kind()).then_some(rolled)
        };
        let mut found = Vec::with_capacity(self.days.len());
        for wanted in &self.question.wanted {
            let column = find(wanted.column).filter(|column| wanted.statistic.can_take_days(column));
            let companion = wanted.companion.map(find);
            let (Some(column), None | Some(Some(_))) = (column, companion) else { return Ok(false) };
            found.push((column, companion.flatten()));
        }
        for ((column, companion), days) in found.into_iter().zip(&mut self.days) {
            days.take_days(rollup.days(), column, companion)
                .map_err(|damage| open::damaged(layout, row.place(), &damage.to_string()))?;
        }
        Ok(true)
    }

    fn take(&mut self, times: &[i64], columns: &[Option<Column>], from: usize, to: usize) {
        self.question.days.runs(times, from, to, &mut self.runs);
        for (wanted, days) in self.question.wanted.iter().zip(&mut self.days) {
            let Some(column) = &columns[wanted.column] else { continue };
            let companion = wanted.companion.and_then(|i| columns[i].as_ref());
            days.take(times, &self.runs, column, companion);
        }
    }

    /// Writes the segment's rows and forgets its days.
    fn emit(&mut self, segment: pg_sys::Datum, rows: &mut Rows) {
        for (wanted, days) in self.question.wanted.iter().zip(&mut self.days) {
            if days.is_empty() {
                continue;
            }
            let divisor = wanted.divisor;
            let finished = days.finished();
            let count = finished.len();
            let (mut day, mut at) = (Vec::with_capacity(count), Vec::with_capacity(count));
            let (mut value, mut companion) = (Vec::with_capacity(count), Vec::new());
            companion.reserve(if wanted.companion.is_some() { count } else { 0 });
            for (one, number) in finished {
                day.push(one.start as u64);
                at.push(one.at as u64);
                value.push(divisor.map_or(number, |divisor| number / divisor).to_bits());
                if wanted.companion.is_some() {
                    companion.push(one.companion.map(f64::to_bits));
                }
            }
            // SAFETY: what is allocated is copied into the answer and freed with the context.
            unsafe {
                self.context.reset();
                let before = memory::enter(self.context.value());
                let companion =
                    wanted.companion.map(|_| array::of_words_or_nulls(pg_sys::FLOAT8OID, &companion));
                rows.put(&[
                    Some(segment),
                    wanted.name.as_str().into_datum(),
                    wanted.statistic_name.as_deref().unwrap_or("last").into_datum(),
                    Some(array::of_words(pg_sys::TIMESTAMPTZOID, &day)),
                    Some(array::of_words(pg_sys::TIMESTAMPTZOID, &at)),
                    Some(array::of_words(pg_sys::FLOAT8OID, &value)),
                    companion,
                ]);
                memory::enter(before);
            }
            days.clear();
        }
    }
}
