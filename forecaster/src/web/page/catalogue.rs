//! `GET /catalogue`: what is sold, with lead times and how old they are.

use askama::Template as _;
use axum::extract::State;
use axum::response::Html;

use super::listing::{Cell, ListingPage, Table};
use crate::database::acting;
use crate::database::catalogue_page::{self, ProductRow};
use crate::web::line::{money, size};
use crate::web::person::SignedIn;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::wording::words;

/// `GET /catalogue`
pub(crate) async fn page(State(web): State<Web>, who: SignedIn) -> Result<Html<String>, Problem> {
    who.role.require_section("/catalogue")?;
    let mut client = web.connection().await?;
    let transaction = acting::reading(&mut client, who.person_id).await?;
    let products = catalogue_page::products(&transaction).await?;
    drop(transaction);
    let table = |title: &str, actions: &[&str]| Table {
        title: title.to_owned(),
        note: None,
        columns: vec!["Order number", "Name", "Capacity", "Interface", "Fits", "Price", "Lead time"],
        rows: products.iter().filter(|product| actions.contains(&product.action.as_str())).map(row).collect(),
        empty: "None in the catalogue.",
    };
    let page = ListingPage {
        frame: web.frame(&who, "/catalogue", "/catalogue".to_owned()),
        title: "Catalogue",
        intro: vec![
            "Plans are made of these. An old lead time makes an order-by date wrong: the day it was confirmed stands beside it."
                .to_owned(),
        ],
        tables: vec![
            table("Expansion: adds capacity in free bays", &["expansion"]),
            table("Upgrade: replaces a unit", &["upgrade"]),
            table("Functional extension: adds an ability", &["functional_extension"]),
            table("Units", &["unit"]),
        ],
    };
    Ok(Html(page.render()?))
}

fn row(product: &ProductRow) -> Vec<Cell> {
    let name =
        if product.withdrawn { format!("{} (no longer sold)", product.name) } else { product.name.clone() };
    let fits = if product.fits_models.is_empty() { "any".to_owned() } else { product.fits_models.join(", ") };
    let capacity =
        if product.capacity_bytes == 0 { "–".to_owned() } else { size(product.capacity_bytes, "drive") };
    vec![
        Cell::text(product.sku.clone()),
        Cell::text(name),
        Cell::text(capacity),
        Cell::text(product.interface.as_deref().map_or_else(|| "–".to_owned(), words)),
        Cell::text(fits),
        Cell::text(money(product.price, &product.currency)),
        Cell::text(format!(
            "{} d, as of {}",
            product.lead_time_days,
            product.lead_time_as_of.strftime("%-d %b %Y")
        )),
    ]
}
