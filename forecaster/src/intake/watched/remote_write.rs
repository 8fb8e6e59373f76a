//! Prometheus remote write 1.0: a snappy block that holds a protocol buffer, `prometheus.WriteRequest`. Of it only series
//! with their labels and float samples are looked at; metadata, exemplars and histograms tell nothing of storage.

use super::series::Series;
use super::wire::{Label, TimeSeries, WriteRequest, bounded, decode};
use crate::intake::problem::IntakeProblem;

const NAME: &str = "remote write 1.0";

/// Reads a request of at most so many bytes after decompression.
pub(super) fn read(body: &[u8], most: usize) -> Result<Vec<Series>, IntakeProblem> {
    let bad = |error: snap::Error| IntakeProblem::invalid("body", format!("is no {NAME}: {error}"));
    // The length stands in front: nothing is allocated on the word of who sends it.
    let length = snap::raw::decompress_len(body).map_err(bad)?;
    if length > most {
        return Err(IntakeProblem::TooLarge(most));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).map_err(bad)?;
    let request: WriteRequest = decode(&plain, NAME)?;
    bounded(request.timeseries.len(), "timeseries")?;
    Ok(request.timeseries.into_iter().map(series).collect())
}

fn series(told: TimeSeries) -> Series {
    let mut series = Series::default();
    for Label { name, value } in told.labels {
        if name == "__name__" {
            series.name = value;
        } else {
            series.labels.insert(name, value);
        }
    }
    for sample in told.samples {
        series.push(sample.timestamp, sample.value);
    }
    series
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::super::wire::{Label, PrometheusSample, TimeSeries, WriteRequest};
    use super::read;
    use crate::intake::problem::IntakeProblem;

    const MOST: usize = 1 << 20;

    fn packed(request: &WriteRequest) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).expect("compressed")
    }

    #[test]
    fn a_request_is_read_and_stale_markers_are_no_values() {
        let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        let request = WriteRequest {
            timeseries: vec![TimeSeries {
                labels: vec![label("__name__", "up"), label("instance", "a:1")],
                samples: vec![
                    PrometheusSample { value: 1.5, timestamp: 1_700_000_000_000 },
                    PrometheusSample { value: stale, timestamp: 1_700_000_015_000 },
                    PrometheusSample { value: 1.0, timestamp: i64::MAX },
                ],
            }],
        };
        let read = read(&packed(&request), MOST).expect("read");
        assert_eq!(read[0].name, "up");
        assert_eq!(read[0].label("instance"), Some("a:1"));
        assert_eq!(read[0].samples.len(), 1);
        assert_eq!(read[0].samples[0].1, 1.5);
    }

    #[test]
    fn a_bomb_is_refused_by_the_length_it_declares() {
        let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 4 << 20]).expect("compressed");
        assert!(matches!(read(&bomb, MOST), Err(IntakeProblem::TooLarge(MOST))));
        // A length of gigabytes with nothing behind it.
        assert!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], MOST).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _outcome = read(&bytes, MOST);
            if let Ok(packed) = snap::raw::Encoder::new().compress_vec(&bytes) {
                for one in read(&packed, MOST).unwrap_or_default() {
                    prop_assert!(one.samples.iter().all(|(_, value)| value.is_finite()));
                }
            }
        }

        #[test]
        fn a_request_with_one_byte_changed_is_read_or_refused(place in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let label = Label { name: "__name__".to_owned(), value: "node_filesystem_size_bytes".to_owned() };
            let series = TimeSeries { labels: vec![label], samples: vec![PrometheusSample { value: 1.0, timestamp: 5 }] };
            let mut bytes = packed(&WriteRequest { timeseries: vec![series; 3] });
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            let _outcome = read(&bytes, MOST);
        }
    }
}
