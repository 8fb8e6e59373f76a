//! `create_hypertable`: an ordinary table becomes a hypertable.
//!
//! Whatever could not be kept once old rows are sealed is refused here, with the statement that mends it: sealed rows
//! are outside the table's heap, so a constraint that the server checks against the heap alone would lie.

use pgrx::{PgRelation, prelude::*, spi::quote_identifier};

use super::{
    catalogue, catalogue_change,
    table_facts::{Column, Facts},
};
use crate::server::{
    error::{Error, Kind, Result, given, or_raise},
    identity,
};

/// Types of a time column.
const TIME_TYPES: [&str; 6] =
    ["timestamp with time zone", "timestamp without time zone", "date", "bigint", "integer", "smallint"];

/// Types whose values are identifiers and written as names: blocks would hold the name, and it can change.
const NAMING_TYPES: [&str; 11] = [
    "regproc",
    "regprocedure",
    "regoper",
    "regoperator",
    "regclass",
    "regtype",
    "regrole",
    "regnamespace",
    "regconfig",
    "regdictionary",
    "regcollation",
];

/// Makes an ordinary table a hypertable.
#[pg_extern(volatile, parallel_unsafe)]
fn create_hypertable(
    relation: Option<PgRelation>,
    time_column: Option<&str>,
    segment_column: default!(Option<&str>, "NULL"),
    if_not_exists: default!(Option<bool>, "false"),
) {
    let relation = or_raise(given(relation, "relation"));
    let time_column = or_raise(given(time_column, "time_column"));
    or_raise(create(&relation, time_column, segment_column, if_not_exists.unwrap_or_default()));
}

extension_sql!(
    r#"
COMMENT ON FUNCTION headroom.create_hypertable(regclass, text, text, boolean) IS
'Makes an ordinary table a hypertable. time_column orders its rows; rows with equal segment_column share blocks once sealed. Refuses what could not be kept, with the remedy.';
"#,
    name = "create_hypertable_comment",
    requires = [create_hypertable]
);

fn create(relation: &PgRelation, time: &str, segment: Option<&str>, if_not_exists: bool) -> Result<()> {
    let oid = relation.oid();
    let facts = Facts::of(oid)?;
    if !identity::owns(oid) {
        return Err(Error::new(Kind::NotPermitted, format!("must be owner of table {}", facts.name)));
    }
    if catalogue::contains(oid)? {
        if if_not_exists {
            pgrx::notice!("{} is a hypertable already, skipping", facts.name);
            return Ok(());
        }
        return Err(Error::new(Kind::Duplicate, format!("{} is a hypertable already", facts.name))
            .hint("Pass if_not_exists => true to accept that."));
    }
    refuse_what_cannot_be_kept(&facts)?;
    refuse_columns(&facts, time, segment)?;
    catalogue_change::enter(oid, time, segment)
}

/// Refuses columns and keys of which sealed rows could not be kept.
pub(super) fn refuse_columns(facts: &Facts, time: &str, segment: Option<&str>) -> Result<()> {
    let time = facts.column(time)?;
    if !TIME_TYPES.contains(&time.kind.as_str()) {
        return Err(Error::new(
            Kind::WrongObject,
            format!(
                "column \"{}\" of {} cannot order rows in time: it is of type {}",
                time.name, facts.name, time.kind
            ),
        )
        .hint(format!("A time column is of one of the types {}.", TIME_TYPES.join(", "))));
    }
    refuse_null(facts, time)?;
    if let Some(column) = facts.columns.iter().find(|column| {
        NAMING_TYPES.contains(&column.kind.trim_end_matches("[]").trim_start_matches("pg_catalog."))
    }) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("column \"{}\" of {} is of type {}", column.name, facts.name, column.kind),
        )
        .detail("What it names can be renamed or dropped; a sealed row could not be read then.")
        .hint("Use text for the name, or oid for the identifier."));
    }
    let segment = segment.map(|name| facts.column(name)).transpose()?;
    if let Some(segment) = segment {
        if segment.name == time.name {
            return Err(Error::new(
                Kind::WrongObject,
                format!("column \"{}\" of {} cannot be time and segment at once", time.name, facts.name),
            ));
        }
        if !segment.sortable {
            return Err(Error::new(
                Kind::WrongObject,
                format!(
                    "column \"{}\" of {} cannot tell segments apart: type {} has no order",
                    segment.name, facts.name, segment.kind
                ),
            ));
        }
        refuse_null(facts, segment)?;
    }
    refuse_unkeepable_keys(facts, time, segment)
}

