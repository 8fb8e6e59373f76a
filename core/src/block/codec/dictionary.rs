//! Byte strings of which few differ: each different string once, then which of them each row has.

use std::collections::HashMap;

use super::{Effort, pco, plain, run_length};
use crate::block::{
    ByteStrings, Damage,
    wire::{Reader, put_varint},
};

const RUNS: u8 = 1;
const PCO: u8 = 2;
const PLAIN: u8 = 3;

/// The coded strings, unless that takes more bytes than the strings themselves.
pub(super) fn write(strings: &ByteStrings) -> Option<Vec<u8>> {
    let mut numbers: HashMap<&[u8], i16> = HashMap::new();
    let mut entries = ByteStrings::default();
    let mut which = Vec::with_capacity(strings.len());
    let mut plain_bytes = 0;
    for string in strings.iter() {
        plain_bytes += string.len() + 1;
        let next = i16::try_from(numbers.len()).ok()?;
        which.push(*numbers.entry(string).or_insert_with(|| {
            entries.push(string);
            next
        }));
    }
    let mut out = Vec::new();
    put_varint(&mut out, entries.len() as u64);
    let mut coded = Vec::new();
    plain::write_strings(&mut coded, &entries);
    put_varint(&mut out, coded.len() as u64);
    out.extend(coded);
    if let Some(runs) = run_length::write(&which, which.len() / 8) {
        out.push(RUNS);
        out.extend(runs);
    } else if let Some(coded) = pco::write(&which, Effort::default()).filter(|c| c.len() < 2 * which.len()) {
        out.push(PCO);
        out.extend(coded);
    } else {
        out.push(PLAIN);
        plain::write(&mut out, &which);
    }
    (out.len() < plain_bytes).then_some(out)
}

pub(super) fn read(mut reader: Reader<'_>, n: usize) -> Result<ByteStrings, Damage> {
    let entry_count = reader.count("a dictionary", n)?;
    let entry_bytes = reader.count("a dictionary's length", reader.rest().len())?;
    let entries = plain::read_strings(Reader::new(reader.take(entry_bytes)?), entry_count)?;
    let which: Vec<i16> = match reader.u8()? {
        RUNS => run_length::read(reader, n)?,
        PCO => pco::read(reader.rest(), n)?,
        PLAIN => plain::read(reader, n)?,
        code => return Err(Damage::Unknown { what: "form of a dictionary", code: code.into() }),
    };
    let (data, entries) = entries.into_parts();
    let mut spans = Vec::with_capacity(n);
    for number in which {
        let span = usize::try_from(number).ok().and_then(|i| entries.get(i)).copied();
        spans.push(span.ok_or(Damage::Impossible { what: "a dictionary's entry", value: number as u64 })?);
    }
    Ok(ByteStrings::shared(data, spans))
}
