//! Which rows of a column are null: nothing when none is, else the lengths of the runs, or a bit a row, whichever is
//! shorter.

use super::{
    Damage,
    wire::{Reader, put_varint},
};

const RUNS: u8 = 1;
const BITS: u8 = 2;

/// Appends them. Not called when no row is null.
pub(super) fn write(out: &mut Vec<u8>, nulls: &[bool]) {
    let bits = nulls.len().div_ceil(8);
    let mut runs = Vec::new();
    let mut row = 0;
    let mut is_null = false;
    while row < nulls.len() && runs.len() < bits {
        let run = nulls[row..].iter().take_while(|n| **n == is_null).count();
        put_varint(&mut runs, run as u64);
        row += run;
        is_null = !is_null;
    }
    if row == nulls.len() && runs.len() < bits {
        out.push(RUNS);
        out.extend(runs);
        return;
    }
    out.push(BITS);
    for chunk in nulls.chunks(8) {
        out.push(chunk.iter().enumerate().fold(0, |byte, (i, n)| byte | u8::from(*n) << i));
    }
}

/// Reads those of `rows` rows and checks that there are as many as the directory says.
pub(super) fn read(reader: &mut Reader<'_>, rows: usize, announced: usize) -> Result<Vec<bool>, Damage> {
    let mut nulls = Vec::with_capacity(rows);
    match reader.u8()? {
        RUNS => {
            let mut is_null = false;
            let mut empty_runs = 0;
            while nulls.len() < rows {
                let run = reader.count("a run of nulls", rows - nulls.len())?;
                // Only the first run may be empty: an endless row of empty runs is damage.
                empty_runs += usize::from(run == 0);
                if empty_runs > 1 {
                    return Err(Damage::Impossible { what: "a run of nulls", value: 0 });
                }
                nulls.resize(nulls.len() + run, is_null);
                is_null = !is_null;
            }
        }
        BITS => {
            let bytes = reader.take(rows.div_ceil(8))?;
            nulls.extend((0..rows).map(|row| bytes[row / 8] >> (row % 8) & 1 == 1));
        }
        code => return Err(Damage::Unknown { what: "form of nulls", code: code.into() }),
    }
    let found = nulls.iter().filter(|n| **n).count();
    if found != announced {
        return Err(Damage::Impossible { what: "a number of nulls", value: found as u64 });
    }
    Ok(nulls)
}
