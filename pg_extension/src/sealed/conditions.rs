//! Which conditions of a query tell that a block, or rows of it, need not be read.
//!
//! Every condition is checked again for every row by the server, but those that a scan keeps to by itself ([`enforced`]):
//! what is done with the others only saves work.

use headroom_core::block::{Entry, Kind as ValueKind, summary};
use pgrx::{PgList, is_a, pg_sys};

use crate::hypertable::layout::{Form, Layout};

/// A comparison operator's place in its family, as btree numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    pub(super) fn of(strategy: i32) -> Option<Self> {
        Some(match strategy {
            1 => Self::Less,
            2 => Self::LessOrEqual,
            3 => Self::Equal,
            4 => Self::GreaterOrEqual,
            5 => Self::Greater,
            _ => return None,
        })
    }

    pub(super) fn strategy(self) -> i32 {
        match self {
            Self::Less => 1,
            Self::LessOrEqual => 2,
            Self::Equal => 3,
            Self::GreaterOrEqual => 4,
            Self::Greater => 5,
        }
    }

    fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal => Self::Equal,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
        }
    }

    /// Whether a value with this key can pass, of a column whose keys lie in a range.
    fn may_hold(self, range: (i64, i64), key: i64) -> bool {
        let (least, greatest) = range;
        match self {
            Self::Less => least < key,
            Self::LessOrEqual => least <= key,
            Self::Equal => least <= key && key <= greatest,
            Self::GreaterOrEqual => greatest >= key,
            Self::Greater => greatest > key,
        }
    }
}

/// `column comparison expression`, where the expression does not depend on the row.
#[derive(Clone, Copy)]
pub(super) struct Condition {
    /// The column's position.
    pub(super) position: usize,
    pub(super) comparison: Comparison,
    /// The other side.
    pub(super) expression: *mut pg_sys::Expr,
    /// The other side's type.
    pub(super) type_oid: pg_sys::Oid,
    /// The family of the operator: the default one of the column's type.
    pub(super) family: pg_sys::Oid,
    /// The column's type as the operator takes it.
    pub(super) left_type: pg_sys::Oid,
    pub(super) collation: pg_sys::Oid,
    /// Whether the other side is an array of which one element must be equal.
    pub(super) is_array: bool,
}

impl Condition {
    /// Whether it leaves one value of this column.
    pub(super) fn fixes(&self, position: usize) -> bool {
        self.position == position && self.comparison == Comparison::Equal && !self.is_array
    }
}

/// The conditions among these clauses (bare expressions) that concern the relation `index` of the query.
///
/// # Safety
/// The list is one of expressions of the query that `root` plans.
pub(super) unsafe fn among(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    index: u32,
    clauses: *mut pg_sys::List,
) -> Vec<Condition> {
    // SAFETY: the caller's promise.
    unsafe {
        PgList::<pg_sys::Expr>::from_pg(clauses)
            .iter_ptr()
            .filter_map(|clause| one(root, layout, index, clause))
            .collect()
    }
}

/// The condition in this clause, when there is one.
///
/// # Safety
/// As [`among`].
pub(super) unsafe fn one(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    index: u32,
    clause: *mut pg_sys::Expr,
) -> Option<Condition> {
    // SAFETY: nodes are looked at as what their tags say they are.
    unsafe {
        if clause.is_null() {
            return None;
        }
        let (operator, collation, arguments, is_array) = if is_a(clause.cast(), pg_sys::NodeTag::T_OpExpr) {
            let operation = clause.cast::<pg_sys::OpExpr>();
            ((*operation).opno, (*operation).inputcollid, (*operation).args, false)
        } else if is_a(clause.cast(), pg_sys::NodeTag::T_ScalarArrayOpExpr) {
            let operation = clause.cast::<pg_sys::ScalarArrayOpExpr>();
            if !(*operation).useOr {
                return None;
            }
            ((*operation).opno, (*operation).inputcollid, (*operation).args, true)
        } else {
            return None;
        };
        let arguments = PgList::<pg_sys::Expr>::from_pg(arguments);
        if arguments.len() != 2 {
            return None;
        }
        let (left, right) = (arguments.get_ptr(0)?, arguments.get_ptr(1)?);
        let (position, expression, is_mirrored) = if let Some(position) = column(layout, index, left) {
            (position, right, false)
        } else if is_array {
            return None;
        } else {
            (column(layout, index, right)?, left, true)
        };
        if pg_sys::bms_is_member(index as i32, pg_sys::pull_varnos(root, expression.cast()))
            || pg_sys::contain_volatile_functions(expression.cast())
            || pg_sys::contain_subplans(expression.cast())
        {
            return None;
        }
        let column = layout.column(position)?;
        let family = default_family(column.type_oid)?;
        if !pg_sys::op_in_opfamily(operator, family) {
            return None;
        }
        let (mut strategy, mut left_type, mut right_type) = (0, pg_sys::InvalidOid, pg_sys::InvalidOid);
        pg_sys::get_op_opfamily_properties(
            operator,
            family,
            false,
            &raw mut strategy,
            &raw mut left_type,
            &raw mut right_type,
        );
        let comparison = Comparison::of(strategy)?;
        if collation != column.collation {
            return None;
        }
        // The index of the blocks looks for each element of an array; of other columns than the segment nothing is gained.
        if is_array && (comparison != Comparison::Equal || layout.segment != Some(position)) {
            return None;
        }
        let (comparison, left_type, type_oid) = if is_mirrored {
            (comparison.mirrored(), right_type, left_type)
        } else {
            (comparison, left_type, right_type)
        };
        Some(Condition {
            position,
            comparison,
            expression,
            type_oid,
            family,
            left_type,
            collation: column.collation,
            is_array,
        })
    }
}

