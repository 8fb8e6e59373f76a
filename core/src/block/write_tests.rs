//! What is written comes back bit by bit, and damage of any kind is noticed.

use proptest::prelude::*;

use super::*;
use crate::block::{ByteStrings, Damage, Kind, Values};

/// Equal bit by bit: NaN is itself, and -0 is not 0. Where a row is null, its value is nobody's.
fn same(a: &Column, b: &Column) -> bool {
    let same_at = |row: usize| match (&a.values, &b.values) {
        (Values::I16(x), Values::I16(y)) => x[row] == y[row],
        (Values::I32(x), Values::I32(y)) => x[row] == y[row],
        (Values::I64(x), Values::I64(y)) => x[row] == y[row],
        (Values::F32(x), Values::F32(y)) => x[row].to_bits() == y[row].to_bits(),
        (Values::F64(x), Values::F64(y)) => x[row].to_bits() == y[row].to_bits(),
        (Values::Bool(x), Values::Bool(y)) => x[row] == y[row],
        (Values::Bytes(x), Values::Bytes(y)) => x.get(row) == y.get(row),
        _ => false,
    };
    a.len() == b.len()
        && (0..a.len()).all(|row| a.is_null(row) == b.is_null(row) && (a.is_null(row) || same_at(row)))
}

fn read_back(block: &Block) -> Result<Vec<(u32, Column)>, Damage> {
    let directory = Directory::parse(&block.directory)?;
    directory
        .entries
        .iter()
        .map(|entry| {
            let section = block.payload.get(entry.section.clone()).unwrap_or_default();
            Ok((entry.column, directory.decode(entry, section)?))
        })
        .collect()
}

fn bytes_of(strings: Vec<Vec<u8>>) -> Values {
    let mut out = ByteStrings::default();
    strings.iter().for_each(|s| out.push(s));
    Values::Bytes(out)
}

fn values(n: usize) -> impl Strategy<Value = Values> {
    use proptest::collection::vec;
    prop_oneof![
        vec(any::<i16>(), n).prop_map(Values::I16),
        vec(any::<i32>(), n).prop_map(Values::I32),
        vec(any::<i64>(), n).prop_map(Values::I64),
        vec(-3_i64..3, n).prop_map(Values::I64),
        (any::<i64>(), any::<i64>()).prop_map(move |(first, step)| Values::I64(
            (0..n as i64).map(|i| first.wrapping_add(step.wrapping_mul(i))).collect()
        )),
        (-9_i16..9).prop_map(move |step| Values::I16((0..n as i16).map(|i| i.wrapping_mul(step)).collect())),
        vec(0_i64..40, n).prop_map(|v| Values::I64(
            v.iter()
                .scan(0, |sum, x| {
                    *sum += x * 4096;
                    Some(*sum)
                })
                .collect()
        )),
        vec(any::<u32>(), n).prop_map(|v| Values::F32(v.into_iter().map(f32::from_bits).collect())),
        vec(any::<u64>(), n).prop_map(|v| Values::F64(v.into_iter().map(f64::from_bits).collect())),
        vec(0_i32..10_000, n)
            .prop_map(|v| Values::F64(v.into_iter().map(|x| f64::from(x) / 100.0).collect())),
        vec(prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN)], n).prop_map(Values::F64),
        any::<f32>().prop_map(move |x| Values::F32(vec![x; n])),
        vec(any::<bool>(), n).prop_map(Values::Bool),
        any::<bool>().prop_map(move |x| Values::Bool(vec![x; n])),
        vec(vec(any::<u8>(), 0..30), n).prop_map(bytes_of),
        vec(prop_oneof![Just(b"ok".to_vec()), Just(b"failed".to_vec()), Just(Vec::new())], n)
            .prop_map(bytes_of),
        Just(bytes_of(vec![vec![7; 16]; n])),
    ]
}

fn column(n: usize) -> impl Strategy<Value = Column> {
    let nulls = prop_oneof![
        3 => Just(None),
        1 => proptest::collection::vec(any::<bool>(), n).prop_map(Some),
        1 => proptest::collection::vec(proptest::bool::weighted(0.02), n).prop_map(Some),
        1 => Just(Some(vec![true; n])),
    ];
    (values(n), nulls).prop_map(|(values, nulls)| Column { values, nulls })
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    prop_oneof![1_usize..20, 200_usize..1_100].prop_flat_map(|n| proptest::collection::vec(column(n), 1..5))
}

fn sealed(columns: &[Column], effort: u8) -> Block {
    let numbered: Vec<_> = columns.iter().enumerate().map(|(i, c)| (3 * i as u32, c)).collect();
    write(-5, 99, &numbered, Effort(effort))
}

