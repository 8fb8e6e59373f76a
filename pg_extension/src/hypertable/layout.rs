//! How the columns of a hypertable are stored in its blocks.
//!
//! The truth is in the foreign table of sealed rows: each of its columns carries options (`number`, `role`, `missing`),
//! which the server keeps through renaming, dumps and restores. What is read here is kept for the session and thrown
//! away when the server says that the relation changed.

use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::{CStr, CString},
    rc::Rc,
};

use headroom_core::block::Kind as ValueKind;
use pgrx::{pg_sys, prelude::*};

use super::catalogue;
use crate::server::{
    error::{Error, Kind, Result},
    relation::{self, Open},
};

/// How the values of a column's type become values of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Numbers, times and truth values, as what they are.
    Number(ValueKind),
    /// The bytes of a datum that is passed by value, so many of them.
    ByValue(usize),
    /// The bytes of a datum of fixed length.
    Fixed(usize),
    /// The bytes of a datum of variable length, without its header.
    Varlena,
    /// The bytes of a C string.
    CString,
    /// The type's text form: its datums hold identifiers that a dump and restore changes.
    Text,
}

impl Form {
    /// The form for a type.
    pub(crate) fn of(type_oid: pg_sys::Oid) -> Self {
        // SAFETY: look-ups in the server's caches.
        let base = unsafe { pg_sys::getBaseType(type_oid) };
        match base {
            pg_sys::INT2OID => return Self::Number(ValueKind::I16),
            pg_sys::INT4OID | pg_sys::DATEOID => return Self::Number(ValueKind::I32),
            pg_sys::INT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID | pg_sys::TIMEOID => {
                return Self::Number(ValueKind::I64);
            }
            pg_sys::FLOAT4OID => return Self::Number(ValueKind::F32),
            pg_sys::FLOAT8OID => return Self::Number(ValueKind::F64),
            pg_sys::BOOLOID => return Self::Number(ValueKind::Bool),
            _ => {}
        }
        if holds_identifiers(base) {
            return Self::Text;
        }
        let (mut length, mut by_value) = (0_i16, false);
        // SAFETY: as above.
        unsafe { pg_sys::get_typlenbyval(base, &raw mut length, &raw mut by_value) };
        match length {
            -1 => Self::Varlena,
            -2 => Self::CString,
            _ if by_value => Self::ByValue(length as usize),
            _ => Self::Fixed(length as usize),
        }
    }

    /// Whether a datum is the value itself.
    pub(crate) fn is_by_value(self) -> bool {
        matches!(self, Self::Number(_) | Self::ByValue(_))
    }

    /// The kind of the block's values.
    pub(crate) fn kind(self) -> ValueKind {
        match self {
            Self::Number(kind) => kind,
            _ => ValueKind::Bytes,
        }
    }
}

/// Whether datums of this type can hold identifiers of catalogue rows: types made by users (enums, composites, their
/// arrays and ranges) and those that name objects (`regclass` and its like).
fn holds_identifiers(base: pg_sys::Oid) -> bool {
    // SAFETY: look-ups in the server's caches.
    let element = unsafe { pg_sys::get_element_type(base) };
    let element = if element == pg_sys::InvalidOid { base } else { element };
    element.to_u32() >= pg_sys::FirstNormalObjectId
        || matches!(
            element,
            pg_sys::REGPROCOID
                | pg_sys::REGPROCEDUREOID
                | pg_sys::REGOPEROID
                | pg_sys::REGOPERATOROID
                | pg_sys::REGCLASSOID
                | pg_sys::REGTYPEOID
                | pg_sys::REGROLEOID
                | pg_sys::REGNAMESPACEOID
                | pg_sys::REGCONFIGOID
                | pg_sys::REGDICTIONARYOID
                | pg_sys::REGCOLLATIONOID
                | pg_sys::RECORDOID
        )
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It orders the rows; stored under this number.
    Time(u32),
    /// Its value is that of the whole block.
    Segment,
    /// Any other; stored under this number.
    Value(u32),
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct ColumnLayout {
    /// Its name in the foreign table.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) role: Role,
    /// How its values are stored.
    pub(crate) form: Form,
    /// Its type.
    pub(crate) type_oid: pg_sys::Oid,
    /// Its type's modifier.
    pub(crate) type_modifier: i32,
    /// Its collation.
    pub(crate) collation: pg_sys::Oid,
    /// What rows have that were sealed before the column was added, as the type's text; nothing is null.
    pub(crate) missing: Option<CString>,
}

impl ColumnLayout {
    /// The number under which blocks hold it.
    pub(crate) fn number(&self) -> Option<u32> {
        match self.role {
            Role::Time(number) | Role::Value(number) => Some(number),
            Role::Segment => None,
        }
    }
}

/// The layout of a hypertable's blocks.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The hypertable itself.
    pub(crate) hypertable: pg_sys::Oid,
    /// The foreign table that shows its sealed rows.
    pub(crate) sealed: pg_sys::Oid,
    /// The table of its blocks.
    pub(crate) blocks: pg_sys::Oid,
    /// The position, from 1, of the rollup in it.
    rollup: Option<i16>,
    /// The position, from 1, of the last rows in it.
    last_row: Option<i16>,
    /// The columns of the foreign table by position; nothing where one was dropped.
    pub(crate) columns: Vec<Option<ColumnLayout>>,
    /// The position of the time column.
    pub(crate) time: usize,
    /// The position of the segment column.
    pub(crate) segment: Option<usize>,
}

