//! The settings as types, checked.

use std::path::PathBuf;

use headroom_core::{
    exchange::Placement,
    unit::{Contact, Purpose, UnitKind},
};
use serde::de::DeserializeOwned;

use super::{ConfigError, Merged};
use crate::probe::Scope;
use crate::transport::ArrayAddress;

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines of JSON.
    Json,
}

/// What the node's owner decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the store, the certificates and the owner's decisions.
    pub data_dir: PathBuf,
    /// Seconds between two measurements.
    pub interval_seconds: u32,
    /// Seconds that a device may take to answer.
    pub patience_seconds: u32,
    /// Where the node runs.
    pub placement: Placement,
    /// What the unit is, where the node runs inside it.
    pub peripheral_kind: UnitKind,
    /// Address of the read API.
    pub listen: Option<String>,
    /// Address of the page for Prometheus.
    pub metrics_listen: Option<String>,
    /// Address at which the hub reaches the read API.
    pub address: Option<String>,
    /// Socket of the privileged reader.
    pub reader: Option<PathBuf>,
    /// Address of the hub's intake.
    pub hub: Option<String>,
    /// Whether to send to the hub.
    pub push: bool,
    /// Whether names that the owner gave may leave.
    pub labels: bool,
    /// Purposes granted from the start.
    pub consent: Vec<Purpose>,
    /// User information: organisation.
    pub organisation: Option<String>,
    /// User information: the vendor's reference.
    pub customer_reference: Option<String>,
    /// User information: where the unit stands.
    pub site: Option<String>,
    /// User information: whom to contact.
    pub contact: Option<Contact>,
    /// Which parts of the machine are looked at.
    pub scope: Scope,
    /// Arrays that are asked by Redfish.
    pub arrays: Vec<ArrayAddress>,
    /// Size at which the store thins.
    pub store_bytes_max: u64,
    /// Filter of the log.
    pub log: String,
    /// Form of the log.
    pub log_format: LogFormat,
}

/// Reads one setting after the other, so that an error names it.
struct Reader<'a>(&'a Merged);

