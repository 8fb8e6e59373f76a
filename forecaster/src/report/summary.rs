//! The fleet in groups, by polars: how many units of each territory are due, and what the plans cost.

use polars::prelude::*;

use crate::database::worklist::Row;

/// One territory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// Territory; empty for units without one.
    pub(crate) territory: String,
    /// Units.
    pub(crate) units: u32,
    /// Units with a date.
    pub(crate) dated: u32,
    /// Units whose last day to order has passed or lies within 30 days.
    pub(crate) due: u32,
}

/// Groups by territory, in the order of the alphabet.
pub(crate) fn by_territory(rows: &[Row], now: jiff::Timestamp) -> PolarsResult<Vec<Group>> {
    let soon = now.as_second() + 30 * 86_400;
    let territory: Vec<&str> = rows.iter().map(|row| row.territory.as_deref().unwrap_or_default()).collect();
    let dated: Vec<bool> = rows.iter().map(|row| row.p10.is_some()).collect();
    let due: Vec<bool> =
        rows.iter().map(|row| row.order_by.is_some_and(|at| at.as_second() <= soon)).collect();
    let frame = df!("territory" => territory, "dated" => dated, "due" => due)?
        .lazy()
        .group_by([col("territory")])
        .agg([
            len().alias("units"),
            col("dated").sum().cast(DataType::UInt32),
            col("due").sum().cast(DataType::UInt32),
        ])
        .sort(["territory"], SortMultipleOptions::default())
        .collect()?;
    let (names, units) =
        (frame.column("territory")?.str()?.clone(), frame.column("units")?.cast(&DataType::UInt32)?);
    let (units, dated, due) =
        (units.u32()?.clone(), frame.column("dated")?.u32()?.clone(), frame.column("due")?.u32()?.clone());
    Ok((0..frame.height())
        .map(|index| Group {
            territory: names.get(index).unwrap_or_default().to_owned(),
            units: units.get(index).unwrap_or(0),
            dated: dated.get(index).unwrap_or(0),
            due: due.get(index).unwrap_or(0),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::by_territory;
    use crate::database::worklist::Row;

    #[test]
    fn units_are_counted_by_territory() {
        let now: jiff::Timestamp = "2026-11-24T00:00:00Z".parse().expect("a time");
        let row = |territory: &str, due: bool| Row {
            territory: Some(territory.to_owned()),
            p10: due.then_some(now),
            order_by: due.then_some(now),
            ..Row::default()
        };
        let groups = by_territory(&[row("north", true), row("south", false), row("north", false)], now)
            .expect("groups");
        let told: Vec<_> = groups.iter().map(|g| (g.territory.as_str(), g.units, g.dated, g.due)).collect();
        assert_eq!(told, [("north", 2, 1, 1), ("south", 1, 0, 0)]);
        assert!(by_territory(&[], now).expect("none").is_empty());
    }
}
