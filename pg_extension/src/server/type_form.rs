//! How values of a type lie in memory, and copies of them.

use pgrx::pg_sys;

/// How values of a type lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TypeForm {
    /// The type.
    pub(crate) oid: pg_sys::Oid,
    /// Its length in bytes; −1 with a length of its own in front, −2 for a text that ends in zero.
    pub(crate) length: i16,
    /// Whether a datum is the value itself.
    pub(crate) by_value: bool,
}

impl TypeForm {
    /// The form of a type, from the server's catalogue.
    pub(crate) fn of(oid: pg_sys::Oid) -> Self {
        let (mut length, mut by_value) = (0, false);
        // SAFETY: a look-up in the server's caches, which raises an error for what is no type.
        unsafe { pg_sys::get_typlenbyval(oid, &raw mut length, &raw mut by_value) };
        Self { oid, length, by_value }
    }

    /// A copy of the value in the current memory, whole and uncompressed.
    ///
    /// # Safety
    /// The datum is a value of this type.
    pub(crate) unsafe fn copy(self, datum: pg_sys::Datum) -> pg_sys::Datum {
        if self.by_value {
            return datum;
        }
        // SAFETY: the caller's promise; as many bytes are allocated as are copied.
        unsafe {
            if self.length == -1 {
                return pg_sys::Datum::from(pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr()));
            }
            let length = self.bytes_of(datum);
            let copy = pg_sys::palloc(length).cast::<u8>();
            copy.copy_from_nonoverlapping(datum.cast_mut_ptr::<u8>(), length);
            pg_sys::Datum::from(copy)
        }
    }

    /// The bytes that a value not passed by value takes.
    ///
    /// # Safety
    /// The datum is a value of this type, not toasted.
    pub(crate) unsafe fn bytes_of(self, datum: pg_sys::Datum) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            match self.length {
                -1 => pgrx::varsize_any(datum.cast_mut_ptr()),
                -2 => std::ffi::CStr::from_ptr(datum.cast_mut_ptr()).to_bytes_with_nul().len(),
                length => length.unsigned_abs().into(),
            }
        }
    }
}
