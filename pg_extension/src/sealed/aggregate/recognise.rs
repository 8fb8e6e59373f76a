//! Which expressions of a query are aggregates and groups that can be computed from blocks.

use std::ffi::CStr;

use headroom_core::block::Kind;
use pgrx::{FromDatum, PgList, datum::Interval, is_a, pg_sys};

use super::spec::{Function, Key, What};
use crate::{
    functions::bucket::{DAY, ORIGIN},
    hypertable::layout::{Form, Layout, Role},
    sealed::runs::Buckets,
};

/// A hypertable in a query: its place among the query's tables, and what is read of its row store.
pub(super) struct Table<'a> {
    pub(super) layout: &'a Layout,
    /// Its index in the query.
    pub(super) index: u32,
    /// The row store's index, and the expressions of its scan; none when the planner saw that it has nothing.
    pub(super) rows: Option<(u32, *mut pg_sys::List)>,
}

impl Table<'_> {
    /// The position in the layout of the column that an expression is.
    ///
    /// # Safety
    /// The expression is one of the query.
    pub(super) unsafe fn position(&self, expression: *mut pg_sys::Expr) -> Option<usize> {
        // SAFETY: nodes are looked at as what their tags say they are; names are copied at once.
        unsafe {
            let attribute = attribute_of(expression, self.index)?;
            let name = pg_sys::get_attname(self.layout.hypertable, attribute, true);
            if name.is_null() {
                return None;
            }
            let name = CStr::from_ptr(name).to_string_lossy();
            self.layout.columns.iter().position(|column| column.as_ref().is_some_and(|c| c.name == name))
        }
    }

    /// Where the column that an expression is stands among those of the row store's scan.
    ///
    /// # Safety
    /// As [`Self::position`].
    pub(super) unsafe fn in_row(&self, expression: *mut pg_sys::Expr) -> Option<usize> {
        // SAFETY: as above.
        unsafe {
            let attribute = attribute_of(expression, self.index)?;
            let Some((index, scanned)) = self.rows else { return Some(0) };
            let scanned = PgList::<pg_sys::Expr>::from_pg(scanned);
            scanned.iter_ptr().position(|expression| attribute_of(expression, index) == Some(attribute))
        }
    }

    /// What a group expression groups by.
    ///
    /// # Safety
    /// As [`Self::position`].
    pub(super) unsafe fn key(&self, expression: *mut pg_sys::Expr) -> Option<Key> {
        // SAFETY: nodes are looked at as what their tags say they are.
        unsafe {
            if let Some(position) = self.position(expression) {
                return (Some(position) == self.layout.segment).then_some(Key::Segment);
            }
            if !is_a(expression.cast(), pg_sys::NodeTag::T_FuncExpr) {
                return None;
            }
            let call = expression.cast::<pg_sys::FuncExpr>();
            let arguments = PgList::<pg_sys::Expr>::from_pg((*call).args);
            if self.position(arguments.get_ptr(1)?) != Some(self.layout.time) {
                return None;
            }
            let origin = match arguments.len() {
                2 => ORIGIN,
                3 => constant::<i64>(arguments.get_ptr(2)?)?,
                _ => return None,
            };
            let moments = [pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID];
            let kind = pg_sys::exprType(arguments.get_ptr(1)?.cast());
            let same = arguments.len() == 2 || pg_sys::exprType(arguments.get_ptr(2)?.cast()) == kind;
            let is_bin = [
                pg_sys::F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ,
                pg_sys::F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP,
            ]
            .contains(&(*call).funcid.to_u32());
            let is_bucket = is_bin && bins_are_whole() || is_own((*call).funcid, c"time_bucket");
            if !moments.contains(&kind) || !same || !is_bucket || origin == i64::MIN || origin == i64::MAX {
                return None;
            }
            let width = constant::<Interval>(arguments.get_ptr(0)?)?;
            let fixed = i64::from(width.days()).checked_mul(DAY)?.checked_add(width.micros())?;
            (width.months() == 0 && fixed > 0).then_some(Key::Bucket(Buckets { width: fixed, origin }))
        }
    }

    /// What an aggregate computes.
    ///
    /// # Safety
    /// As [`Self::position`].
    pub(super) unsafe fn function(&self, aggregate: *mut pg_sys::Aggref) -> Option<Function> {
        // SAFETY: nodes are looked at as what their tags say they are.
        unsafe {
            let plain = (*aggregate).aggdirectargs.is_null()
                && (*aggregate).aggorder.is_null()
                && (*aggregate).aggdistinct.is_null()
                && (*aggregate).aggfilter.is_null()
                && !(*aggregate).aggvariadic
                && (*aggregate).agglevelsup == 0;
            if !plain {
                return None;
            }
            let id = (*aggregate).aggfnoid;
            let arguments = PgList::<pg_sys::TargetEntry>::from_pg((*aggregate).args);
            if (*aggregate).aggstar {
                let is_count = id.to_u32() == pg_sys::F_COUNT_;
                return is_count.then_some(Function { what: What::Rows, position: 0, in_row: 0 });
            }
            let value = (*arguments.get_ptr(0)?).expr;
            let (position, in_row) = (self.position(value)?, self.in_row(value)?);
            let column = self.layout.column(position)?;
            let what = if let Some(time) = arguments.get_ptr(1) {
                if arguments.len() != 2 || self.position((*time).expr) != Some(self.layout.time) {
                    return None;
                }
                if is_own(id, c"first") {
                    What::First
                } else if is_own(id, c"last") {
                    What::Last
                } else {
                    return None;
                }
            } else if pg_sys::get_func_namespace(id).to_u32() == pg_sys::PG_CATALOG_NAMESPACE {
                let name = pg_sys::get_func_name(id);
                match CStr::from_ptr(name).to_bytes() {
                    b"count" => What::Count,
                    b"sum" => What::Sum,
                    b"avg" => What::Mean,
                    b"min" => What::Least,
                    b"max" => What::Greatest,
                    _ => return None,
                }
            } else {
                return None;
            };
            // A segment has no section in its blocks.
            if column.role == Role::Segment {
                return (what == What::Count).then_some(Function {
                    what: What::Rows,
                    position: 0,
                    in_row: 0,
                });
            }
            let fits = match (what, column.form) {
                (What::Count, _) => true,
                (What::Sum | What::Mean, Form::Number(kind)) => {
                    matches!(kind, Kind::I16 | Kind::I32 | Kind::I64) && is_integer(column.type_oid)
                }
                (What::Least | What::Greatest, Form::Number(kind)) => kind != Kind::Bool,
                (What::First | What::Last, Form::Number(_)) => true,
                _ => false,
            };
            fits.then_some(Function { what, position, in_row })
        }
    }
}

