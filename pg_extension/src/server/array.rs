//! Arrays of the server made at once from words of eight bytes, for types that are passed by value and fill one.

use pgrx::pg_sys;

/// `ArrayType` of one dimension: length, dimensions, offset of the data, element type; then size and lower bound.
const HEADER: usize = 24;
const WORD: usize = 8;

/// An array of values of this type, in the current memory context.
pub(crate) fn of_words(element: pg_sys::Oid, words: &[u64]) -> pg_sys::Datum {
    // SAFETY: the memory is as long as header and words.
    unsafe {
        let bytes = make(element, words.len(), 0, words.len());
        if !words.is_empty() {
            let data = bytes.add(HEADER).cast::<u64>();
            data.copy_from_nonoverlapping(words.as_ptr(), words.len());
        }
        pg_sys::Datum::from(bytes)
    }
}

/// As [`of_words`], with nulls.
pub(crate) fn of_words_or_nulls(element: pg_sys::Oid, words: &[Option<u64>]) -> pg_sys::Datum {
    let present: Vec<u64> = words.iter().copied().flatten().collect();
    if present.len() == words.len() {
        return of_words(element, &present);
    }
    let bitmap = words.len().div_ceil(8);
    let offset = (HEADER + bitmap).next_multiple_of(WORD);
    // SAFETY: the memory is as long as the offset says and the words that are not null; it begins as zeros.
    unsafe {
        let bytes = make(element, words.len(), offset, present.len());
        for (i, word) in words.iter().enumerate() {
            if word.is_some() {
                *bytes.add(HEADER + i / 8) |= 1 << (i % 8);
            }
        }
        let data = bytes.add(offset).cast::<u64>();
        data.copy_from_nonoverlapping(present.as_ptr(), present.len());
        pg_sys::Datum::from(bytes)
    }
}

/// The head of an array of `count` elements, `present` of which follow from `offset` on, or from the head when that is 0.
unsafe fn make(element: pg_sys::Oid, count: usize, offset: usize, present: usize) -> *mut u8 {
    let total = offset.max(HEADER) + present * WORD;
    // SAFETY: the memory is zero and long enough; an array without elements has no dimensions.
    unsafe {
        if count == 0 {
            return pg_sys::construct_empty_array(element).cast();
        }
        let array = pg_sys::palloc0(total).cast::<pg_sys::ArrayType>();
        pgrx::set_varsize_4b(array.cast(), total as i32);
        (*array).ndim = 1;
        (*array).dataoffset = offset as i32;
        (*array).elemtype = element;
        let dimensions = array.cast::<u8>().add(16).cast::<i32>();
        *dimensions = count as i32;
        *dimensions.add(1) = 1;
        array.cast()
    }
}