proptest! {
    #[test]
    fn what_is_written_comes_back_bit_by_bit(columns in columns(), effort in 0_u8..=12) {
        let back = read_back(&sealed(&columns, effort)).expect("it was just written");
        prop_assert_eq!(back.len(), columns.len());
        for (i, (number, column)) in back.iter().enumerate() {
            prop_assert_eq!(*number, 3 * i as u32);
            prop_assert!(same(column, &columns[i]), "{:?}\nbecame\n{:?}", columns[i], column);
        }
    }

    #[test]
    fn summaries_hold_for_every_row(column in (1_usize..300).prop_flat_map(column)) {
        let summary = Directory::parse(&sealed(std::slice::from_ref(&column), 4).directory).expect("just written").entries[0].summary;
        if let (Values::I64(v), Some((least, greatest))) = (&column.values, summary.range) {
            let present: Vec<i64> = (0..v.len()).filter(|r| !column.is_null(*r)).map(|r| v[r]).collect();
            prop_assert_eq!(present.iter().min(), Some(&least));
            prop_assert_eq!(present.iter().max(), Some(&greatest));
            prop_assert_eq!(summary.sum, Some(present.iter().map(|x| i128::from(*x)).sum()));
            prop_assert_eq!(summary.last, (!column.is_null(v.len() - 1)).then(|| v[v.len() - 1] as u64));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_block(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Directory::parse(&bytes).is_err());
    }

    /// Bytes with a right checksum that no writer wrote: an error or some column, never a panic or a huge allocation.
    #[test]
    fn arbitrary_sections_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        kind in 1_u8..=7, codec in 0_u8..=6, rows in 1_usize..3_000, null_share in 0_usize..4,
    ) {
        let (kind, codec) = (Kind::of(kind).expect("known"), crate::block::codec::Codec::of(codec).expect("known"));
        if let Ok(column) = crate::block::codec::read(&bytes, kind, codec, rows, rows * null_share / 4) {
            prop_assert_eq!(column.len(), rows);
        }
    }

    /// A section that was written and then changed, under a right checksum: the decoders' own checks.
    #[test]
    fn changed_sections_never_panic(
        columns in columns(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(),
    ) {
        let block = sealed(&columns, 4);
        let directory = Directory::parse(&block.directory).expect("just written");
        for entry in &directory.entries {
            let mut section = block.payload[entry.section.clone()].to_vec();
            if section.is_empty() { continue }
            let i = at.index(section.len());
            section[i] = byte;
            let (rows, nulls) = (directory.rows as usize, entry.null_count as usize);
            let _any_answer = crate::block::codec::read(&section, entry.kind, entry.codec, rows, nulls);
            section.truncate(cut.index(section.len()));
            let _any_answer = crate::block::codec::read(&section, entry.kind, entry.codec, rows, nulls);
        }
    }
}

fn example() -> Block {
    let times = Column::of(Values::I64((0..300).map(|i| i * 300_000_000).collect()));
    let used = Column::of(Values::I64((0..300).map(|i| 4096 * (i * i % 977)).collect()));
    let busy = Column {
        values: Values::F32((0..300_u16).map(|i| f32::from(i % 77) / 100.0).collect()),
        nulls: Some((0..300).map(|i| i % 50 == 3).collect()),
    };
    let state = Column::of(bytes_of(
        (0..300).map(|i| if i < 200 { b"ok".to_vec() } else { b"failed".to_vec() }).collect(),
    ));
    write(0, 299 * 300_000_000, &[(1, &times), (2, &used), (5, &busy), (9, &state)], Effort::default())
}

#[test]
fn every_flipped_bit_is_noticed() {
    let block = example();
    for i in 0..8 * (block.directory.len() + block.payload.len()) {
        let mut damaged = block.clone();
        let (byte, bit) = (i / 8, 1 << (i % 8));
        match byte.checked_sub(damaged.directory.len()) {
            None => damaged.directory[byte] ^= bit,
            Some(byte) => damaged.payload[byte] ^= bit,
        }
        assert!(read_back(&damaged).is_err(), "bit {i} was flipped unnoticed");
    }
}

#[test]
fn every_truncation_is_noticed() {
    let block = example();
    for length in 0..block.directory.len() {
        assert!(Directory::parse(&block.directory[..length]).is_err(), "directory cut to {length}");
    }
    for length in 0..block.payload.len() {
        let cut = Block { payload: block.payload[..length].to_vec(), ..block.clone() };
        assert!(read_back(&cut).is_err(), "payload cut to {length}");
    }
}

#[test]
fn a_column_that_stays_the_same_takes_next_to_nothing() {
    let block = write(0, 1, &[(1, &Column::of(Values::I64(vec![7; 1_000])))], Effort::default());
    assert!(
        block.payload.len() <= 8 && block.directory.len() <= 48,
        "{} + {}",
        block.payload.len(),
        block.directory.len()
    );
}
