//! The report for spreadsheets.

use jiff::Timestamp;

use crate::database::worklist::Row;

const HEADER: [&str; 20] = [
    "unit_id",
    "unit",
    "serial",
    "model",
    "customer",
    "territory",
    "site",
    "state",
    "reason",
    "resource",
    "used",
    "limit",
    "order_by",
    "p10",
    "p50",
    "p90",
    "plan",
    "price",
    "currency",
    "last_seen",
];

/// RFC 4180, UTF-8. A cell that a spreadsheet would run as a formula is made text by a leading apostrophe.
pub(crate) fn to_csv(rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for row in rows {
        let record: [String; 20] = [
            row.unit_id.to_string(),
            cell(&row.unit),
            cell(row.serial.as_deref().unwrap_or_default()),
            cell(row.model.as_deref().unwrap_or_default()),
            cell(row.customer.as_deref().unwrap_or_default()),
            cell(row.territory.as_deref().unwrap_or_default()),
            cell(row.site.as_deref().unwrap_or_default()),
            row.state.map(|state| state.to_string()).unwrap_or_default(),
            cell(row.reason.as_deref().unwrap_or_default()),
            row.resource.map(|resource| resource.to_string()).unwrap_or_default(),
            number(row.used),
            number(row.limit),
            day(row.order_by),
            day(row.p10),
            day(row.p50),
            day(row.p90),
            cell(row.plan.as_deref().unwrap_or_default()),
            row.price.map(|price| price.to_string()).unwrap_or_default(),
            cell(row.currency.as_deref().unwrap_or_default()),
            row.last_seen.map(|at| at.to_string()).unwrap_or_default(),
        ];
        writer.write_record(&record)?;
    }
    writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn day(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Text that came from outside: a sign that starts a formula is made harmless.
pub(crate) fn cell(text: &str) -> String {
    if text.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '＝', '＋', '－', '＠'])
    {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{cell, to_csv};
    use crate::database::worklist::Row;

    #[test]
    fn formulas_from_outside_are_text() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1"] {
            assert!(cell(bad).starts_with('\''), "{bad:?}");
        }
        let row = Row {
            unit: "=cmd|' /C calc'!A0".to_owned(),
            customer: Some("A, \"B\"\nC".to_owned()),
            ..Row::default()
        };
        let text = String::from_utf8(to_csv(&[row]).expect("csv")).expect("utf-8");
        assert!(text.contains("'=cmd|"), "{text}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let record = reader.records().next().expect("a row").expect("valid");
        assert_eq!(record.get(4), Some("A, \"B\"\nC"));
    }
}
