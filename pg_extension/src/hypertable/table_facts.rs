//! What the server's catalogue says of a table that is to become a hypertable.

use pgrx::prelude::*;

use super::datum;
use crate::server::error::{Error, Kind, Result};

/// A column of the table.
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type as SQL writes it, without modifier.
    pub(super) kind: String,
    /// Whether it is declared `NOT NULL`.
    pub(super) not_null: bool,
    /// Whether its type has a default order.
    pub(super) sortable: bool,
}

/// A unique index or an exclusion constraint.
pub(super) struct UniqueKey {
    /// The index.
    pub(super) index: String,
    /// Its plain key columns.
    pub(super) columns: Vec<String>,
    /// It has a predicate.
    pub(super) is_partial: bool,
    /// At least one key is an expression.
    pub(super) has_expressions: bool,
    /// It belongs to an exclusion constraint.
    pub(super) is_exclusion: bool,
    /// It may be checked at commit.
    pub(super) is_deferrable: bool,
    /// It is `NULLS NOT DISTINCT`.
    pub(super) nulls_not_distinct: bool,
}

/// The facts.
pub(super) struct Facts {
    /// The table's name, quoted and with schema where the search path needs it.
    pub(super) name: String,
    /// `pg_class.relkind`.
    pub(super) kind: String,
    /// `pg_class.relpersistence`.
    pub(super) persistence: String,
    /// It lies in a schema of the system.
    pub(super) is_system: bool,
    /// It is a parent or a child in an inheritance tree.
    pub(super) is_inheriting: bool,
    /// A foreign key from or to it: the table that has the constraint, and the constraint.
    pub(super) foreign_key: Option<(String, String)>,
    /// A rewrite rule.
    pub(super) rule: Option<String>,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Its unique keys and exclusion constraints.
    pub(super) unique_keys: Vec<UniqueKey>,
}

impl Facts {
    /// Reads them all.
    pub(super) fn of(relation: pg_sys::Oid) -> Result<Self> {
        Spi::connect(|client| {
            let table = client.select(TABLE, Some(1), &[relation.into()])?.first();
            let foreign = client.select(FOREIGN_KEY, Some(1), &[relation.into()])?;
            let foreign_key = match foreign.is_empty() {
                true => None,
                false => {
                    let row = foreign.first();
                    Some((text(row.get(1)?)?, text(row.get(2)?)?))
                }
            };
            let mut columns = Vec::new();
            for row in datum::with_exact_text(|| client.select(COLUMNS, None, &[relation.into()]))? {
                columns.push(Column {
                    name: text(row.get(1)?)?,
                    kind: text(row.get(2)?)?,
                    not_null: truth(row.get(3)?)?,
                    sortable: truth(row.get(4)?)?,
                });
            }
            let mut unique_keys = Vec::new();
            for row in client.select(UNIQUE_KEYS, None, &[relation.into()])? {
                unique_keys.push(UniqueKey {
                    index: text(row.get(1)?)?,
                    columns: row.get::<Vec<String>>(2)?.unwrap_or_default(),
                    is_partial: truth(row.get(3)?)?,
                    has_expressions: truth(row.get(4)?)?,
                    is_exclusion: truth(row.get(5)?)?,
                    is_deferrable: truth(row.get(6)?)?,
                    nulls_not_distinct: truth(row.get(7)?)?,
                });
            }
            Ok(Self {
                name: text(table.get(1)?)?,
                kind: text(table.get(2)?)?,
                persistence: text(table.get(3)?)?,
                is_system: truth(table.get(4)?)?,
                is_inheriting: truth(table.get(5)?)?,
                rule: table.get(6)?,
                foreign_key,
                columns,
                unique_keys,
            })
        })
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|c| c.name == name).ok_or_else(|| {
            let known: Vec<_> = self.columns.iter().map(|c| c.name.as_str()).collect();
            Error::new(Kind::UndefinedColumn, format!("column \"{name}\" of {} does not exist", self.name))
                .hint(format!("Its columns are {}.", known.join(", ")))
        })
    }
}

fn text(value: Option<String>) -> Result<String> {
    value.ok_or_else(|| Error::new(Kind::Internal, "the server's catalogue left a name out"))
}

fn truth(value: Option<bool>) -> Result<bool> {
    value.ok_or_else(|| Error::new(Kind::Internal, "the server's catalogue left an answer out"))
}

const TABLE: &str = "
SELECT c.oid::pg_catalog.regclass::pg_catalog.text, c.relkind::pg_catalog.text, c.relpersistence::pg_catalog.text,
       c.relnamespace OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', 'pg_toast', 'information_schema', 'headroom']::pg_catalog.regnamespace[]),
       c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_inherits i
           WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid OR (i.inhparent OPERATOR(pg_catalog.=) c.oid
               AND i.inhrelid IS DISTINCT FROM (SELECT h.sealed FROM headroom.hypertables h WHERE h.relation OPERATOR(pg_catalog.=) c.oid))),
       (SELECT r.rulename::pg_catalog.text FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid LIMIT 1)
FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) $1";

const FOREIGN_KEY: &str = "
SELECT conrelid::pg_catalog.regclass::pg_catalog.text, conname::pg_catalog.text FROM pg_catalog.pg_constraint
WHERE contype OPERATOR(pg_catalog.=) 'f' AND (conrelid OPERATOR(pg_catalog.=) $1 OR confrelid OPERATOR(pg_catalog.=) $1)
ORDER BY 1, 2 LIMIT 1";

const COLUMNS: &str = "
SELECT a.attname::pg_catalog.text, pg_catalog.format_type(a.atttypid, NULL), a.attnotnull,
       EXISTS (SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) o.opcmethod
           WHERE m.amname OPERATOR(pg_catalog.=) 'btree' AND o.opcdefault AND (o.opcintype OPERATOR(pg_catalog.=) a.atttypid
               OR (t.typtype OPERATOR(pg_catalog.=) 'e' AND o.opcintype OPERATOR(pg_catalog.=) 'pg_catalog.anyenum'::pg_catalog.regtype)
               OR (t.oid OPERATOR(pg_catalog.=) 'pg_catalog.varchar'::pg_catalog.regtype AND o.opcintype OPERATOR(pg_catalog.=) 'pg_catalog.text'::pg_catalog.regtype)))
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
WHERE a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum";

const UNIQUE_KEYS: &str = "
SELECT i.indexrelid::pg_catalog.regclass::pg_catalog.text,
       ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid
               AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])),
       i.indpred IS NOT NULL, i.indexprs IS NOT NULL, i.indisexclusion, NOT i.indimmediate, i.indnullsnotdistinct
FROM pg_catalog.pg_index i
WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND (i.indisunique OR i.indisexclusion)
ORDER BY 1";
