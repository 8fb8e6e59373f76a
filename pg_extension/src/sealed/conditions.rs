//! Which conditions of a query tell that a block, or rows of it, need not be read.
//!
//! Every condition is checked again for every row by the server: what is done here only saves work.

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
        if clause.is_null() || !is_a(clause.cast(), pg_sys::NodeTag::T_OpExpr) {
            return None;
        }
        let operation = clause.cast::<pg_sys::OpExpr>();
        let arguments = PgList::<pg_sys::Expr>::from_pg((*operation).args);
        if arguments.len() != 2 {
            return None;
        }
        let (left, right) = (arguments.get_ptr(0)?, arguments.get_ptr(1)?);
        let (position, expression, is_mirrored) = if let Some(position) = column(layout, index, left) {
            (position, right, false)
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
        if !pg_sys::op_in_opfamily((*operation).opno, family) {
            return None;
        }
        let (mut strategy, mut left_type, mut right_type) = (0, pg_sys::InvalidOid, pg_sys::InvalidOid);
        pg_sys::get_op_opfamily_properties(
            (*operation).opno,
            family,
            false,
            &raw mut strategy,
            &raw mut left_type,
            &raw mut right_type,
        );
        let comparison = Comparison::of(strategy)?;
        if (*operation).inputcollid != column.collation {
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
        })
    }
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
    // SAFETY: the server's cache of types; the entry lives as long as the backend.
    let family =
        unsafe { (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32)).btree_opf };
    (family != pg_sys::InvalidOid).then_some(family)
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
