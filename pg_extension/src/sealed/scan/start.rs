//! How a scan starts: its conditions say which blocks are looked for, and which of their rows can pass.

use pgrx::pg_sys;

use super::Scan;
use crate::{
    sealed::{
        carried::{Give, Order},
        conditions::{self, Comparison, Condition, KeyCondition},
        source::{BlockKey, Source},
    },
    server::{error::Result, memory},
};

impl Scan {
    /// Evaluates the conditions and goes to the first block.
    ///
    /// # Safety
    /// The expression context of the scan's node.
    pub(super) unsafe fn start(&mut self, econtext: *mut pg_sys::ExprContext) -> Result<()> {
        self.is_running = true;
        self.keys.clear();
        (self.from, self.to) = (i64::MIN, i64::MAX);
        let mut block_keys = Vec::new();
        for i in 0..self.carried.conditions.len() {
            let condition = self.carried.conditions[i];
            let mut is_null = false;
            // SAFETY: the expressions were initialised for this node; values live in the query's memory below.
            let value = unsafe {
                let state = pg_sys::list_nth(self.expressions, i as i32).cast::<pg_sys::ExprState>();
                let before = memory::enter(self.context);
                let value = pg_sys::ExecEvalExpr(state, econtext, &raw mut is_null);
                memory::enter(before);
                value
            };
            if is_null {
                // No comparison with null is true.
                self.stop();
                return Ok(());
            }
            self.apply(&condition, value, &mut block_keys);
        }
        self.needs_times = self.carried.order != Order::Any || self.from != i64::MIN || self.to != i64::MAX;
        // Who wants blocks in the order in which they end may want the first one's last row alone.
        let wants_tips = match self.carried.give {
            Give::NewestBlocks => true,
            Give::Rows => self.carried.order == Order::Falling && self.keys.is_empty(),
            Give::Blocks => false,
        };
        // SAFETY: relations, scan and slot are to live as long as the query.
        unsafe {
            let before = memory::enter(self.context);
            match &mut self.source {
                Some(source) => source.restart(&block_keys),
                None => {
                    self.source = Some(Source::begin(
                        &self.layout,
                        self.carried.order,
                        &block_keys,
                        self.snapshot,
                        self.parallel,
                        wants_tips,
                    )?);
                }
            }
            memory::enter(before);
        }
        if let Some(source) = &mut self.source {
            source.step();
            source.step_until_seen();
        }
        self.block_keys = block_keys;
        self.has_given = false;
        (self.is_fresh, self.has_given_end) = (true, false);
        Ok(())
    }

    /// Turns a condition into what it says of blocks and of rows in them.
    fn apply(&mut self, condition: &Condition, value: pg_sys::Datum, block_keys: &mut Vec<BlockKey>) {
        let columns = self.layout.block_columns();
        let mut on_block = |column: i16, comparison: Comparison| {
            if let Some(function) = conditions::function(condition, comparison) {
                block_keys.push(BlockKey {
                    column,
                    comparison,
                    function,
                    type_oid: condition.type_oid,
                    collation: condition.collation,
                    value,
                    is_array: condition.is_array,
                });
            }
        };
        if Some(condition.position) == self.layout.segment {
            if let Some(column) = columns.segment {
                on_block(column, condition.comparison);
            }
            return;
        }
        let Some(column) = self.layout.column(condition.position) else { return };
        let has_key = conditions::has_key(column.form, condition.type_oid, column.type_oid);
        if condition.position != self.layout.time {
            if has_key {
                let key = conditions::key(value, condition.type_oid);
                self.keys.push(KeyCondition {
                    position: condition.position,
                    comparison: condition.comparison,
                    key,
                });
            }
            return;
        }
        let key = has_key.then(|| conditions::key(value, condition.type_oid));
        if matches!(condition.comparison, Comparison::Less | Comparison::LessOrEqual | Comparison::Equal) {
            let strict = condition.comparison == Comparison::Less;
            on_block(columns.first_time, if strict { Comparison::Less } else { Comparison::LessOrEqual });
            if let Some(key) = key {
                self.to = self.to.min(if strict { key.saturating_sub(1) } else { key });
            }
        }
        if matches!(
            condition.comparison,
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::Equal
        ) {
            let strict = condition.comparison == Comparison::Greater;
            on_block(
                columns.last_time,
                if strict { Comparison::Greater } else { Comparison::GreaterOrEqual },
            );
            if let Some(key) = key {
                self.from = self.from.max(if strict { key.saturating_add(1) } else { key });
            }
        }
    }
}
