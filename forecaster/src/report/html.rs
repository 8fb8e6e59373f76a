//! The report for people: one file, no script, nothing from outside, fit to print.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::summary::by_territory;
use crate::database::worklist::Row;
use crate::markup::escape;

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1a1a1a}\
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
th{border-bottom:2px solid #888}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.late{color:#a00;font-weight:600}@media print{body{margin:0}tr{break-inside:avoid}}";

/// The whole document. Everything that came from outside is escaped.
pub(crate) fn to_html(rows: &[Row], now: Timestamp) -> anyhow::Result<String> {
    let mut page = String::with_capacity(4_096 + rows.len() * 600);
    write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Predicted dates, {day}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
         <h1>Predicted dates of {count} units</h1><p>As of {now}, UTC. A date is the median; the band holds 80 of 100 true dates. \
         Without a date, the reason stands in its place.</p>",
        day = now.strftime("%Y-%m-%d"),
        count = rows.len(),
    )?;
    page.push_str(
        "<table><thead><tr><th>Territory</th><th>Units</th><th>With a date</th><th>To order within 30 days</th></tr></thead><tbody>",
    );
    for group in by_territory(rows, now)? {
        write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            or_dash(Some(&group.territory)),
            group.units,
            group.dated,
            group.due
        )?;
    }
    page.push_str(
        "</tbody></table><table><thead><tr><th>Order by</th><th>Customer</th><th>Unit</th><th>What runs out</th>\
         <th>Runs out</th><th>P10 – P90</th><th>Plan</th><th>Price</th><th>Last seen</th></tr></thead><tbody>",
    );
    for row in rows {
        one(&mut page, row, now)?;
    }
    page.push_str("</tbody></table></body></html>\n");
    Ok(page)
}

fn one(page: &mut String, row: &Row, now: Timestamp) -> std::fmt::Result {
    let late = if row.order_by.is_some_and(|at| at <= now) { " class=\"late\"" } else { "" };
    let runs_out = match (row.p50, row.p10) {
        (Some(_), _) => day(row.p50),
        (None, Some(_)) => "beyond the horizon, perhaps".to_owned(),
        (None, None) => escape(row.reason.as_deref().unwrap_or("not forecast yet")),
    };
    let band =
        if row.p10.is_some() { format!("{} – {}", day(row.p10), day(row.p90)) } else { "–".to_owned() };
    let price = match (row.price, &row.currency) {
        (Some(price), Some(currency)) => format!("{price} {}", escape(currency)),
        _ => "–".to_owned(),
    };
    write!(
        page,
        "<tr><td{late}>{order}</td><td>{customer}</td><td>{unit}<br>{serial}</td><td>{resource}</td><td>{runs_out}</td>\
         <td>{band}</td><td>{plan}</td><td class=\"n\">{price}</td><td>{seen}</td></tr>",
        order = day(row.order_by),
        customer = or_dash(row.customer.as_deref()),
        unit = escape(&row.unit),
        serial = escape(row.serial.as_deref().unwrap_or_default()),
        resource =
            row.resource.map_or_else(|| "–".to_owned(), |resource| resource.to_string().replace('_', " ")),
        plan = or_dash(row.plan.as_deref()),
        seen =
            row.last_seen.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string()),
    )
}

fn day(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "–".to_owned(), escape)
}

#[cfg(test)]
mod tests {
    use super::to_html;
    use crate::database::worklist::Row;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let now = "2026-11-24T00:00:00Z".parse().expect("a time");
        let bad = "<script>alert('x')</script>".to_owned();
        let row = Row {
            unit: bad.clone(),
            customer: Some(bad.clone()),
            serial: Some(bad.clone()),
            reason: Some(bad.clone()),
            plan: Some(bad.clone()),
            territory: Some(bad.clone()),
            ..Row::default()
        };
        let page = to_html(&[row], now).expect("a page");
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 6);
    }
}