impl Reader<'_> {
    fn bad<T>(&self, key: &'static str, expected: &str) -> Result<T, ConfigError> {
        let (value, origin) = self.0.get(key);
        Err(ConfigError::BadValue {
            key,
            value: value.to_owned(),
            origin: origin.clone(),
            expected: expected.to_owned(),
        })
    }

    fn text(&self, key: &'static str) -> Option<String> {
        let value = self.0.get(key).0.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn number(&self, key: &'static str, low: u64, high: u64) -> Result<u64, ConfigError> {
        match self.0.get(key).0.trim().parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => self.bad(key, &format!("a whole number from {low} to {high} is expected")),
        }
    }

    fn switch(&self, key: &'static str) -> Result<bool, ConfigError> {
        match self.0.get(key).0.trim() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => self.bad(key, "true or false is expected"),
        }
    }

    fn word<T: DeserializeOwned>(&self, key: &'static str, expected: &str) -> Result<T, ConfigError> {
        serde_json::from_value(self.0.get(key).0.trim().into()).or_else(|_| self.bad(key, expected))
    }

    fn list(&self, key: &'static str) -> Vec<String> {
        let items = self.0.get(key).0.split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn paths(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        let paths = self.list(key);
        if paths.iter().any(|path| !path.starts_with('/')) {
            return self.bad(key, "absolute paths are expected, with commas between them");
        }
        Ok(paths)
    }

    fn arrays(&self) -> Result<Vec<ArrayAddress>, ConfigError> {
        let urls = self.list("arrays");
        let is_url = |url: &String| {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '@', ' ']))
        };
        if !urls.iter().all(is_url) {
            return self.bad("arrays", "https://host is expected, without user, password or path");
        }
        let credentials = match self.text("arrays_credentials") {
            None => None,
            Some(file) => {
                let text = match std::fs::read_to_string(file) {
                    Ok(text) => text,
                    Err(error) => {
                        return self.bad("arrays_credentials", &format!("it cannot be read: {error}"));
                    }
                };
                match text.trim_end().split_once(':') {
                    Some((user, password)) => Some((user.to_owned(), password.to_owned())),
                    None => {
                        return self.bad("arrays_credentials", "a file with user:password in it is expected");
                    }
                }
            }
        };
        let authorities = self.text("arrays_authorities").map(PathBuf::from);
        let address = |url: String| ArrayAddress {
            url: url.trim_end_matches('/').to_owned(),
            credentials: credentials.clone(),
            authorities: authorities.clone(),
        };
        Ok(urls.into_iter().map(address).collect())
    }

    fn place(&self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        match self.text(key).filter(|value| value != "none") {
            Some(path) if path.starts_with('/') => Ok(Some(PathBuf::from(path))),
            Some(_) => self.bad(key, "an absolute path is expected, or none"),
            None => Ok(None),
        }
    }

    fn address(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.text(key).filter(|value| value != "none") else { return Ok(None) };
        let whole = value.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok()
        });
        if whole { Ok(Some(value)) } else { self.bad(key, "host:port is expected, or none") }
    }
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that cannot be used, with its origin and what is expected.
    pub fn of(merged: &Merged) -> Result<Self, ConfigError> {
        let read = Reader(merged);
        let Some(data_dir) = read.text("data_dir").map(PathBuf::from) else {
            return read.bad("data_dir", "a folder is expected");
        };
        let purposes: Result<Vec<Purpose>, _> = read
            .list("consent")
            .into_iter()
            .map(|name| serde_json::from_value(serde_json::Value::String(name)))
            .collect();
        let Ok(consent) = purposes else {
            return read.bad("consent", "support, advice and sales are the purposes");
        };
        let seconds = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        if read.text("contact_email").is_some_and(|email| !is_mail_address(&email)) {
            return read.bad("contact_email", "an address such as ada@example.org is expected");
        }
        let contact = match (read.text("contact_name"), read.text("contact_email")) {
            (None, None) => None,
            (name, email) => {
                Some(Contact { name: name.unwrap_or_default(), email: email.unwrap_or_default() })
            }
        };
        Ok(Self {
            data_dir,
            interval_seconds: seconds(read.number("interval_seconds", 1, 86_400)?),
            patience_seconds: seconds(read.number("patience_seconds", 1, 60)?),
            placement: read.word("placement", "host or peripheral is expected")?,
            peripheral_kind: read
                .word("peripheral_kind", "array, nas, drive, server_storage or other is expected")?,
            listen: read.address("listen")?,
            metrics_listen: read.address("metrics_listen")?,
            address: read.address("address")?,
            reader: read.place("reader")?,
            hub: read.address("hub")?,
            push: read.switch("push")?,
            labels: read.switch("labels")?,
            consent,
            organisation: read.text("organisation"),
            customer_reference: read.text("customer_reference"),
            site: read.text("site"),
            contact,
            scope: Scope {
                skip_mounts: read.paths("skip_mounts")?,
                include_mounts: read.paths("include_mounts")?,
                skip_devices: read.list("skip_devices"),
                loop_devices: read.switch("loop_devices")?,
                smartctl_folder: read.place("smartctl_folder")?,
            },
            arrays: read.arrays()?,
            store_bytes_max: read.number("store_bytes_max", 1 << 20, 1 << 50)?,
            log: read.text("log").unwrap_or_else(|| "info".to_owned()),
            log_format: match read.0.get("log_format").0 {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return read.bad("log_format", "text or json is expected"),
            },
        })
    }

    /// The address of the read API that a hub is told, which speaks to this node at `hub`: none where there is no read
    /// API, where it listens on every address and no name was set, and where a hub elsewhere could not reach it.
    pub fn announced(&self, hub: Option<&str>) -> Option<String> {
        if let Some(address) = &self.address {
            return Some(address.clone());
        }
        let listen = self.listen.as_ref()?;
        let reachable = !is_wildcard(listen) && (!is_loopback(listen) || hub.is_none_or(is_loopback));
        reachable.then(|| listen.clone())
    }

    /// The store's file.
    pub fn store_path(&self) -> PathBuf {
        self.data_dir.join(crate::store::FILE_NAME)
    }
}

/// Whether mail could be sent there: a name, one `@`, a host, and nothing that does not print.
pub fn is_mail_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    plain && parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_loopback(address: &str) -> bool {
    let host = host(address);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_wildcard(address: &str) -> bool {
    host(address).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Settings;
    use crate::config::merge;

    #[test]
    fn arrays_are_addresses_without_a_password() {
        let arrays = |value: &str| {
            let flags = BTreeMap::from([("arrays", value.to_owned())]);
            Settings::of(&merge(None, &BTreeMap::new(), &flags).unwrap())
                .map(|settings| settings.arrays.len())
        };
        assert_eq!(arrays("https://a.example, http://127.0.0.1:8000").unwrap(), 2);
        for bad in ["a.example", "https://", "https://user:secret@a", "https://a/redfish"] {
            assert!(arrays(bad).unwrap_err().to_string().contains("arrays"), "{bad}");
        }
    }

    #[test]
    fn a_hub_is_told_only_an_address_that_it_may_reach() {
        let announced = |listen: &str, address: &str, hub: Option<&str>| {
            let flags = BTreeMap::from([("listen", listen.to_owned()), ("address", address.to_owned())]);
            let merged = merge(None, &BTreeMap::new(), &flags).unwrap();
            Settings::of(&merged).unwrap().announced(hub)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(announced("127.0.0.1:8471", "none", Some("localhost:8472")), some("127.0.0.1:8471"));
        assert_eq!(announced("127.0.0.1:8471", "none", Some("hub.example:8472")), None);
        assert_eq!(announced("0.0.0.0:8471", "none", None), None);
        assert_eq!(announced("[::]:8471", "nas.example:8471", Some("h:1")), some("nas.example:8471"));
        assert_eq!(announced("10.0.0.5:8471", "none", Some("hub.example:8472")), some("10.0.0.5:8471"));
        assert_eq!(announced("none", "none", None), None);
    }
}
