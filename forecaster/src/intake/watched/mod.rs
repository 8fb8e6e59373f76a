//! Fleets that are watched already: a Prometheus that writes here, or an OpenTelemetry collector that exports here, shows
//! a certificate as a node does. What its series mean is told by their names.
//!
//! | Room | What it is for |
//! |---|---|
//! | [`remote_write`] | Prometheus remote write 1.0 |
//! | [`otlp`] | OTLP/HTTP metrics |
//! | [`wire`] | the messages of both |
//! | [`series`] | what both come to |
//! | [`rules`] | what a name means |
//! | [`merge`] | series into units, components and samples |
//!
//! There is no sequence as nodes have it: a row is named by its component and time, figures that come later are added to
//! it, and a request that comes twice changes nothing. Consent is the sender's: its owner writes the purposes that are
//! granted into the address, `?consent=advice`, so that they come with each request. Not a header: Debian's Prometheus
//! 2.42 takes one in its configuration and does not send it.

mod merge;
mod otlp;
mod remote_write;
pub(crate) mod rules;
mod series;
mod wire;

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use headroom_core::unit::{ComponentKind, Consent, Sample, UnitReport};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::body::decompress;
use super::examine::sort_out;
use super::problem::IntakeProblem;
use crate::database::{ranges, series as rows, units, watched};
use crate::hub::Hub;
use crate::listener::Peer;
use merge::Request;
use rules::Mapping;
use series::Series;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The purposes that the sender's owner grants, divided by commas.
    #[serde(default)]
    consent: String,
}

type Address = Result<Query<Asked>, QueryRejection>;

/// `POST /v1/prometheus/write`.
pub(super) async fn remote_write(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, IntakeProblem> {
    let node = super::authenticated(&hub, &peer).await?;
    if text(&headers, header::CONTENT_TYPE).contains("v2.Request") {
        return Err(IntakeProblem::invalid(
            "Content-Type",
            "is remote write 2.0: leave protobuf_message at prometheus.WriteRequest",
        ));
    }
    let most = hub.settings().intake_body_bytes_max;
    let series = remote_write::read(&whole(body, most).await?, most)?;
    take(&hub, node, address, &headers, &series).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/metrics`: OTLP in binary form, plain or gzip.
pub(super) async fn otlp(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, IntakeProblem> {
    let node = super::authenticated(&hub, &peer).await?;
    if text(&headers, header::CONTENT_TYPE).contains("json") {
        return Err(IntakeProblem::invalid(
            "Content-Type",
            "is JSON: send application/x-protobuf (encoding: proto)",
        ));
    }
    let most = hub.settings().intake_body_bytes_max;
    let bytes = whole(body, most).await?;
    let series = match text(&headers, header::CONTENT_ENCODING).as_str() {
        "gzip" => otlp::read(&decompress(&bytes, most)?)?,
        _ => otlp::read(&bytes)?,
    };
    take(&hub, node, address, &headers, &series).await?;
    // An empty ExportMetricsServiceResponse: everything was taken.
    Ok(([(header::CONTENT_TYPE, "application/x-protobuf")], ""))
}

fn text(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

async fn whole(body: Body, most: usize) -> Result<axum::body::Bytes, IntakeProblem> {
    to_bytes(body, most).await.map_err(|error| {
        if error.to_string().contains("length limit") {
            IntakeProblem::TooLarge(most)
        } else {
            IntakeProblem::invalid("body", format!("broke off: {error}"))
        }
    })
}

/// What the sender's owner grants.
fn consent(address: Address) -> Result<Consent, IntakeProblem> {
    let Query(asked) = address.map_err(|error| IntakeProblem::invalid("the address", error.body_text()))?;
    let mut consent = Consent::default();
    for purpose in asked.consent.split([' ', ',']).filter(|purpose| !purpose.is_empty()) {
        match purpose {
            "support" => consent.support = true,
            "advice" => consent.advice = true,
            "sales" => consent.sales = true,
            other => {
                let reason = format!("names {other:?}: use support, advice and sales");
                return Err(IntakeProblem::invalid("consent", reason));
            }
        }
    }
    if !consent.any() {
        return Err(IntakeProblem::Forbidden(
            "the owner of this sender grants no purpose: name them in the address, such as ?consent=advice"
                .to_owned(),
        ));
    }
    Ok(consent)
}

/// Writes what a request told, all or nothing. Writing the same again changes nothing.
async fn take(
    hub: &Hub,
    node: Uuid,
    address: Address,
    headers: &HeaderMap,
    series: &[Series],
) -> Result<(), IntakeProblem> {
    let consent = consent(address)?;
    let software: String =
        text(headers, header::USER_AGENT).chars().filter(|c| !c.is_control()).take(200).collect();
    let now = Timestamp::now();
    let mut client = hub.pool().get().await?;
    let transaction = client.transaction().await?;
    let tx: &tokio_postgres::Transaction<'_> = &transaction;
    // The row of the sender is locked: the shards of one Prometheus take turns.
    watched::heard(tx, node, &software, consent, now).await?;
    let mut request = Request::read(series, &mappings(tx).await?);
    let unmatched: Vec<_> = request
        .unmatched
        .iter()
        .map(|(name, (labels, count))| (name.clone(), labels.clone(), *count))
        .collect();
    watched::note_unmatched(tx, node, &unmatched, now).await?;
    let with_parts: Vec<String> = request.with_parts().into_iter().map(str::to_owned).collect();
    let names: Vec<&str> = with_parts.iter().map(String::as_str).collect();
    let waited = watched::take_parts(tx, node, &names).await?;
    let waits = request.join(waited);
    watched::keep_parts(tx, node, &waits).await?;
    let reports: Vec<UnitReport> = request.units.values().cloned().collect();
    units::describe_more(tx, node, &reports, now).await?;
    let ids = units::component_ids(&transaction, node).await?;
    let sorted =
        sort_out(request.samples(), &|key| ids.contains_key(&key.0), now, hub.settings().intake_future_max);
    let components: Vec<i64> =
        sorted.taken.iter().filter_map(|sample: &Sample| ids.get(&sample.component.0).copied()).collect();
    rows::merge(&transaction, &components, &sorted.taken).await?;
    rows::note_newest(&transaction, &components, &sorted.taken).await?;
    if let Some(aside) = sorted.set_aside.first() {
        // Series have no numbers: one of them stands for all of a request.
        let count = sorted.set_aside.len();
        let reason = format!("{}: {} ({count} of this request)", aside.code, aside.sentence);
        ranges::set_aside(tx, node, Uuid::nil(), &aside.sample, &reason, now).await?;
    }
    transaction.commit().await?;
    tracing::debug!(%node, series = series.len(), samples = sorted.taken.len(), "took series");
    Ok(())
}

/// The built-in mappings, and over them those that a person made.
async fn mappings(
    client: &impl tokio_postgres::GenericClient,
) -> Result<BTreeMap<String, Mapping>, IntakeProblem> {
    let mut mappings: BTreeMap<String, Mapping> =
        rules::built_in().map(|mapping| (mapping.metric.clone(), mapping)).collect();
    for row in watched::mappings(client).await? {
        let kind: ComponentKind = serde_json::from_value(row.kind.into()).map_err(|error| {
            IntakeProblem::Internal(anyhow::anyhow!("the mapping of {}: {error}", row.metric))
        })?;
        let mapping = Mapping {
            metric: row.metric.clone(),
            kind,
            label: row.label,
            field: row.field,
            factor: row.factor,
        };
        mappings.insert(row.metric, mapping);
    }
    Ok(mappings)
}
