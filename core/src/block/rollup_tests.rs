//! A rollup tells of each day what its rows do, and damage of any kind is noticed.

use proptest::prelude::*;

use super::*;
use crate::block::{Column, Values, wire::put_varint};

const DIRECTORY: &[u8] = b"a directory that ends with its checksum";

/// Rising times of at least so many rows a day that there is a rollup.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let steps = prop_oneof![
        (1_i64..9_000).prop_map(|second| vec![second * 1_000_000; 120]),
        prop::collection::vec(0_i64..DAY / 12, 8..200),
        prop::collection::vec(prop_oneof![20 => 0_i64..DAY / 40, 1 => 0_i64..9 * DAY], 40..200),
    ];
    (-400 * DAY..400 * DAY, steps).prop_map(|(first, steps)| {
        let mut at = first;
        let mut times = vec![first];
        times.extend(steps.iter().map(|step| {
            at += step;
            at
        }));
        times
    })
}

fn values(n: usize) -> impl Strategy<Value = Values> {
    use proptest::collection::vec;
    let counter = |v: Vec<i64>| {
        v.iter()
            .scan(1 << 40, |sum, x| {
                *sum += x * 4096;
                Some(*sum)
            })
            .collect()
    };
    prop_oneof![
        vec(any::<i16>(), n).prop_map(Values::I16),
        vec(any::<i32>(), n).prop_map(Values::I32),
        vec(any::<i64>(), n).prop_map(Values::I64),
        vec(-3_i64..3, n).prop_map(Values::I64),
        vec(0_i64..40, n).prop_map(move |v| Values::I64(counter(v))),
        vec(any::<u32>(), n).prop_map(|v| Values::F32(v.into_iter().map(f32::from_bits).collect())),
        vec(any::<u64>(), n).prop_map(|v| Values::F64(v.into_iter().map(f64::from_bits).collect())),
        vec(0_u16..10_000, n)
            .prop_map(|v| Values::F32(v.into_iter().map(|x| f32::from(x) / 100.0).collect())),
        vec(0_i32..10_000, n).prop_map(|v| Values::F64(v.into_iter().map(|x| f64::from(x) / 1e3).collect())),
        vec(prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(-f64::NAN)], n).prop_map(Values::F64),
        vec(any::<bool>(), n).prop_map(Values::Bool),
    ]
}

/// Bits of a row's value, as summaries have them.
fn bits(values: &Values, row: usize) -> u64 {
    match values {
        Values::I16(v) => i64::from(v[row]) as u64,
        Values::I32(v) => i64::from(v[row]) as u64,
        Values::I64(v) => v[row] as u64,
        Values::F32(v) => v[row].to_bits().into(),
        Values::F64(v) => v[row].to_bits(),
        Values::Bool(v) => v[row].into(),
        Values::Bytes(_) => 0,
    }
}