/// Whether a clause bounds the time, so that what a scan keeps of it is all that it says.
///
/// # Safety
/// As [`among`].
pub(super) unsafe fn is_bound(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    index: u32,
    clause: *mut pg_sys::Expr,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { one(root, layout, index, clause) }.is_some_and(|condition| {
        let column = layout.time_column();
        condition.position == layout.time && has_key(column.form, condition.type_oid, column.type_oid)
    })
}

/// Whether clauses look at the segment alone, and say the same whenever they are asked.
///
/// # Safety
/// The node is a clause, or a list of them, on the relation `index`.
pub(super) unsafe fn is_of_segment(layout: &Layout, index: u32, clauses: *mut pg_sys::Node) -> bool {
    let mut attributes = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        if pg_sys::contain_volatile_functions(clauses) {
            return false;
        }
        pg_sys::pull_varattnos(clauses, index, &raw mut attributes);
        let mut member = -1;
        loop {
            member = pg_sys::bms_next_member(attributes, member);
            if member < 0 {
                return true;
            }
            let attribute = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
            if layout.segment.is_none_or(|segment| attribute != segment as i32 + 1) {
                return false;
            }
        }
    }
}

/// The clauses that a scan of rows keeps to by itself, so that nobody need check them again: bounds of the time, and one
/// value of the segment; and the others.
///
/// # Safety
/// As [`among`].
pub(super) unsafe fn enforced(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    index: u32,
    clauses: *mut pg_sys::List,
) -> (*mut pg_sys::List, *mut pg_sys::List) {
    let (mut enforced, mut others) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        for clause in PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr() {
            let fixes_segment = || {
                let condition = one(root, layout, index, clause);
                condition.is_some_and(|condition| layout.segment.is_some_and(|s| condition.fixes(s)))
            };
            if is_bound(root, layout, index, clause) || fixes_segment() {
                enforced = pg_sys::lappend(enforced, clause.cast());
            } else {
                others = pg_sys::lappend(others, clause.cast());
            }
        }
    }
    (enforced, others)
}

/// These clauses but those that bound the time.
///
/// # Safety
/// As [`among`].
pub(super) unsafe fn without_bounds(
    root: *mut pg_sys::PlannerInfo,
    layout: &Layout,
    index: u32,
    clauses: *mut pg_sys::List,
) -> *mut pg_sys::List {
    let mut kept = std::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        for clause in PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr() {
            if !is_bound(root, layout, index, clause) {
                kept = pg_sys::lappend(kept, clause.cast());
            }
        }
    }
    kept
}

/// The position of the column of our relation that this expression is.
///
/// # Safety
/// The expression is one of a query.
pub(super) unsafe fn column(layout: &Layout, index: u32, expression: *mut pg_sys::Expr) -> Option<usize> {
    // SAFETY: nodes are looked at as what their tags say they are.
    unsafe {
        let mut expression = expression;
        if is_a(expression.cast(), pg_sys::NodeTag::T_RelabelType) {
            expression = (*expression.cast::<pg_sys::RelabelType>()).arg;
        }
        if !is_a(expression.cast(), pg_sys::NodeTag::T_Var) {
            return None;
        }
        let var = expression.cast::<pg_sys::Var>();
        if (*var).varno as u32 != index || (*var).varlevelsup != 0 || (*var).varattno <= 0 {
            return None;
        }
        let position = (*var).varattno as usize - 1;
        layout.column(position).map(|_| position)
    }
}

/// The default btree family of a type.
pub(super) fn default_family(type_oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    family_and_input(type_oid).map(|(family, _)| family)
}

