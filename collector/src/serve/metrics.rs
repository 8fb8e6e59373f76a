//! A page for Prometheus: the latest round and how the node itself does. It is the owner's own page on the owner's own
//! address, so it knows no consent; keep it on loopback.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headroom_core::unit::{Component, ComponentKey, FIGURES, FigureKind, Status};
use jiff::Timestamp;

use super::problem::Problem;
use crate::credentials::Credentials;
use crate::node::Node;
use crate::node::answer::Snapshot;

/// The page's router.
pub fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "the page is /metrics\n") })
        .with_state(node)
}

async fn metrics(State(node): State<Arc<Node>>) -> Response {
    let page = tokio::task::spawn_blocking(move || page(&node)).await;
    match page {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics page was not finished");
            Problem::Stopping.into_response()
        }
    }
}

fn page(node: &Node) -> String {
    let mut page = Page::default();
    let software = env!("CARGO_PKG_VERSION");
    page.family("headroom_node_info", "gauge", "Which node this is");
    page.value(&format!("headroom_node_info{{node=\"{}\",version=\"{software}\"}}", node.id()), 1.0);
    if let Some(snapshot) = node.latest() {
        of_round(&mut page, &snapshot);
    }
    let mut keeper = node.keeper();
    page.one(
        "headroom_node_memory_samples",
        "gauge",
        "Samples that wait in memory because the store cannot be written",
        keeper.waiting_rows() as f64,
    );
    page.one(
        "headroom_node_lost_samples_total",
        "counter",
        "Samples that were measured and could be kept nowhere",
        keeper.given_up_rows() as f64,
    );
    page.one(
        "headroom_node_store_writable",
        "gauge",
        "1 while the store can be written",
        f64::from(u8::from(keeper.trouble().is_none())),
    );
    if let Some(store) = keeper.store() {
        let figures = [
            ("headroom_node_store_bytes", "Bytes of the store that hold something", store.bytes_used()),
            ("headroom_node_store_samples", "Samples in the store", store.count()),
            ("headroom_node_waiting_samples", "Samples that the hub has not acknowledged", store.waiting()),
        ];
        for (name, help, value) in figures {
            if let Ok(value) = value {
                page.one(name, "gauge", help, value as f64);
            }
        }
    }
    drop(keeper);
    if let Ok(Some((_, ends))) =
        Credentials::read(&node.settings().data_dir).map(|own| own.and_then(|own| own.validity().ok()))
    {
        page.one(
            "headroom_node_certificate_ends_seconds",
            "gauge",
            "When the node's certificate ends, Unix time",
            ends.as_second() as f64,
        );
    }
    page.0
}

fn of_round(page: &mut Page, snapshot: &Snapshot) {
    page.one(
        "headroom_node_round_seconds",
        "gauge",
        "When the latest round was measured, Unix time",
        seconds(snapshot.at),
    );
    let components: Vec<&Component> = snapshot.units.iter().flat_map(|unit| &unit.components).collect();
    let statuses: Vec<(String, &Status)> = snapshot
        .status
        .iter()
        .map(|sample| (labels(&sample.component, &components), &sample.status))
        .collect();
    for figure in &FIGURES {
        let told: Vec<(&str, f64)> = statuses
            .iter()
            .filter_map(|(labels, status)| Some((labels.as_str(), figure.of(status)?.to_f64())))
            .collect();
        if told.is_empty() {
            continue;
        }
        let name = figure.name;
        let (metric, kind) = match figure.kind {
            FigureKind::Level => (format!("headroom_{name}"), "gauge"),
            FigureKind::BootCounter | FigureKind::LifeCounter => {
                (format!("headroom_{name}_total"), "counter")
            }
        };
        let help = format!("The figure {name} ({}); absent where it is not reported", figure.unit);
        page.family(&metric, kind, &help);
        for (labels, value) in told {
            page.value(&format!("{metric}{{{labels}}}"), value);
        }
    }
    page.family("headroom_absent", "gauge", "1 for each figure that is not reported, with the reason");
    for absence in &snapshot.absences {
        let reason = serde_json::to_value(absence.reason).ok();
        let reason = reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or("unknown");
        let labels = labels(&absence.component, &components);
        page.value(
            &format!("headroom_absent{{{labels},field=\"{}\",reason=\"{reason}\"}}", absence.field.0),
            1.0,
        );
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

fn labels(key: &ComponentKey, components: &[&Component]) -> String {
    let component = components.iter().find(|component| component.key == *key);
    let kind = component.and_then(|component| serde_json::to_value(component.kind).ok());
    let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("unknown");
    let name = component.and_then(|component| component.label.as_deref()).unwrap_or_default();
    format!("component=\"{}\",kind=\"{kind}\",name=\"{}\"", escaped(&key.0), escaped(name))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The text format of Prometheus, version 0.0.4.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}")
            .expect("writing to a String does not fail");
    }

    fn value(&mut self, series: &str, value: f64) {
        writeln!(self.0, "{series} {value}").expect("writing to a String does not fail");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.value(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_hostile_mount_point_breaks_no_line() {
        assert_eq!(escaped("/mnt/a\"b\\c\nd"), "/mnt/a\\\"b\\\\c\\nd");
    }
}
