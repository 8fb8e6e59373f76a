//! One part of the series store's blocks, named by HEADROOM_FUZZ_PART: a codec, the directory, the rollup or the last
//! row.
//!
//! An input either is the part's bytes, or says which block to write, which must be read as it was written, and which of
//! its bytes to change. Checksums are put right in both cases, so that what stands behind them is met.
#![no_main]

use headroom_core::block::{
    ByteStrings, Column, Directory, Kind, Rollup, Values,
    codec::{self, Codec, Effort},
    directory, last_row, rollup,
    rollup::{DAY, Part},
    wire::put_varint,
    write,
};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::sync::LazyLock;

/// The number of the only column of the blocks that are written.
const COLUMN: u32 = 3;

#[derive(Clone, Copy, PartialEq)]
enum Target {
    Codec(Codec),
    Directory,
    Rollup,
    LastRow,
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("HEADROOM_FUZZ_PART").expect("HEADROOM_FUZZ_PART names a part");
    match name.as_str() {
        "constant" => Target::Codec(Codec::Constant),
        "run-length" => Target::Codec(Codec::RunLength),
        "dictionary" => Target::Codec(Codec::Dictionary),
        "pco" => Target::Codec(Codec::Pco),
        "plain" => Target::Codec(Codec::Plain),
        "sequence" => Target::Codec(Codec::Sequence),
        "directory" => Target::Directory,
        "rollup" => Target::Rollup,
        "last-row" => Target::LastRow,
        other => panic!("HEADROOM_FUZZ_PART: no part is called {other}"),
    }
});

/// What the first bytes of an input say.
struct Shape {
    kind: Kind,
    as_is: bool,
    has_nulls: bool,
    rows: usize,
    null_count: usize,
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&[flags, r0, r1, n0, n1], rest)) = bytes.split_first_chunk::<5>() else { return Corpus::Reject };
    let shape = Shape {
        kind: Kind::of(1 + flags % 7).expect("seven kinds"),
        as_is: flags & 0x80 != 0,
        has_nulls: flags & 0x40 != 0,
        rows: usize::from(u16::from_le_bytes([r0, r1])),
        null_count: usize::from(u16::from_le_bytes([n0, n1])),
    };
    match (*TARGET, shape.as_is) {
        (Target::Codec(codec), true) => {
            let _ = codec::read(rest, shape.kind, codec, shape.rows, shape.null_count);
        }
        (Target::Directory, true) => {
            let mut head = directory::MAGIC.to_vec();
            head.push(directory::VERSION);
            head.extend_from_slice(rest);
            read_directory(head);
        }
        (Target::Rollup, true) => {
            let (head, sections) = rest.split_at(shape.rows.min(rest.len()));
            read_rollup(head, sections, &[]);
        }
        (Target::LastRow, true) => read_last_row(&[&[1], rest].concat()),
        (target, false) => return written(target, &shape, rest),
    }
    Corpus::Keep
});

/// Writes a block of what the input says, reads it, then changes some of its bytes and reads it again.
fn written(target: Target, shape: &Shape, input: &[u8]) -> Corpus {
    let Some((count, input)) = input.split_first() else { return Corpus::Reject };
    let Some((changes, input)) = input.split_at_checked(usize::from(count % 8) * 3) else { return Corpus::Reject };
    let change = |bytes: &mut [u8]| {
        for place in changes.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
            if let Some(byte) = at.checked_rem(bytes.len()).map(|at| &mut bytes[at]) {
                *byte ^= place[2];
            }
        }
    };
    let column = column(shape, input);
    if column.is_empty() {
        return Corpus::Reject;
    }
    let rows = column.len();
    let block = write(0, rows as i64, &[(COLUMN, &column)], Effort(4));
    let head = Directory::parse(&block.directory).expect("a directory that was just written");
    let entry = &head.entries[0];
    match target {
        Target::Codec(codec) => {
            if entry.codec != codec {
                return Corpus::Reject;
            }
            let back = head.decode(entry, &block.payload).expect("a section that was just written");
            // By bytes: NaN is not equal to itself, and a null has no value.
            assert_eq!(write(0, rows as i64, &[(COLUMN, &back)], Effort(4)).payload, block.payload);
            let mut section = block.payload;
            change(&mut section);
            let _ = codec::read(&section, entry.kind, codec, rows, entry.null_count as usize);
        }
        Target::Directory => {
            let mut body = block.directory[..block.directory.len() - 4].to_vec();
            change(&mut body);
            read_directory(body);
        }
        Target::Rollup => {
            let step = DAY / 24 * (1 + shape.null_count as i64 % 48) / 16;
            let times: Vec<i64> = (0..rows as i64).map(|row| row * step).collect();
            let bytes = rollup::write(&block.directory, &times, &[(COLUMN, &column)]);
            if bytes.is_empty() {
                return Corpus::Reject;
            }
            let whole = Rollup::parse(&bytes, &block.directory).expect("a rollup that was just written");
            assert_eq!(whole.rows() as usize, rows);
            read_days(&whole, true);
            // The head's length takes one byte or two: so says its first bit.
            let (length, begin) = match bytes[1] {
                short @ 0..0x80 => (usize::from(short), 2),
                long => (usize::from(long & 0x7f) | usize::from(bytes[2]) << 7, 3),
            };
            let mut head = bytes[begin..begin + length].to_vec();
            let mut section = bytes[begin + length + 4..].to_vec();
            change(&mut head);
            read_rollup(&head, &section, &block.directory);
            // Then the section of the only column, whose checksum ends the head.
            let mut head = bytes[begin..begin + length].to_vec();
            change(&mut section);
            if let Some(checksum) = head.last_chunk_mut::<4>() {
                *checksum = crc32c::crc32c(&section).to_le_bytes();
            }
            read_rollup(&head, &section, &block.directory);
        }
        Target::LastRow => {
            let mut bytes = last_row::write(0, &[(COLUMN, &column)]);
            let mut count = 0;
            let back = last_row::read(&bytes, 0, |number, _| count += u32::from(number == COLUMN));
            assert_eq!((back, count), (Ok(rows as u32), 1));
            bytes.truncate(bytes.len() - 4);
            change(&mut bytes);
            read_last_row(&bytes);
        }
    }
    Corpus::Keep
}