/// Positions, from 1, of the columns of a table of blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockColumns {
    /// The segment's value, when the hypertable has a segment column.
    pub(crate) segment: Option<i16>,
    pub(crate) first_time: i16,
    pub(crate) last_time: i16,
    pub(crate) row_count: i16,
    pub(crate) directory: i16,
    pub(crate) payload: i16,
    /// Tables that version 0.1.0 made have none until the extension is updated.
    pub(crate) rollup: Option<i16>,
    /// Likewise.
    pub(crate) last_row: Option<i16>,
}

impl Layout {
    /// Where the columns of the table of blocks are.
    pub(crate) fn block_columns(&self) -> BlockColumns {
        let base = i16::from(self.segment.is_some());
        BlockColumns {
            segment: self.segment.map(|_| 1),
            first_time: base + 1,
            last_time: base + 2,
            row_count: base + 3,
            directory: base + 4,
            payload: base + 5,
            rollup: self.rollup,
            last_row: self.last_row,
        }
    }

    /// The column at a position that is in use.
    pub(crate) fn column(&self, position: usize) -> Option<&ColumnLayout> {
        self.columns.get(position).and_then(Option::as_ref)
    }

    /// The time column.
    pub(crate) fn time_column(&self) -> &ColumnLayout {
        self.columns[self.time].as_ref().expect("a layout is made with its time column")
    }

    /// Whether the times are moments in microseconds, so that blocks have days, and there is room for them.
    pub(crate) fn has_days(&self) -> bool {
        // SAFETY: a look-up in the server's caches.
        let base = unsafe { pg_sys::getBaseType(self.time_column().type_oid) };
        self.rollup.is_some() && [pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID].contains(&base)
    }

    /// The segment column.
    pub(crate) fn segment_column(&self) -> Option<&ColumnLayout> {
        self.segment.and_then(|position| self.column(position))
    }

    /// The layout of the foreign table `sealed`.
    pub(crate) fn of_sealed(sealed: pg_sys::Oid) -> Result<Rc<Self>> {
        if let Some(known) = KNOWN.with_borrow(|known| known.layouts.get(&sealed).cloned()) {
            return Ok(known);
        }
        listen();
        let Some(entry) = catalogue::entry_of_sealed(sealed)? else {
            return Err(Error::new(
                Kind::WrongObject,
                format!("{} shows the sealed rows of no hypertable of this database", relation::name(sealed)),
            )
            .detail("The catalogue headroom.hypertables does not know it.")
            .hint(
                "Restore the catalogue's rows too: dump the whole database, not a table or a schema of it.",
            ));
        };
        let layout = Rc::new(Self::read(&entry, sealed)?);
        KNOWN.with_borrow_mut(|known| known.layouts.insert(sealed, Rc::clone(&layout)));
        Ok(layout)
    }

    /// The layout of a hypertable, when rows of it have been sealed.
    pub(crate) fn of_hypertable(hypertable: pg_sys::Oid) -> Result<Option<Rc<Self>>> {
        let known = KNOWN.with_borrow(|known| known.sealed_of.get(&hypertable).copied());
        let sealed = match known {
            Some(sealed) => sealed,
            None => {
                listen();
                // Without the extension (while it is made or dropped) there is no catalogue and no hypertable.
                let sealed = catalogue::entry_if_installed(hypertable)?.and_then(|entry| entry.sealed);
                KNOWN.with_borrow_mut(|known| known.sealed_of.insert(hypertable, sealed));
                sealed
            }
        };
        sealed.map(Self::of_sealed).transpose()
    }

    /// Whether this session has seen that the relation shows sealed rows: whoever planned a query over it has.
    pub(crate) fn is_known_sealed(relation: pg_sys::Oid) -> bool {
        KNOWN.with_borrow(|known| known.layouts.contains_key(&relation))
    }

    /// Forgets everything: what the catalogue says has been changed by this transaction.
    pub(crate) fn forget() {
        KNOWN.with_borrow_mut(|known| {
            known.layouts.clear();
            known.sealed_of.clear();
        });
    }

