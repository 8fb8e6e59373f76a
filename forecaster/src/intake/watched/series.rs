//! Series, whatever protocol they came by.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Most series in one request; Prometheus sends 2,000 samples at once.
pub(super) const SERIES_MAX: usize = 100_000;

/// A series with its samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Series {
    /// Its name.
    pub(super) name: String,
    /// Its labels, without the name.
    pub(super) labels: BTreeMap<String, String>,
    /// Time and value. What is no number (a stale marker among others) is left out.
    pub(super) samples: Vec<(Timestamp, f64)>,
}

impl Series {
    /// A label's value, where it says something.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The host that it speaks of: the instance without its port, since two exporters of one host have two.
    pub(super) fn host(&self) -> Option<&str> {
        let instance =
            ["instance", "service.instance.id", "host.name"].iter().find_map(|label| self.label(label))?;
        let host = match instance.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => instance,
        };
        (!host.is_empty()).then_some(host)
    }

    /// Adds a sample, where time and value are some.
    pub(super) fn push(&mut self, milliseconds: i64, value: f64) {
        if let Ok(at) = Timestamp::from_millisecond(milliseconds)
            && value.is_finite()
        {
            self.samples.push((at, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn two_exporters_of_a_host_speak_of_the_same_host() {
        let host = |instance: &str| {
            let labels = [("instance".to_owned(), instance.to_owned())].into();
            Series { labels, ..Series::default() }.host().map(str::to_owned)
        };
        assert_eq!(host("db1:9100").as_deref(), Some("db1"));
        assert_eq!(host("db1:9633").as_deref(), Some("db1"));
        assert_eq!(host("[::1]:9100").as_deref(), Some("[::1]"));
        assert_eq!(host("db1").as_deref(), Some("db1"));
        assert_eq!(host(":9100"), None);
        assert_eq!(host(" "), None);
    }
}
