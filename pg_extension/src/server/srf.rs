//! Functions that return sets of rows, called by the server's own convention: their arguments and their answer.

use pgrx::{FromDatum, pg_sys};

/// The arguments of a call.
pub(crate) struct Arguments {
    call: pg_sys::FunctionCallInfo,
}

impl Arguments {
    /// # Safety
    /// The call is one that the server makes, and the value does not outlive it.
    pub(crate) unsafe fn of(call: pg_sys::FunctionCallInfo) -> Self {
        Self { call }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: the call is the server's.
        unsafe { (*self.call).nargs as usize }
    }

    /// The argument as the server hands it; nothing when it is null.
    pub(crate) fn datum(&self, index: usize) -> Option<pg_sys::Datum> {
        // SAFETY: the call has so many arguments.
        unsafe {
            let argument = (*self.call).args.as_slice(self.count()).get(index)?;
            (!argument.isnull).then_some(argument.value)
        }
    }

    /// The argument as a value; nothing when it is null.
    pub(crate) fn get<T: FromDatum>(&self, index: usize) -> Option<T> {
        // SAFETY: the function's declaration gives the argument this type.
        self.datum(index).and_then(|datum| unsafe { T::from_datum(datum, false) })
    }

    /// The type of an argument, where the declaration leaves it open.
    pub(crate) fn type_of(&self, index: usize) -> pg_sys::Oid {
        // SAFETY: the call is the server's.
        unsafe { pg_sys::get_fn_expr_argtype((*self.call).flinfo, index as i32) }
    }

    /// Where the rows of the answer go. An error where the caller takes no set of rows.
    pub(crate) fn materialised(&self) -> Rows {
        // SAFETY: the call is the server's; it makes the store, which is its own afterwards.
        unsafe {
            pg_sys::InitMaterializedSRF(self.call, 0);
            let info = (*self.call).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            Rows { store: (*info).setResult, descriptor: (*info).setDesc }
        }
    }
}

/// The rows of an answer; they go to disk when they fill `work_mem`.
pub(crate) struct Rows {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
}

impl Rows {
    /// Their columns.
    pub(crate) fn descriptor(&self) -> pg_sys::TupleDesc {
        self.descriptor
    }

    /// Adds a row.
    ///
    /// # Safety
    /// As many values as there are columns, of their types.
    pub(crate) unsafe fn put(&mut self, values: &[Option<pg_sys::Datum>]) {
        let mut datums: Vec<_> = values.iter().map(|v| v.unwrap_or(pg_sys::Datum::from(0))).collect();
        let mut nulls: Vec<_> = values.iter().map(Option::is_none).collect();
        // SAFETY: the caller's promise; the row is copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.store,
                self.descriptor,
                datums.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}