/// The attribute of a relation that an expression is.
unsafe fn attribute_of(expression: *mut pg_sys::Expr, index: u32) -> Option<i16> {
    // SAFETY: nodes are looked at as what their tags say they are.
    unsafe {
        if expression.is_null() || !is_a(expression.cast(), pg_sys::NodeTag::T_Var) {
            return None;
        }
        let var = expression.cast::<pg_sys::Var>();
        let is_ours = (*var).varno as u32 == index && (*var).varlevelsup == 0 && (*var).varattno > 0;
        is_ours.then_some((*var).varattno)
    }
}

/// Whether a function is the extension's of this name.
unsafe fn is_own(id: pg_sys::Oid, name: &CStr) -> bool {
    // SAFETY: look-ups in the server's caches; the name is looked at once.
    unsafe {
        let found = pg_sys::get_func_name(id);
        !found.is_null()
            && CStr::from_ptr(found) == name
            && pg_sys::get_func_namespace(id) == pg_sys::get_namespace_oid(c"headroom".as_ptr(), true)
    }
}

/// The value of a constant that is not null.
unsafe fn constant<T: FromDatum>(expression: *mut pg_sys::Expr) -> Option<T> {
    // SAFETY: nodes are looked at as what their tags say they are; the function's signature gives the type.
    unsafe {
        if !is_a(expression.cast(), pg_sys::NodeTag::T_Const) {
            return None;
        }
        let constant = expression.cast::<pg_sys::Const>();
        T::from_datum((*constant).constvalue, (*constant).constisnull)
    }
}

fn is_integer(type_oid: pg_sys::Oid) -> bool {
    [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID].contains(&type_oid)
}

/// Whether `date_bin` puts a moment before the origin that begins a bin into the bin that it begins: servers before 15.7
/// put it into the one before.
fn bins_are_whole() -> bool {
    // SAFETY: a setting of the server, copied at once.
    let version = unsafe {
        let text = pg_sys::GetConfigOption(c"server_version_num".as_ptr(), true, false);
        if text.is_null() { None } else { CStr::from_ptr(text).to_str().ok().and_then(|v| v.parse().ok()) }
    };
    version.is_some_and(|version: i32| version >= 150_007)
}
