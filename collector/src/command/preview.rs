//! `headroom-node preview`: exactly what would leave, before anything does.

use headroom_core::exchange::{Batch, Push};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Context, print_json};
use crate::config::Settings;
use crate::credentials::identity::Identity;
use crate::node::answer::{Snapshot, everything};
use crate::owner::Owner;
use crate::store::{Order, Store};

/// Arguments of `preview`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Most samples to print of those that wait for the hub
    #[arg(long, default_value_t = 100)]
    samples: u32,
}

/// Prints what a push would hold now; the read API gives the same in two parts. Whether anything leaves at all is said
/// on standard error.
pub(crate) fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let settings = &context.settings;
    let mut owner = Owner::read(&settings.data_dir)?;
    owner.settle(settings);
    let node = Identity::read(&settings.data_dir)?.map_or(Uuid::nil(), |identity| identity.node);
    let now = Timestamp::now();
    let (snapshot, batch) = if settings.store_path().exists() {
        let store = Store::open_reader(&settings.store_path())?;
        let batch = store.unacknowledged(node, Order::NewestUnacknowledged, args.samples)?;
        (Snapshot::of_store(&store, now)?, batch)
    } else {
        eprintln!("headroom-node: there is no store yet, so this is measured now");
        (measured(settings, node, now)?, nothing(node))
    };
    let answer = everything(settings, node, &owner.user, &snapshot, now);
    if owner.user.consent.any() {
        eprintln!(
            "headroom-node: this leaves when the hub asks{}",
            if settings.push { " and by push" } else { "" }
        );
    } else {
        eprintln!(
            "headroom-node: nothing leaves now, since no purpose is granted; this would leave if one were"
        );
    }
    print_json(&Push { answer, batch })
}

fn measured(settings: &Settings, node: Uuid, now: Timestamp) -> anyhow::Result<Snapshot> {
    let round = super::run::measurer(settings, node).round()?;
    Ok(Snapshot {
        at: now,
        store: None,
        status: round.samples(),
        units: round.units,
        gone: Vec::new(),
        absences: round.absences,
        remarks: round.remarks,
        notices: Vec::new(),
    })
}

fn nothing(node: Uuid) -> Batch {
    Batch { node, store: Uuid::nil(), range: None, gaps: Vec::new(), samples: Vec::new(), more: false }
}
