//! Datums of the server to values of a block and back.

use headroom_core::block::{Column, Kind as ValueKind, Values};
use pgrx::{pg_sys, varlena};

use super::layout::{ColumnLayout, Form};
use crate::server::{
    error::{Error, Kind, Result},
    type_form::TypeForm,
};

/// Collects the datums of one column.
pub(crate) struct Collector {
    form: Form,
    output: pg_sys::Oid,
    column: Column,
}

impl Collector {
    /// A collector for this column.
    pub(crate) fn new(layout: &ColumnLayout) -> Self {
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        if layout.form == Form::Text {
            // SAFETY: a look-up in the server's caches.
            unsafe {
                pg_sys::getTypeOutputInfo(layout.type_oid, &raw mut output, &raw mut is_varlena);
            }
        }
        Self { form: layout.form, output, column: Column::empty(layout.form.kind()) }
    }

    /// Appends a datum.
    ///
    /// # Safety
    /// The datum is one of the column's type, or null.
    pub(crate) unsafe fn push(&mut self, datum: pg_sys::Datum, is_null: bool) {
        if is_null {
            self.column.push_null();
            return;
        }
        // SAFETY: the caller's promise; the form was made from the type.
        unsafe {
            match &mut self.column.values {
                Values::I16(v) => v.push(datum.value() as i16),
                Values::I32(v) => v.push(datum.value() as i32),
                Values::I64(v) => v.push(datum.value() as i64),
                Values::F32(v) => v.push(f32::from_bits(datum.value() as u32)),
                Values::F64(v) => v.push(f64::from_bits(datum.value() as u64)),
                Values::Bool(v) => v.push(datum.value() as u8 != 0),
                Values::Bytes(v) => match self.form {
                    Form::ByValue(length) => v.push(&datum.value().to_le_bytes()[..length]),
                    Form::Fixed(length) => {
                        v.push(std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), length));
                    }
                    Form::Varlena => {
                        let original = datum.cast_mut_ptr::<pg_sys::varlena>();
                        let flat = pg_sys::pg_detoast_datum_packed(original);
                        let length = varlena::varsize_any_exhdr(flat);
                        v.push(std::slice::from_raw_parts(varlena::vardata_any(flat).cast::<u8>(), length));
                        if flat != original {
                            pg_sys::pfree(flat.cast());
                        }
                    }
                    Form::CString => v.push(datum_cstr(datum.cast_mut_ptr()).to_bytes()),
                    Form::Text | Form::Number(_) => {
                        let text = pg_sys::OidOutputFunctionCall(self.output, datum);
                        v.push(datum_cstr(text).to_bytes());
                        pg_sys::pfree(text.cast());
                    }
                },
            }
        }
        self.column.pushed_value();
    }

    /// How many bytes of memory the values take, about.
    pub(crate) fn memory(&self) -> usize {
        match &self.column.values {
            Values::Bytes(v) => v.data_len() + 8 * v.len(),
            other => 8 * other.len(),
        }
    }

    /// What has been collected; the collector is empty again.
    pub(crate) fn take(&mut self) -> Column {
        std::mem::replace(&mut self.column, Column::empty(self.form.kind()))
    }
}

unsafe fn datum_cstr<'a>(text: *const std::ffi::c_char) -> &'a std::ffi::CStr {
    // SAFETY: the server's C strings end in a zero; callers use it before the memory goes.
    unsafe { std::ffi::CStr::from_ptr(text) }
}

/// The datums of one column of a block, all rows.
pub(crate) struct Datums {
    /// One a row.
    pub(crate) values: Vec<pg_sys::Datum>,
    /// Which rows are null, when any is.
    pub(crate) nulls: Option<Vec<bool>>,
    // What the datums that are passed by reference point into. Never changed once they do.
    _bytes: Vec<u64>,
}

impl Datums {
    /// A column that has this datum in all rows. What it points to must live as long.
    pub(crate) fn same(datum: pg_sys::Datum, is_null: bool, rows: usize) -> Self {
        Self { values: vec![datum; rows], nulls: is_null.then(|| vec![true; rows]), _bytes: Vec::new() }
    }

