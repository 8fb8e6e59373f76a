//! Columns to a rollup.

use super::{DAY, Form, MAX_DECIMALS, VERSION, checksum, decimal, expected_sum, turned32, turned64};
use crate::block::{
    Column, Kind, Values,
    codec::scalar::Scalar,
    packed,
    summary::float_key,
    wire::{put_signed, put_varint},
};

/// With fewer rows a day a rollup would take about as much as the rows, and save as little.
const LEAST_ROWS_A_DAY: usize = 8;

/// The rollup of a block with this directory: of columns of equally many rows, whose times are `times`, in microseconds
/// and rising. Empty when there is none to be: rows of infinite time, or too few a day.
pub fn write(directory: &[u8], times: &[i64], columns: &[(u32, &Column)]) -> Vec<u8> {
    let Some(days) = days_of(times) else { return Vec::new() };
    let mut head = Vec::new();
    write_days(&mut head, &days, times);
    let rolled: Vec<(u32, &Column)> =
        columns.iter().filter(|(_, column)| can_be_rolled(column)).copied().collect();
    put_varint(&mut head, rolled.len() as u64);
    let (mut next, mut sections) = (0, Vec::new());
    for (number, column) in rolled {
        put_varint(&mut head, u64::from(number) - next);
        next = u64::from(number) + 1;
        let kind = (column.values.kind() as u8) << 4;
        if column.nulls.as_ref().is_some_and(|nulls| nulls.contains(&true)) {
            head.push(kind | Form::Absent.code());
            continue;
        }
        let (form, bytes) = write_column(&days, column);
        head.push(kind | form.code());
        put_varint(&mut head, bytes.len() as u64);
        head.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        sections.extend(bytes);
    }
    let mut out = vec![VERSION];
    put_varint(&mut out, head.len() as u64);
    out.extend(head);
    out.extend_from_slice(&checksum(&out, directory).to_le_bytes());
    out.extend(sections);
    out
}

fn write_days(out: &mut Vec<u8>, days: &[Run], times: &[i64]) {
    put_varint(out, days.len() as u64);
    put_signed(out, days[0].number);
    let gaps: Vec<i64> = days.windows(2).map(|pair| pair[1].number - pair[0].number).collect();
    packed::write(out, &gaps);
    let each = |of: &dyn Fn(&Run) -> i64| -> Vec<i64> { days.iter().map(of).collect() };
    packed::write(out, &each(&|day| (day.to - day.from) as i64));
    packed::write(out, &each(&|day| times[day.from] - day.number * DAY));
    packed::write(out, &each(&|day| times[day.to - 1] - day.number * DAY));
}

/// Rows next to each other that are of one day.
struct Run {
    /// Days since 2000-01-01.
    number: i64,
    from: usize,
    to: usize,
}

fn days_of(times: &[i64]) -> Option<Vec<Run>> {
    if *times.first()? == i64::MIN || *times.last()? == i64::MAX {
        return None;
    }
    let mut days: Vec<Run> = Vec::new();
    let mut from = 0;
    while from < times.len() {
        let number = times[from].div_euclid(DAY);
        let end = number.checked_mul(DAY)?.checked_add(DAY)?;
        let to = from + times[from..].partition_point(|time| *time < end);
        days.push(Run { number, from, to });
        from = to;
    }
    (days.len() * LEAST_ROWS_A_DAY <= times.len()).then_some(days)
}

/// Numbers without nulls, or nulls alone.
fn can_be_rolled(column: &Column) -> bool {
    let has_nulls = |nulls: &Vec<bool>| nulls.contains(&true);
    column.values.kind() != Kind::Bytes
        && column.nulls.as_ref().is_none_or(|nulls| !has_nulls(nulls) || !nulls.contains(&false))
}

/// The four values of each day, as bits, and of whole numbers the sum.
#[derive(Default)]
struct Parts {
    first: Vec<u64>,
    last: Vec<u64>,
    least: Vec<u64>,
    greatest: Vec<u64>,
    sums: Vec<i128>,
}

