//! A value of any type that an aggregate keeps: copied into the memory of the aggregate, and sent between processes.

use pgrx::{PgMemoryContexts, pg_sys};

use crate::server::{
    error::{Error, Kind, Result},
    type_form::TypeForm,
};

/// The memory that lives as long as the aggregate's states.
///
/// # Safety
/// `call` is the call of a function by the server.
pub(super) unsafe fn aggregate_memory(
    call: pg_sys::FunctionCallInfo,
    name: &str,
) -> Result<PgMemoryContexts> {
    let mut context = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    if unsafe { pg_sys::AggCheckCallContext(call, &raw mut context) } == 0 {
        return Err(Error::new(
            Kind::Unsupported,
            format!("a part of the aggregate headroom.{name} cannot be called by itself"),
        )
        .hint(format!("Call headroom.{name}.")));
    }
    Ok(PgMemoryContexts::For(context))
}

/// A value that is kept, or the null that it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// The value in the aggregate's memory; `None` for null.
    pub(super) datum: Option<pg_sys::Datum>,
}

impl Kept {
    /// Copies a value into the current memory.
    ///
    /// # Safety
    /// The datum is a value of the type.
    pub(super) unsafe fn copy(datum: Option<pg_sys::Datum>, form: TypeForm) -> Self {
        // SAFETY: the caller's promise.
        Self { datum: datum.map(|datum| unsafe { form.copy(datum) }) }
    }

    /// Gives its memory back.
    ///
    /// # Safety
    /// It was made by [`Self::copy`] or [`Self::read`] with this form and is not used again.
    pub(super) unsafe fn free(self, form: TypeForm) {
        if let (Some(datum), false) = (self.datum, form.by_value) {
            // SAFETY: the caller's promise: allocated by us, freed once.
            unsafe { pg_sys::pfree(datum.cast_mut_ptr()) };
        }
    }

    /// Adds the value to a message for another process of this server.
    ///
    /// # Safety
    /// As [`Self::free`], but it may be used again.
    pub(super) unsafe fn write(self, form: TypeForm, message: &mut Vec<u8>) {
        let Some(datum) = self.datum else { return message.push(0) };
        message.push(1);
        if form.by_value {
            return message.extend_from_slice(&(datum.value() as u64).to_ne_bytes());
        }
        // SAFETY: the value lies in our memory, uncompressed, and has so many bytes.
        unsafe {
            let length = form.bytes_of(datum);
            message.extend_from_slice(&(length as u64).to_ne_bytes());
            message.extend_from_slice(std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), length));
        }
    }

    /// Takes a value from the front of a message; `None` where the message ends too early.
    pub(super) fn read(form: TypeForm, message: &mut &[u8]) -> Option<Self> {
        let (flag, rest) = message.split_first()?;
        *message = rest;
        if *flag == 0 {
            return Some(Self { datum: None });
        }
        let number = take_number(message)?;
        if form.by_value {
            return Some(Self { datum: Some(pg_sys::Datum::from(number)) });
        }
        let (bytes, rest) = message.split_at_checked(usize::try_from(number).ok()?)?;
        *message = rest;
        // SAFETY: as many bytes are allocated as are copied; palloc aligns for every type.
        let datum = unsafe {
            let copy = pg_sys::palloc(bytes.len()).cast::<u8>();
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            pg_sys::Datum::from(copy)
        };
        Some(Self { datum: Some(datum) })
    }
}

/// Takes eight bytes from the front of a message.
pub(super) fn take_number(message: &mut &[u8]) -> Option<u64> {
    let (bytes, rest) = message.split_first_chunk::<8>()?;
    *message = rest;
    Some(u64::from_ne_bytes(*bytes))
}