    /// This one value, `rows` times.
    pub(crate) fn repeated(mut self, rows: usize) -> Self {
        let value = self.values.first().copied().unwrap_or(pg_sys::Datum::from(0));
        self.values.resize(rows, value);
        self
    }

    /// A copy of the datum of a row, which is not null, in the current memory context.
    pub(crate) fn copy(&self, row: usize, layout: &ColumnLayout) -> pg_sys::Datum {
        // SAFETY: the datum is one of the column's type.
        unsafe { TypeForm::of(layout.type_oid).copy(self.values[row]) }
    }

    /// The datums of a decoded column.
    ///
    /// # Errors
    /// When the block's values are not of the column's kind.
    pub(crate) fn of(column: Column, layout: &ColumnLayout) -> Result<Self> {
        if column.values.kind() != layout.form.kind() {
            return Err(Error::new(
                Kind::Damaged,
                format!(
                    "column \"{}\" is stored as {:?}, not as {:?}",
                    layout.name,
                    column.values.kind(),
                    layout.form.kind()
                ),
            ));
        }
        let mut bytes = Vec::new();
        let values = match &column.values {
            Values::I16(v) => v.iter().map(|x| pg_sys::Datum::from(*x)).collect(),
            Values::I32(v) => v.iter().map(|x| pg_sys::Datum::from(*x)).collect(),
            Values::I64(v) => v.iter().map(|x| pg_sys::Datum::from(*x)).collect(),
            Values::F32(v) => v.iter().map(|x| pg_sys::Datum::from(x.to_bits())).collect(),
            Values::F64(v) => v.iter().map(|x| pg_sys::Datum::from(x.to_bits())).collect(),
            Values::Bool(v) => v.iter().map(|x| pg_sys::Datum::from(*x)).collect(),
            Values::Bytes(v) => match layout.form {
                Form::ByValue(length) => {
                    let mut datums = Vec::with_capacity(v.len());
                    for (row, string) in v.iter().enumerate() {
                        if !column.is_null(row) {
                            expect_length(layout, string, length)?;
                        }
                        let mut word = [0; 8];
                        word[..string.len()].copy_from_slice(string);
                        datums.push(pg_sys::Datum::from(usize::from_le_bytes(word)));
                    }
                    datums
                }
                Form::Text => input(v, &column, layout),
                form => {
                    let length = match form {
                        Form::Fixed(length) => Some(length),
                        _ => None,
                    };
                    by_reference(v, &column, layout, length, form == Form::Varlena, &mut bytes)?
                }
            },
        };
        Ok(Self { values, nulls: column.nulls, _bytes: bytes })
    }
}

fn expect_length(layout: &ColumnLayout, string: &[u8], length: usize) -> Result<()> {
    if string.len() == length {
        return Ok(());
    }
    Err(Error::new(
        Kind::Damaged,
        format!("a value of column \"{}\" has {} bytes instead of {length}", layout.name, string.len()),
    ))
}

/// Lays the strings out as the server wants them, shared ones once, each at a multiple of eight bytes.
fn by_reference(
    strings: &headroom_core::block::ByteStrings,
    column: &Column,
    layout: &ColumnLayout,
    length: Option<usize>,
    has_header: bool,
    bytes: &mut Vec<u64>,
) -> Result<Vec<pg_sys::Datum>> {
    const HEADER: usize = 4;
    let mut starts = Vec::with_capacity(strings.len());
    let mut known = std::collections::HashMap::new();
    for (row, string) in strings.iter().enumerate() {
        if column.is_null(row) {
            starts.push(0);
            continue;
        }
        if let Some(length) = length {
            expect_length(layout, string, length)?;
        }
        let start = *known.entry(strings.place(row)).or_insert_with(|| {
            let start = bytes.len();
            let header = if has_header { HEADER } else { 0 };
            // One byte more than needed: a C string ends in a zero.
            let total = header + string.len();
            let mut laid = vec![0_u8; (total + 1).next_multiple_of(8)];
            if has_header {
                // A four-byte header holds the whole length, shifted by its two flag bits (little endian).
                laid[..HEADER].copy_from_slice(&((total as u32) << 2).to_le_bytes());
            }
            laid[header..total].copy_from_slice(string);
            bytes.extend(laid.chunks_exact(8).map(|word| {
                let mut eight = [0; 8];
                eight.copy_from_slice(word);
                u64::from_ne_bytes(eight)
            }));
            start
        });
        starts.push(start);
    }
    // Only now: the vector moves no more.
    Ok(starts.into_iter().map(|start| pg_sys::Datum::from(bytes.as_ptr().wrapping_add(start))).collect())
}

