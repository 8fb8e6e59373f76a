//! The words of an offer.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::database::offers::{Line, Offer};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// One line.
    pub(crate) subject: String,
    /// Plain text.
    pub(crate) body: String,
}

/// The letter of an offer with these lines. Control characters of names from outside become spaces: no name writes a
/// header or a line of its own.
pub(crate) fn letter(offer: &Offer, lines: &[Line]) -> Letter {
    let units = match offer.units {
        1 => "a storage unit".to_owned(),
        count => format!("{count} storage units"),
    };
    let subject = match offer.order_by {
        Some(date) => {
            format!("Offer {}: {units} to order for by {}", offer.offer_id, date.strftime("%-d %B %Y"))
        }
        None => format!("Offer {} for {units}", offer.offer_id),
    };
    let name = plain(&offer.contact_name);
    let mut body = if name.is_empty() { "Good day,\n\n".to_owned() } else { format!("Dear {name},\n\n") };
    let mut write = || -> std::fmt::Result {
        writeln!(
            body,
            "by the figures that your units report, {units} of yours will need something soon:\n"
        )?;
        let mut unit = None;
        for line in lines {
            if unit != Some((line.unit_id, &line.resource)) {
                unit = Some((line.unit_id, &line.resource));
                head(&mut body, line)?;
            }
            let (quantity, product, sku) = (line.quantity, plain(&line.product), plain(&line.sku));
            writeln!(body, "    {quantity} × {product} ({sku}): {} {}", line.price, offer.currency)?;
        }
        writeln!(body, "\nIn all: {} {}", offer.price, offer.currency)?;
        if let Some(date) = offer.order_by {
            writeln!(
                body,
                "To be in use before it runs out, the order is due by {}: delivery, your approval and installation are counted in.",
                date.strftime("%-d %B %Y")
            )?;
        }
        if let Some(date) = offer.valid_until {
            writeln!(body, "This offer is valid until {}.", date.strftime("%-d %B %Y"))?;
        }
        writeln!(
            body,
            "\nIf you have freed space or moved load in the meantime, the offer is withdrawn by itself.\n\
             You receive it because you have granted the sales purpose for these units; you can withdraw that at any time, \
             at the unit or with us, and nothing more is sent."
        )
    };
    let written = write();
    debug_assert!(written.is_ok(), "writing to a String does not fail");
    Letter { subject, body }
}

fn head(body: &mut String, line: &Line) -> std::fmt::Result {
    write!(body, "  {}", plain(&line.unit))?;
    if let Some(serial) = &line.serial {
        write!(body, ", serial number {}", plain(serial))?;
    }
    if let Some(site) = &line.site {
        write!(body, ", {}", plain(site))?;
    }
    let what = match line.resource.as_str() {
        "capacity" => "its space",
        "load" => "its headroom for load",
        "endurance" => "its endurance",
        "inodes" => "its room for files",
        _ => "its space for metadata",
    };
    match (line.p50, line.p10) {
        (Some(p50), _) => {
            writeln!(
                body,
                "\n  {what} runs out about {}{}",
                day(p50),
                line.p10.map(|p10| format!(", perhaps from {}", day(p10))).unwrap_or_default()
            )
        }
        (None, Some(p10)) => writeln!(body, "\n  {what} may run out from {}", day(p10)),
        (None, None) => writeln!(body, "\n  {what} has run out"),
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use headroom_core::offer::OfferState;
    use jiff::Timestamp;
    use rust_decimal::Decimal;

    use super::letter;
    use crate::database::offers::{Line, Offer};

    #[test]
    fn the_letter_names_unit_dates_price_and_the_way_out() {
        let at: Timestamp = "2027-03-05T00:00:00Z".parse().expect("a time");
        let offer = Offer {
            offer_id: 7,
            customer_id: 1,
            customer: "Customer".to_owned(),
            state: OfferState::Approved,
            contact_name: "Ruth\r\nBcc: all@customer.example".to_owned(),
            contact_email: "ruth@customer.example".to_owned(),
            order_by: Some(jiff::civil::date(2027, 1, 10)),
            price: Decimal::from(530),
            currency: "EUR".to_owned(),
            made_at: at,
            changed_at: at,
            valid_until: Some(jiff::civil::date(2026, 12, 24)),
            outcome_reason: None,
            units: 1,
        };
        let line = Line {
            unit_id: 1,
            unit: "N8".to_owned(),
            serial: Some("HSN8-1".to_owned()),
            site: None,
            resource: "capacity".to_owned(),
            action: "expansion".to_owned(),
            sku: "HX-HD8".to_owned(),
            product: "Drive 8 TB".to_owned(),
            quantity: 2,
            price: Decimal::from(530),
            p10: Some(at),
            p50: Some(at),
        };
        let letter = letter(&offer, &[line]);
        assert_eq!(letter.subject, "Offer 7: a storage unit to order for by 10 January 2027");
        assert!(
            !letter.body.contains("\r") && letter.body.starts_with("Dear Ruth  Bcc: all@customer.example,\n")
        );
        for told in [
            "HSN8-1",
            "2 × Drive 8 TB (HX-HD8): 530 EUR",
            "5 March 2027",
            "24 December 2026",
            "sales purpose",
        ] {
            assert!(letter.body.contains(told), "{told}: {}", letter.body);
        }
    }
}