/// Refuses a table of a kind, or with something, that could not be kept over sealed rows.
pub(super) fn refuse_what_cannot_be_kept(facts: &Facts) -> Result<()> {
    let name = &facts.name;
    let refuse = |kind, what: &str| Err(Error::new(kind, format!("{name} cannot be a hypertable: {what}")));
    match facts.kind.as_str() {
        "r" => {}
        "p" => return refuse(Kind::WrongObject, "it is partitioned"),
        "v" | "m" => return refuse(Kind::WrongObject, "it is a view"),
        "f" => return refuse(Kind::WrongObject, "it is a foreign table"),
        _ => return refuse(Kind::WrongObject, "it is no table"),
    }
    if facts.is_system {
        return refuse(Kind::WrongObject, "it is a system catalogue");
    }
    if facts.persistence != "p" {
        let why = if facts.persistence == "t" { "it is temporary" } else { "it is unlogged" };
        return refuse(Kind::Unsupported, why).map_err(|e: Error| {
            e.detail("Its rows are lost with the session or after a crash; sealed rows are not.")
        });
    }
    if facts.is_inheriting {
        return refuse(Kind::Unsupported, "it inherits from a table or has tables that inherit from it");
    }
    if let Some((table, constraint)) = &facts.foreign_key {
        return refuse(Kind::Unsupported, "it has or is the target of a foreign key").map_err(|e: Error| {
            e.detail(format!(
                "PostgreSQL checks foreign key \"{constraint}\" of {table} against unsealed rows alone."
            ))
            .hint(format!("ALTER TABLE {table} DROP CONSTRAINT {};", quote_identifier(constraint)))
        });
    }
    if let Some(rule) = &facts.rule {
        return refuse(Kind::Unsupported, "it has a rule")
            .map_err(|e: Error| e.hint(format!("DROP RULE {} ON {name};", quote_identifier(rule))));
    }
    Ok(())
}

fn refuse_null(facts: &Facts, column: &Column) -> Result<()> {
    if column.not_null {
        return Ok(());
    }
    Err(Error::new(Kind::Unsupported, format!("column \"{}\" of {} may be null", column.name, facts.name))
        .detail("A row without time or segment has no place in a block.")
        .hint(format!(
            "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;",
            facts.name,
            quote_identifier(&column.name)
        )))
}

/// A unique key must hold time and segment: a sealed row with the same key is then in one known block.
fn refuse_unkeepable_keys(facts: &Facts, time: &Column, segment: Option<&Column>) -> Result<()> {
    for key in &facts.unique_keys {
        let why = if key.is_partial {
            "it covers part of the table"
        } else if key.has_expressions {
            "it is over an expression"
        } else if key.is_exclusion {
            "it is an exclusion constraint"
        } else if key.is_deferrable {
            "it is deferrable"
        } else if key.nulls_not_distinct {
            "it takes nulls for equal"
        } else if !key.columns.contains(&time.name) {
            "the time column is not part of it"
        } else if segment.is_some_and(|s| !key.columns.contains(&s.name)) {
            "the segment column is not part of it"
        } else {
            continue;
        };
        return Err(Error::new(
            Kind::Unsupported,
            format!("unique index \"{}\" of {} cannot be kept on a hypertable: {why}", key.index, facts.name),
        )
        .detail("It could not be checked against sealed rows.")
        .hint("Make it a plain unique index or primary key over at least the time and the segment column."));
    }
    Ok(())
}
