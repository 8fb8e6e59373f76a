//! OTLP/HTTP metrics: `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest` in binary form. Gauges and
//! cumulative sums are looked at; a delta says nothing about where a counter stands.

use super::series::Series;
use super::wire::{Data, ExportRequest, KeyValue, Number, Value, bounded, decode};
use crate::intake::problem::IntakeProblem;

/// `AggregationTemporality.CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// Reads a request, decompressed.
pub(super) fn read(body: &[u8]) -> Result<Vec<Series>, IntakeProblem> {
    let request: ExportRequest = decode(body, "OTLP of metrics")?;
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
                bounded(all.len() + 1, "data_points")?;
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

    use super::super::wire::{
        AnyValue, Data, ExportRequest, Gauge, KeyValue, Metric, Number, NumberDataPoint, Resource,
        ResourceMetrics, ScopeMetrics, Sum, Value,
    };
    use super::read;

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
        let request = ExportRequest {
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