/// Reads a last row of these bytes.
fn read_last_row(body: &[u8]) {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&0_i64.to_le_bytes()), body).to_le_bytes();
    let mut before = None;
    let rows = last_row::read(&[body, &checksum].concat(), 0, |number, _| {
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
        before = Some(number);
    });
    assert_ne!(rows, Ok(0));
}

/// A column whose values are cut from the input, each with how often it stands there; or numbers at equal distances.
fn column(shape: &Shape, input: &[u8]) -> Column {
    let width = match shape.kind {
        Kind::I16 => 2,
        Kind::I32 | Kind::F32 => 4,
        Kind::I64 | Kind::F64 => 8,
        Kind::Bool => 1,
        Kind::Bytes => 3,
    };
    let mut column = Column::empty(shape.kind);
    let mut push = |bytes: &[u8], row: usize| {
        if shape.has_nulls && row % (2 + shape.null_count % 7) == 1 {
            return column.push_null();
        }
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u64::from_le_bytes(word);
        match &mut column.values {
            Values::I16(v) => v.push(word as i16),
            Values::I32(v) => v.push(word as i32),
            Values::I64(v) => v.push(word as i64),
            Values::F32(v) => v.push(f32::from_bits(word as u32)),
            Values::F64(v) => v.push(f64::from_bits(word)),
            Values::Bool(v) => v.push(word & 1 == 1),
            Values::Bytes(v) => ByteStrings::push(v, &bytes[..bytes.len().min(1 + (word as usize & 3))]),
        }
        column.pushed_value();
    };
    if shape.rows & 0x8000 != 0 && width > 1 {
        let (first, step) = input.split_at(input.len().min(2));
        let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        let (first, step) = (number(first), number(&step[..step.len().min(2)]));
        for row in 0..shape.rows & 0xfff {
            push(&(first + step * row as i64).to_le_bytes()[..width], row);
        }
    } else {
        let mut row = 0;
        for part in input.chunks_exact(width + 1).take(1 << 10) {
            for _ in 0..=part[width] % 32 {
                push(&part[..width], row);
                row += 1;
            }
        }
    }
    column
}

/// Reads a directory of these bytes and what may lie in its columns' sections.
fn read_directory(mut body: Vec<u8>) {
    let checksum = crc32c::crc32c(&body).to_le_bytes();
    body.extend_from_slice(&checksum);
    let Ok(directory) = Directory::parse(&body) else { return };
    assert!(directory.payload_len() >= directory.entries.iter().map(|entry| entry.section.len()).sum());
    for entry in &directory.entries {
        let _ = directory.decode(entry, &vec![0; entry.section.len().min(1 << 16)]);
        assert!(directory.entry(entry.column).is_some());
    }
}

/// Reads a rollup of these bytes.
fn read_rollup(head: &[u8], sections: &[u8], directory: &[u8]) {
    let mut bytes = vec![1];
    put_varint(&mut bytes, head.len() as u64);
    bytes.extend_from_slice(head);
    let of_directory = directory.last_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    bytes.extend_from_slice(&crc32c::crc32c_append(of_directory, &bytes).to_le_bytes());
    bytes.extend_from_slice(sections);
    if let Ok(rollup) = Rollup::parse(&bytes, directory) {
        read_days(&rollup, false);
    }
}

fn read_days(rollup: &Rollup<'_>, must_be_right: bool) {
    for column in (0..2 * COLUMN).filter_map(|number| rollup.column(number)) {
        for part in [Part::First, Part::Last, Part::Least, Part::Greatest] {
            let bits = column.bits(rollup.days(), part);
            assert!(!must_be_right || bits.is_ok(), "a rollup that was just written: {bits:?}");
        }
        let sums = column.sums(rollup.days());
        assert!(!must_be_right || sums.is_ok(), "a rollup that was just written: {sums:?}");
    }
}
