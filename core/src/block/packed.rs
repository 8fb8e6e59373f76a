//! Few whole numbers that are near each other, or whose steps are, in as many bits each as the widest needs. Where a
//! block's own columns go through pco, these are read a thousand series at a time: no tables are built to read ten of them.

use super::{
    Damage,
    wire::{Reader, put_signed, put_varint},
};

/// The flag of numbers that are kept as steps from the one before.
const STEPS: u8 = 0x80;

/// How numbers are kept: the least, what all differences from it are multiples of, and the bits of the greatest.
struct Frame {
    least: i64,
    scale: u64,
    width: u32,
}

impl Frame {
    fn of(numbers: &[i64]) -> Self {
        let least = numbers.iter().copied().min().unwrap_or(0);
        let above = |number: &i64| number.wrapping_sub(least) as u64;
        let greatest = numbers.iter().map(above).max().unwrap_or(0);
        let mut scale = 0;
        for number in numbers.iter().map(above) {
            if scale == 0 || !number.is_multiple_of(scale) {
                scale = divisor(number, scale);
            }
            if scale == 1 {
                break;
            }
        }
        let scale = scale.max(1);
        Self { least, scale, width: u64::BITS - (greatest / scale).leading_zeros() }
    }

    fn bytes(&self, count: usize) -> usize {
        (self.width as usize * count).div_ceil(8)
    }

    fn write(&self, out: &mut Vec<u8>, numbers: &[i64]) {
        put_signed(out, self.least);
        if self.width == 0 {
            return;
        }
        put_varint(out, self.scale);
        let (mut waiting, mut bits) = (0_u128, 0);
        for number in numbers {
            waiting |= u128::from(number.wrapping_sub(self.least) as u64 / self.scale) << bits;
            bits += self.width;
            while bits >= 8 {
                out.push(waiting as u8);
                waiting >>= 8;
                bits -= 8;
            }
        }
        if bits > 0 {
            out.push(waiting as u8);
        }
    }
}

/// The greatest common divisor; that of 0 and a number is the number.
fn divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Appends the numbers; nothing for none.
pub(super) fn write(out: &mut Vec<u8>, numbers: &[i64]) {
    let Some(first) = numbers.first() else { return };
    let direct = Frame::of(numbers);
    let steps: Vec<i64> = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let stepped = Frame::of(&steps);
    if numbers.len() > 2 && stepped.bytes(steps.len()) + 3 < direct.bytes(numbers.len()) {
        out.push(STEPS | stepped.width as u8);
        put_signed(out, *first);
        stepped.write(out, &steps);
    } else {
        out.push(direct.width as u8);
        direct.write(out, numbers);
    }
}

/// What stands before the packed bits, and the bits.
struct Packed<'a> {
    first: Option<i64>,
    least: i64,
    scale: u64,
    width: u32,
    /// How many numbers are packed.
    count: usize,
    bits: &'a [u8],
}

impl<'a> Packed<'a> {
    fn read(reader: &mut Reader<'a>, n: usize) -> Result<Self, Damage> {
        let form = reader.u8()?;
        let width = u32::from(form & !STEPS);
        if width > u64::BITS {
            return Err(Damage::Unknown { what: "packing", code: form.into() });
        }
        let first = if form & STEPS == 0 { None } else { Some(reader.signed()?) };
        let count = n - usize::from(first.is_some());
        let least = reader.signed()?;
        if width == 0 {
            return Ok(Self { first, least, scale: 1, width, count, bits: &[] });
        }
        let scale = reader.varint()?;
        let bits = reader.take((width as usize * count).div_ceil(8))?;
        Ok(Self { first, least, scale, width, count, bits })
    }

    /// Gives each packed number to `take`, as it is kept: a number, or a step.
    fn each(&self, mut take: impl FnMut(i64)) {
        if self.width == 0 {
            (0..self.count).for_each(|_| take(self.least));
            return;
        }
        let mask = u64::MAX >> (u64::BITS - self.width);
        for i in 0..self.count {
            let bit = i * self.width as usize;
            let window = match self.bits.get(bit / 8..bit / 8 + 16) {
                Some(bytes) => {
                    let mut window = [0; 16];
                    window.copy_from_slice(bytes);
                    u128::from_le_bytes(window)
                }
                None => {
                    let mut window = [0; 16];
                    let rest = &self.bits[bit / 8..];
                    window[..rest.len()].copy_from_slice(rest);
                    u128::from_le_bytes(window)
                }
            };
            let above = (window >> (bit % 8)) as u64 & mask;
            take(self.least.wrapping_add(above.wrapping_mul(self.scale) as i64));
        }
    }
}

/// The `n` numbers. The caller has checked that `n` is no more than a block's rows.
///
/// # Errors
/// When the bytes end before, or announce what no writer writes.
pub(super) fn read(reader: &mut Reader<'_>, n: usize) -> Result<Vec<i64>, Damage> {
    let mut numbers = Vec::with_capacity(n);
    if n == 0 {
        return Ok(numbers);
    }
    let packed = Packed::read(reader, n)?;
    match packed.first {
        None => packed.each(|number| numbers.push(number)),
        Some(first) => {
            let mut last = first;
            numbers.push(first);
            packed.each(|step| {
                last = last.wrapping_add(step);
                numbers.push(last);
            });
        }
    }
    Ok(numbers)
}

/// Goes past `n` numbers.
///
/// # Errors
/// As [`read`].
pub(super) fn skip(reader: &mut Reader<'_>, n: usize) -> Result<(), Damage> {
    if n > 0 {
        Packed::read(reader, n)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Vec<i64>> {
        use proptest::collection::vec;
        prop_oneof![
            vec(any::<i64>(), 0..50),
            vec(-9_i64..9, 0..50),
            vec(0_i64..500, 0..50).prop_map(|v| v.iter().map(|x| x * 4096 + 7).collect()),
            (any::<i64>(), vec(0_i64..90, 0..90)).prop_map(|(first, steps)| steps
                .iter()
                .scan(first, |sum, step| {
                    *sum = sum.wrapping_add(step * 512);
                    Some(*sum)
                })
                .collect()),
            vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)], 0..9),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back(numbers in numbers(), more in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut bytes = Vec::new();
            write(&mut bytes, &numbers);
            bytes.extend(&more);
            let (mut reader, mut passing) = (Reader::new(&bytes), Reader::new(&bytes));
            prop_assert_eq!(read(&mut reader, numbers.len()), Ok(numbers.clone()));
            prop_assert_eq!(reader.rest(), &more);
            prop_assert_eq!(skip(&mut passing, numbers.len()), Ok(()));
            prop_assert_eq!(passing.rest(), &more);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), n in 0_usize..40) {
            if let Ok(numbers) = read(&mut Reader::new(&bytes), n) {
                prop_assert_eq!(numbers.len(), n);
            }
        }
    }

    #[test]
    fn multiples_and_steps_take_few_bits() {
        let mut bytes = Vec::new();
        write(&mut bytes, &[4096 * 7, 4096 * 8, 4096 * 9, 4096 * 10]);
        assert!(bytes.len() <= 9, "{}", bytes.len());
        bytes.clear();
        let counter: Vec<i64> = (0..60).map(|day| 1_000_000_000 * day + day % 3).collect();
        write(&mut bytes, &counter);
        assert!(bytes.len() <= 24, "{}", bytes.len());
    }
}