proptest! {
    #[test]
    fn days_are_those_of_the_rows(
        (times, columns) in times().prop_flat_map(|times| {
            let n = times.len();
            (Just(times), prop::collection::vec(values(n), 1..4))
        }),
    ) {
        let columns: Vec<Column> = columns.into_iter().map(Column::of).collect();
        let numbered: Vec<(u32, &Column)> = columns.iter().enumerate().map(|(i, c)| (5 * i as u32, c)).collect();
        let bytes = write(DIRECTORY, &times, &numbered);
        let mut expected: std::collections::BTreeMap<i64, Vec<usize>> = std::collections::BTreeMap::new();
        for (row, at) in times.iter().enumerate() {
            expected.entry(at.div_euclid(DAY) * DAY).or_default().push(row);
        }
        prop_assert_eq!(bytes.is_empty(), expected.len() * 8 > times.len());
        if bytes.is_empty() {
            return Ok(());
        }
        let rollup = Rollup::parse(&bytes, DIRECTORY).expect("it was just written");
        prop_assert_eq!(rollup.rows() as usize, times.len());
        prop_assert_eq!(rollup.days().len(), expected.len());
        for (day, (start, rows)) in rollup.days().iter().zip(&expected) {
            let last = rows[rows.len() - 1];
            let rows = rows.len() as u32;
            prop_assert_eq!(*day, Day { start: *start, rows, first_time: times[last + 1 - rows as usize], last_time: times[last] });
        }
        for (number, column) in numbered {
            let rolled = rollup.column(number).expect("numbers without nulls");
            let kind = rolled.kind();
            let of = |part| rolled.bits(rollup.days(), part).expect("just written");
            let (first, last, least, greatest) = (of(Part::First), of(Part::Last), of(Part::Least), of(Part::Greatest));
            let sums = rolled.sums(rollup.days()).expect("just written");
            for (i, rows) in expected.values().enumerate() {
                let key = |row: &usize| key_of_bits(kind, bits(&column.values, *row));
                prop_assert_eq!(first[i], bits(&column.values, rows[0]));
                prop_assert_eq!(last[i], bits(&column.values, rows[rows.len() - 1]));
                prop_assert_eq!(Some(key_of_bits(kind, least[i])), rows.iter().map(key).min());
                prop_assert_eq!(Some(key_of_bits(kind, greatest[i])), rows.iter().map(key).max());
                if rolled.has_sums() {
                    prop_assert_eq!(sums[i], rows.iter().map(|row| i128::from(key(row))).sum::<i128>());
                }
            }
            prop_assert!(!matches!(kind, Kind::F32 | Kind::F64) || !rolled.has_sums());
        }
    }

    /// Bytes with a right checksum that no writer wrote: an error or some days, never a panic or a huge allocation.
    #[test]
    fn arbitrary_and_changed_bytes_never_panic(
        times in times(), arbitrary in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(),
    ) {
        let column = Column::of(Values::I16((0..times.len()).map(|i| (i * i % 977) as i16).collect()));
        let written = write(DIRECTORY, &times, &[(3, &column)]);
        let length = Reader::new(written.get(1..).unwrap_or(&[])).varint().unwrap_or(0) as usize;
        let begin = if length < 0x80 { 2 } else { 3 };
        let head = written.get(begin..begin + length).unwrap_or(&[]).to_vec();
        let section = written.get(begin + length + 4..).unwrap_or(&[]).to_vec();
        let damaged = |bytes: &[u8]| {
            let (mut changed, mut short) = (bytes.to_vec(), bytes.to_vec());
            if !bytes.is_empty() {
                changed[at.index(bytes.len())] = byte;
                short.truncate(cut.index(bytes.len()));
            }
            [changed, short, arbitrary.clone()]
        };
        for head in damaged(&head) {
            let mut bytes = vec![VERSION];
            put_varint(&mut bytes, head.len() as u64);
            bytes.extend(&head);
            bytes.extend_from_slice(&checksum(&bytes, DIRECTORY).to_le_bytes());
            bytes.extend(&section);
            if let Ok(rollup) = Rollup::parse(&bytes, DIRECTORY) {
                prop_assert!(rollup.rows() as usize <= MAX_ROWS);
            }
        }
        let Ok(rollup) = Rollup::parse(&written, DIRECTORY) else { return Ok(()) };
        for (i, section) in damaged(&section).iter().enumerate() {
            let (kind, form) = [(Kind::I16, Form::Whole), (Kind::F32, Form::Bits), (Kind::Bool, Form::Whole)][i];
            let rolled = Rolled { column: 3, kind, form, checksum: crc32c::crc32c(section), bytes: section };
            for part in [Part::First, Part::Last, Part::Least, Part::Greatest] {
                let _any_answer = rolled.bits(rollup.days(), part);
            }
            let _any_answer = rolled.sums(rollup.days());
        }
    }
}

fn example() -> Vec<u8> {
    let times: Vec<i64> = (0..500).map(|i| i * 300_000_000).collect();
    let used = Column::of(Values::I64((0..500).map(|i| 4096 * (i * i % 977)).collect()));
    let busy = Column::of(Values::F32((0..500_u16).map(|i| f32::from(i % 77) / 100.0).collect()));
    let none = Column { values: Values::I64(vec![0; 500]), nulls: Some(vec![true; 500]) };
    let some = Column { values: Values::I64(vec![1; 500]), nulls: Some((0..500).map(|i| i == 9).collect()) };
    write(DIRECTORY, &times, &[(1, &used), (2, &none), (3, &some), (7, &busy)])
}

#[test]
fn every_flipped_bit_and_another_directory_are_noticed() {
    let bytes = example();
    let read_all = |bytes: &[u8]| {
        let rollup = Rollup::parse(bytes, DIRECTORY)?;
        rollup.columns.iter().try_for_each(|column| column.bits(rollup.days(), Part::Last).map(|_| ()))
    };
    assert!(read_all(&bytes).is_ok());
    for i in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[i / 8] ^= 1 << (i % 8);
        assert!(read_all(&damaged).is_err(), "bit {i} was flipped unnoticed");
    }
    for length in 0..bytes.len() {
        assert!(read_all(&bytes[..length]).is_err(), "cut to {length}");
    }
    assert!(Rollup::parse(&bytes, b"another directory").is_err());
}

#[test]
fn a_column_with_some_nulls_has_no_days_and_one_of_nulls_says_so() {
    let bytes = example();
    let rollup = Rollup::parse(&bytes, DIRECTORY).expect("just written");
    assert!(rollup.column(2).is_some_and(Rolled::is_absent));
    assert!(rollup.column(3).is_none());
    assert!(rollup.column(1).is_some_and(Rolled::has_sums));
    assert_eq!(rollup.column(7).map(|busy| busy.form), Some(Form::Decimal(2)));
}

#[test]
fn infinite_times_have_no_days() {
    let column = Column::of(Values::I64(vec![1; 40]));
    let mut times: Vec<i64> = (0..40).collect();
    assert!(!write(DIRECTORY, &times, &[(1, &column)]).is_empty());
    times[39] = i64::MAX;
    assert!(write(DIRECTORY, &times, &[(1, &column)]).is_empty());
    times = (0..40).map(|i| i64::MIN + i).collect();
    assert!(write(DIRECTORY, &times, &[(1, &column)]).is_empty());
}
