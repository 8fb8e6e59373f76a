//! The fleet's predicted dates as HTML and CSV, asked for or every day into a folder.
//!
//! [`csv`] for spreadsheets, [`html`] for people and printers, [`summary`] groups the fleet, [`write`] puts files down
//! whole.

mod csv;
mod html;
mod summary;
mod write;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::database::worklist;
use crate::hub::Hub;

pub(crate) use csv::to_csv;
pub(crate) use html::to_html;
pub(crate) use write::whole;

/// The job that writes the daily report.
pub(crate) async fn job(hub: Hub) -> anyhow::Result<String> {
    let now = Timestamp::now();
    let client = hub.pool().get().await?;
    let rows = worklist::rows(&**client).await?;
    let folder = hub.settings().report_folder.clone();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let day = now.strftime("%Y-%m-%d");
    whole(&folder.join(format!("predicted-dates-{day}.csv")), &to_csv(&rows)?)?;
    whole(&folder.join(format!("predicted-dates-{day}.html")), to_html(&rows, now)?.as_bytes())?;
    Ok(format!("wrote {} units to {}", rows.len(), folder.display()))
}