    fn read(entry: &catalogue::Entry, sealed: pg_sys::Oid) -> Result<Self> {
        let Some(blocks) = entry.blocks else {
            return Err(Error::new(Kind::Internal, format!("{} has no blocks", relation::name(sealed))));
        };
        let open = Open::with(sealed, pg_sys::AccessShareLock);
        let (mut time, mut segment) = (None, None);
        let mut columns = Vec::new();
        for (position, attribute) in open.attributes().iter().enumerate() {
            if attribute.attisdropped {
                columns.push(None);
                continue;
            }
            let name = relation::text_of(&attribute.attname);
            let options = options_of(sealed, attribute.attnum);
            let number = match options.get("number") {
                Some(text) => Some(text.parse::<u32>().map_err(|_| {
                    Error::new(
                        Kind::WrongObject,
                        format!(
                            "option number of column \"{name}\" of {} is «{text}»",
                            relation::name(sealed)
                        ),
                    )
                })?),
                None => None,
            };
            let role = match (options.get("role").map(String::as_str), number) {
                (Some("segment"), _) => {
                    segment = Some(position);
                    Role::Segment
                }
                (Some("time"), Some(number)) => {
                    time = Some(position);
                    Role::Time(number)
                }
                (None, Some(number)) => Role::Value(number),
                _ => {
                    return Err(Error::new(
                        Kind::WrongObject,
                        format!(
                            "column \"{name}\" of {} has no number in its blocks",
                            relation::name(sealed)
                        ),
                    )
                    .detail("It was added while headroom's event triggers were switched off.")
                    .hint(format!(
                        "SELECT headroom.number_columns({});",
                        pgrx::spi::quote_literal(relation::name(entry.relation))
                    )));
                }
            };
            columns.push(Some(ColumnLayout {
                name,
                role,
                form: Form::of(attribute.atttypid),
                type_oid: attribute.atttypid,
                type_modifier: attribute.atttypmod,
                collation: attribute.attcollation,
                missing: options.get("missing").and_then(|text| CString::new(text.as_str()).ok()),
            }));
        }
        let Some(time) = time else {
            return Err(Error::new(
                Kind::WrongObject,
                format!("{} has no time column", relation::name(sealed)),
            ));
        };
        let of_blocks = Open::with(blocks, pg_sys::AccessShareLock);
        let find = |name: &str| {
            let mut attributes = of_blocks.attributes().iter();
            let found = attributes.find(|a| !a.attisdropped && relation::text_of(&a.attname) == name);
            found.map(|attribute| attribute.attnum)
        };
        let (rollup, last_row) = (find("rollup"), find("last_row"));
        Ok(Self { hypertable: entry.relation, sealed, blocks, rollup, last_row, columns, time, segment })
    }
}

/// Whether a column is stored in its type's text form: settings must be exact while it is written or read.
pub(crate) fn has_text_form(layout: &Layout) -> bool {
    layout.columns.iter().flatten().any(|column| column.form == Form::Text)
}

/// The options of a column of a foreign table.
fn options_of(relation: pg_sys::Oid, attribute: i16) -> HashMap<String, String> {
    // SAFETY: the server gives a list of DefElem whose arguments are strings, in the current memory context.
    unsafe {
        let list =
            pgrx::PgList::<pg_sys::DefElem>::from_pg(pg_sys::GetForeignColumnOptions(relation, attribute));
        list.iter_ptr()
            .map(|element| {
                let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
                (text((*element).defname), text(pg_sys::defGetString(element)))
            })
            .collect()
    }
}

#[derive(Default)]
struct Known {
    layouts: HashMap<pg_sys::Oid, Rc<Layout>>,
    /// The foreign table of sealed rows of each table that was asked for; nothing when it has none.
    sealed_of: HashMap<pg_sys::Oid, Option<pg_sys::Oid>>,
    is_listening: bool,
}

thread_local! {
    // A backend has one thread; this is its memory of layouts.
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Asks the server, once, to be told of changed relations.
fn listen() {
    if KNOWN.with_borrow_mut(|known| std::mem::replace(&mut known.is_listening, true)) {
        return;
    }
    // SAFETY: registers a function that lives as long as the library.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0)) };
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    // Called at odd moments, but never while KNOWN is borrowed: no borrow spans a call into the server.
    KNOWN.with_borrow_mut(|known| {
        if relation == pg_sys::InvalidOid {
            known.layouts.clear();
            known.sealed_of.clear();
        } else {
            known.sealed_of.remove(&relation);
            known.layouts.retain(|sealed, layout| {
                *sealed != relation && layout.hypertable != relation && layout.blocks != relation
            });
        }
    });
}
