//! `GET /healthz` for supervisors and load balancers, `GET /metrics` for Prometheus (text format 0.0.4).

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;

use super::person::SignedIn;
use super::problem::Problem;
use super::role::Role;
use super::state::Web;
use super::traffic::{BOUNDS_SECONDS, Traffic};
use crate::database::fleet_health::{self, Gauge};

/// 200 while the hub can answer, 503 while its database does not.
pub(crate) async fn healthz(State(web): State<Web>) -> Result<&'static str, Problem> {
    let client = web.connection().await?;
    client.query_one("select 1", &[]).await?;
    Ok("ok\n")
}

/// Counts of the fleet, the hub's jobs and its requests. Open to the machine itself and to administrators: how many
/// units and offers there are is nobody else's business.
pub(crate) async fn metrics(State(web): State<Web>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let forwarded = parts.headers.contains_key("forwarded") || parts.headers.contains_key("x-forwarded-for");
    if forwarded || !peer.is_some_and(|peer| peer.is_loopback()) {
        let who = SignedIn::from_request_parts(&mut parts, &web).await?;
        if who.role != Role::Admin {
            return Err(Problem::Forbidden("metrics are for administrators".to_owned()));
        }
    }
    let client = web.hub().pool().get().await?;
    let gauges = fleet_health::gauges(&**client, Timestamp::now()).await?;
    drop(client);
    let mut text = String::with_capacity(8_192);
    write_gauges(&mut text, &gauges);
    write_traffic(&mut text, web.traffic());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn write_gauges(text: &mut String, gauges: &[Gauge]) {
    let mut before = "";
    for gauge in gauges {
        if gauge.name != before {
            let _ = write!(text, "# HELP {0} {1}\n# TYPE {0} gauge\n", gauge.name, gauge.help);
            before = gauge.name;
        }
        let label = match &gauge.label {
            Some((name, value)) => format!("{{{name}=\"{}\"}}", escaped(value)),
            None => String::new(),
        };
        let _ = writeln!(text, "{}{label} {}", gauge.name, gauge.value);
    }
}

fn write_traffic(text: &mut String, traffic: &Traffic) {
    const NAME: &str = "headroom_http_request_duration_seconds";
    let _ = write!(text, "# HELP {NAME} Time to answer requests of the web view\n# TYPE {NAME} histogram\n");
    for ((route, status), answered) in traffic.counts() {
        let labels = format!("route=\"{}\",status=\"{}xx\"", escaped(&route), status / 100);
        for (bound, within) in BOUNDS_SECONDS.iter().zip(answered.within) {
            let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {within}");
        }
        let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {}", answered.count);
        let _ = writeln!(text, "{NAME}_sum{{{labels}}} {}", answered.seconds);
        let _ = writeln!(text, "{NAME}_count{{{labels}}} {}", answered.count);
    }
}

/// A label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Gauge, Traffic, write_gauges, write_traffic};

    #[test]
    fn a_name_is_explained_once_and_a_label_cannot_break_out() {
        let gauge = |value: &str| Gauge {
            name: "headroom_units",
            help: "Units",
            label: Some(("state", value.to_owned())),
            value: 2.0,
        };
        let mut text = String::new();
        write_gauges(&mut text, &[gauge("dated"), gauge("a\"b\nc")]);
        assert_eq!(
            text,
            "# HELP headroom_units Units\n# TYPE headroom_units gauge\nheadroom_units{state=\"dated\"} 2\nheadroom_units{state=\"a\\\"b\\nc\"} 2\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let traffic = Traffic::default();
        traffic.note("/", 200, Duration::from_secs(60));
        let mut text = String::new();
        write_traffic(&mut text, &traffic);
        assert!(text.contains("_bucket{route=\"/\",status=\"2xx\",le=\"10\"} 0\n"), "{text}");
        assert!(text.contains("_bucket{route=\"/\",status=\"2xx\",le=\"+Inf\"} 1\n"));
    }
}