fn parts<T: Scalar>(days: &[Run], values: &[T], key: impl Fn(T) -> i64) -> Parts {
    let mut parts = Parts::default();
    for day in days {
        let of_day = &values[day.from..day.to];
        let (first, last) = (of_day[0], of_day[of_day.len() - 1]);
        let (mut least, mut greatest) = ((key(first), first), (key(first), first));
        let mut sum = 0_i128;
        for value in of_day {
            let key = key(*value);
            if key < least.0 {
                least = (key, *value);
            }
            if key > greatest.0 {
                greatest = (key, *value);
            }
            sum += i128::from(key);
        }
        parts.first.push(first.bits());
        parts.last.push(last.bits());
        parts.least.push(least.1.bits());
        parts.greatest.push(greatest.1.bits());
        parts.sums.push(sum);
    }
    parts
}

fn write_column(days: &[Run], column: &Column) -> (Form, Vec<u8>) {
    let (parts, is_double) = match &column.values {
        Values::I16(v) => return write_whole(days, &parts(days, v, i64::from)),
        Values::I32(v) => return write_whole(days, &parts(days, v, i64::from)),
        Values::I64(v) => return write_whole(days, &parts(days, v, |x| x)),
        Values::Bool(v) => return write_whole(days, &parts(days, v, i64::from)),
        Values::F32(v) => (parts(days, v, |x| float_key(f64::from(x))), false),
        Values::F64(v) => (parts(days, v, float_key), true),
        // Left out by can_be_rolled.
        Values::Bytes(_) => return (Form::Absent, Vec::new()),
    };
    let all = || [&parts.first, &parts.last, &parts.least, &parts.greatest].into_iter().flatten();
    let whole = |bits: u64, decimals: u8| {
        let value = if is_double { f64::from_bits(bits) } else { f64::from(f32::from_bits(bits as u32)) };
        let number = (value * 10_f64.powi(decimals.into())).round();
        // Beyond this not every whole number is a float.
        const MOST: f64 = 9_007_199_254_740_992.0;
        if number.is_nan() || number.abs() >= MOST {
            return None;
        }
        let back = decimal(number as i64, decimals);
        let is_same =
            if is_double { back.to_bits() == bits } else { u64::from((back as f32).to_bits()) == bits };
        is_same.then_some(number as i64)
    };
    let decimals = (0..=MAX_DECIMALS).find(|decimals| all().all(|bits| whole(*bits, *decimals).is_some()));
    let number = |bits: u64| match decimals {
        Some(decimals) => whole(bits, decimals).unwrap_or(0),
        None if is_double => turned64(bits as i64),
        None => i64::from(turned32(bits as u32 as i32)),
    };
    let mut out = Vec::new();
    write_values(&mut out, &parts, number);
    (decimals.map_or(Form::Bits, Form::Decimal), out)
}

fn write_whole(days: &[Run], parts: &Parts) -> (Form, Vec<u8>) {
    let mut out = Vec::new();
    write_values(&mut out, parts, |bits| bits as i64);
    let more: Option<Vec<i64>> = days
        .iter()
        .zip(&parts.sums)
        .enumerate()
        .map(|(i, (day, sum))| {
            let rows = (day.to - day.from) as u32;
            i64::try_from(sum - expected_sum(rows, parts.first[i] as i64, parts.last[i] as i64)).ok()
        })
        .collect();
    match more {
        Some(more) => {
            packed::write(&mut out, &more);
            (Form::Whole, out)
        }
        None => (Form::WholeWithoutSum, out),
    }
}

fn write_values(out: &mut Vec<u8>, parts: &Parts, number: impl Fn(u64) -> i64) {
    let numbers = |bits: &[u64]| -> Vec<i64> { bits.iter().map(|bits| number(*bits)).collect() };
    let (first, last) = (numbers(&parts.first), numbers(&parts.last));
    packed::write(out, &last);
    put_signed(out, first[0]);
    let more: Vec<i64> =
        first[1..].iter().zip(&last).map(|(first, before)| first.wrapping_sub(*before)).collect();
    packed::write(out, &more);
    let beyond = |extreme: &[u64], of: &dyn Fn(usize, i64) -> i64| -> Vec<i64> {
        numbers(extreme).into_iter().enumerate().map(|(i, number)| of(i, number)).collect()
    };
    packed::write(out, &beyond(&parts.greatest, &|i, number| number.wrapping_sub(first[i].max(last[i]))));
    packed::write(out, &beyond(&parts.least, &|i, number| first[i].min(last[i]).wrapping_sub(number)));
}
