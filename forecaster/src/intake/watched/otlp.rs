//! OTLP/HTTP metrics: `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest` in binary form. Gauges and
//! cumulative sums are looked at; a delta says nothing about where a counter stands.

use prost::{Message, Oneof};

use super::series::{SERIES_MAX, Series};
use crate::intake::problem::IntakeProblem;

/// `AggregationTemporality.CUMULATIVE`.
const CUMULATIVE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Truth(bool),
    #[prost(int64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Real(f64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(oneof = "Data", tags = "5, 7")]
    pub(super) data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Gauge {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sum {
    #[prost(message, repeated, tag = "1")]
    pub(super) data_points: Vec<NumberDataPoint>,
    #[prost(int32, tag = "2")]
    pub(super) aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NumberDataPoint {
    #[prost(message, repeated, tag = "7")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    pub(super) time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(super) value: Option<Number>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum Number {
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(sfixed64, tag = "6")]
    Whole(i64),
}

/// Reads a request, decompressed.
pub(super) fn read(body: &[u8]) -> Result<Vec<Series>, IntakeProblem> {
    let request = Request::decode(body)
        .map_err(|error| IntakeProblem::invalid("body", format!("is no OTLP of metrics: {error}")))?;
    let mut all = Vec::new();
    for part in request.resource_metrics {
        let resource = part.resource.unwrap_or_default().attributes;
        for metric in part.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            let points = match metric.data {
                Some(Data::Gauge(gauge)) => gauge.data_points,
                Some(Data::Sum(sum)) if sum.aggregation_temporality == CUMULATIVE => sum.data_points,
                _ => Vec::new(),
            };
            for point in points {
                if all.len() == SERIES_MAX {
                    return Err(IntakeProblem::invalid("data_points", format!("are more than {SERIES_MAX}")));
                }
                let labels = resource.iter().chain(&point.attributes).filter_map(label).collect();
                let mut series = Series { name: metric.name.clone(), labels, samples: Vec::new() };
                let value = match point.value {
                    Some(Number::Real(value)) => value,
                    Some(Number::Whole(value)) => value as f64,
                    None => f64::NAN,
                };
                series.push(i64::try_from(point.time_unix_nano / 1_000_000).unwrap_or(i64::MAX), value);
                all.push(series);
            }
        }
    }
    Ok(all)
}

fn label(told: &KeyValue) -> Option<(String, String)> {
    let value = match told.value.as_ref()?.value.as_ref()? {
        Value::Text(text) => text.clone(),
        Value::Truth(truth) => truth.to_string(),
        Value::Whole(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
    };
    Some((told.key.clone(), value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::{
        AnyValue, Data, Gauge, KeyValue, Metric, Number, NumberDataPoint, Request, Resource, ResourceMetrics,
        ScopeMetrics, Sum, Value, read,
    };

    fn attribute(key: &str, value: &str) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Value::Text(value.to_owned())) }) }
    }

    #[test]
    fn gauges_and_cumulative_sums_are_read_and_deltas_are_not() {
        let point = |value| NumberDataPoint {
            attributes: vec![attribute("device", "sda")],
            time_unix_nano: 1_700_000_000_000_000_000,
            value: Some(value),
        };
        let sum = |temporality| {
            Data::Sum(Sum {
                data_points: vec![point(Number::Whole(7))],
                aggregation_temporality: temporality,
            })
        };
        let metric = |name: &str, data| Metric { name: name.to_owned(), data: Some(data) };
        let metrics = vec![
            metric("gauge", Data::Gauge(Gauge { data_points: vec![point(Number::Real(1.5))] })),
            metric("cumulative", sum(2)),
            metric("delta", sum(1)),
        ];
        let request = Request {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes: vec![attribute("service.instance.id", "db1:9100")] }),
                scope_metrics: vec![ScopeMetrics { metrics }],
            }],
        };
        let read = read(&request.encode_to_vec()).expect("read");
        let names: Vec<&str> = read.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["gauge", "cumulative"]);
        assert_eq!((read[0].host(), read[0].label("device")), (Some("db1"), Some("sda")));
        assert_eq!(read[1].samples[0].1, 7.0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for one in read(&bytes).unwrap_or_default() {
                prop_assert!(one.samples.iter().all(|(_, value)| value.is_finite()));
            }
        }
    }
}