/// Datums from the type's text form, in the current memory context.
fn input(
    strings: &headroom_core::block::ByteStrings,
    column: &Column,
    layout: &ColumnLayout,
) -> Vec<pg_sys::Datum> {
    let mut known = std::collections::HashMap::new();
    (0..strings.len())
        .map(|row| {
            if column.is_null(row) {
                return pg_sys::Datum::from(0);
            }
            *known.entry(strings.place(row)).or_insert_with(|| {
                let mut text = strings.get(row).to_vec();
                text.push(0);
                from_text(&text, layout)
            })
        })
        .collect()
}

/// A datum of the column's type from a text that ends in a zero.
pub(crate) fn from_text(text: &[u8], layout: &ColumnLayout) -> pg_sys::Datum {
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: the text ends in a zero; the input function is the type's own.
    unsafe {
        pg_sys::getTypeInputInfo(layout.type_oid, &raw mut function, &raw mut parameter);
        pg_sys::OidInputFunctionCall(
            function,
            text.as_ptr().cast_mut().cast(),
            parameter,
            layout.type_modifier,
        )
    }
}

/// What rows have in this column that were sealed before it was added.
pub(crate) fn missing(layout: &ColumnLayout) -> (pg_sys::Datum, bool) {
    match &layout.missing {
        Some(text) => (from_text(text.as_bytes_with_nul(), layout), false),
        None => (pg_sys::Datum::from(0), true),
    }
}

/// The datum of a number, from the bits that summaries hold: of integers with the sign extended.
pub(crate) fn of_bits(kind: ValueKind, bits: u64) -> pg_sys::Datum {
    match kind {
        ValueKind::I16 => pg_sys::Datum::from(bits as i16),
        ValueKind::I32 => pg_sys::Datum::from(bits as i32),
        ValueKind::F32 => pg_sys::Datum::from(bits as u32),
        ValueKind::Bool => pg_sys::Datum::from(bits != 0),
        ValueKind::I64 | ValueKind::F64 | ValueKind::Bytes => pg_sys::Datum::from(bits),
    }
}

/// A time of the time column as the number that blocks hold.
pub(crate) fn time_of(datum: pg_sys::Datum, form: Form) -> i64 {
    match form {
        Form::Number(ValueKind::I16) => i64::from(datum.value() as i16),
        Form::Number(ValueKind::I32) => i64::from(datum.value() as i32),
        _ => datum.value() as i64,
    }
}

/// The datum of a time that blocks hold.
pub(crate) fn datum_of_time(time: i64, form: Form) -> pg_sys::Datum {
    match form {
        Form::Number(ValueKind::I16) => pg_sys::Datum::from(time as i16),
        Form::Number(ValueKind::I32) => pg_sys::Datum::from(time as i32),
        _ => pg_sys::Datum::from(time),
    }
}

/// Runs `body` while the text forms of all types are exact and the same for every user.
pub(crate) fn with_exact_text<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: a nest level of settings, closed below; when `body` raises an error the server closes it.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in [
        (c"datestyle", c"ISO, YMD"),
        (c"intervalstyle", c"postgres"),
        (c"extra_float_digits", c"3"),
        (c"timezone", c"UTC"),
        (c"search_path", c"pg_catalog"),
    ] {
        // SAFETY: names and values are C strings that the server copies.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
    let value = body();
    // SAFETY: the level opened above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    value
}