/// The function that compares in this family, when the family has that operator.
pub(super) fn function(condition: &Condition, comparison: Comparison) -> Option<pg_sys::Oid> {
    // SAFETY: look-ups in the server's caches.
    unsafe {
        let operator = pg_sys::get_opfamily_member(
            condition.family,
            condition.left_type,
            condition.type_oid,
            comparison.strategy() as i16,
        );
        if operator == pg_sys::InvalidOid {
            return None;
        }
        let function = pg_sys::get_opcode(operator);
        (function != pg_sys::InvalidOid && pg_sys::func_strict(function)).then_some(function)
    }
}

/// The function that compares two values of a type, and the type as the function takes it.
pub(super) fn own_function(
    type_oid: pg_sys::Oid,
    comparison: Comparison,
) -> Option<(pg_sys::Oid, pg_sys::Oid)> {
    let (family, input) = family_and_input(type_oid)?;
    // SAFETY: look-ups in the server's caches.
    let function = unsafe {
        let strategy = comparison.strategy() as i16;
        let operator = pg_sys::get_opfamily_member(family, input, input, strategy);
        if operator == pg_sys::InvalidOid { pg_sys::InvalidOid } else { pg_sys::get_opcode(operator) }
    };
    (function != pg_sys::InvalidOid).then_some((function, input))
}

/// The default btree family of a type, and the type as its operators take it.
pub(super) fn family_and_input(type_oid: pg_sys::Oid) -> Option<(pg_sys::Oid, pg_sys::Oid)> {
    let flags = pg_sys::TYPECACHE_BTREE_OPFAMILY as i32;
    // SAFETY: the server's cache of types; the entry lives as long as the backend.
    let (family, input) = unsafe {
        let entry = pg_sys::lookup_type_cache(type_oid, flags);
        ((*entry).btree_opf, (*entry).btree_opintype)
    };
    (family != pg_sys::InvalidOid).then_some((family, input))
}

/// A condition on a column's values, with its other side known.
pub(super) struct KeyCondition {
    /// The column's position.
    pub(super) position: usize,
    pub(super) comparison: Comparison,
    /// The key of the other side, as summaries have them.
    pub(super) key: i64,
}

impl KeyCondition {
    /// Whether a block can hold rows that pass.
    pub(super) fn may_hold(&self, entry: &Entry) -> bool {
        match entry.summary.range {
            Some(range) => self.comparison.may_hold(range, self.key),
            // Without a range all rows are null (and none passes), or nothing is known.
            None => entry.kind == ValueKind::Bytes || (entry.null_count == 0),
        }
    }
}

/// Whether values of this type have keys that compare with those of a column of this form.
pub(super) fn has_key(form: Form, type_oid: pg_sys::Oid, column_type: pg_sys::Oid) -> bool {
    let integers = [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID];
    let floats = [pg_sys::FLOAT4OID, pg_sys::FLOAT8OID];
    // SAFETY: a look-up in the server's caches.
    let column_type = unsafe { pg_sys::getBaseType(column_type) };
    match form {
        Form::Number(_) if type_oid == column_type => true,
        Form::Number(_) if integers.contains(&column_type) => integers.contains(&type_oid),
        Form::Number(_) if floats.contains(&column_type) => floats.contains(&type_oid),
        _ => false,
    }
}

/// The key of a datum of a type for which [`has_key`] holds.
pub(super) fn key(datum: pg_sys::Datum, type_oid: pg_sys::Oid) -> i64 {
    match type_oid {
        pg_sys::INT2OID => i64::from(datum.value() as i16),
        pg_sys::INT4OID | pg_sys::DATEOID => i64::from(datum.value() as i32),
        pg_sys::FLOAT4OID => summary::float_key(f64::from(f32::from_bits(datum.value() as u32))),
        pg_sys::FLOAT8OID => summary::float_key(f64::from_bits(datum.value() as u64)),
        pg_sys::BOOLOID => i64::from(datum.value() as u8 != 0),
        _ => datum.value() as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_it_may_hold() {
        for key in -2..8 {
            let values = [1_i64, 3, 5];
            for (comparison, passes) in [
                (Comparison::Less, values.iter().any(|v| *v < key)),
                (Comparison::LessOrEqual, values.iter().any(|v| *v <= key)),
                (Comparison::GreaterOrEqual, values.iter().any(|v| *v >= key)),
                (Comparison::Greater, values.iter().any(|v| *v > key)),
                (Comparison::Equal, (1..=5).contains(&key)),
            ] {
                assert_eq!(comparison.may_hold((1, 5), key), passes, "{comparison:?} {key}");
            }
        }
    }
}
