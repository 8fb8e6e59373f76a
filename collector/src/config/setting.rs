//! The list of settings, from which file keys, variables, flags and help come.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Key in the file; the variable is `HEADROOM_NODE_` and the key in capitals, the flag has dashes.
    pub key: &'static str,
    /// Value where nobody says otherwise.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

impl Setting {
    /// Name of its environment variable.
    pub fn variable(&self) -> String {
        format!("HEADROOM_NODE_{}", self.key.to_ascii_uppercase())
    }

    /// Name of its flag, without the dashes in front.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default, help }
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    setting(
        "data_dir",
        "/var/lib/headroom-node",
        "folder of the store, the certificates and the owner's decisions",
    ),
    setting("interval_seconds", "60", "seconds between two measurements, 1 to 86400"),
    setting("patience_seconds", "5", "seconds that a device or mount may take to answer, 1 to 60"),
    setting(
        "placement",
        "host",
        "where this node runs: host, or peripheral where it runs inside the unit itself",
    ),
    setting(
        "peripheral_kind",
        "array",
        "with placement peripheral, what the unit is: array, nas, drive, server_storage",
    ),
    setting("listen", "127.0.0.1:8471", "address of the read API, host:port; none closes it"),
    setting(
        "metrics_listen",
        "none",
        "address of a page for Prometheus, host:port, plain HTTP: keep it on loopback",
    ),
    setting("address", "none", "host:port at which the hub reaches the read API, where that is not listen"),
    setting(
        "reader",
        "none",
        "socket of a privileged reader (headroom-node reader); none measures in this process",
    ),
    setting("hub", "none", "host:port of the hub's intake, for pushes and renewal; enrolment fills it in"),
    setting("push", "false", "whether to send to the hub, for sites that allow no inbound connection"),
    setting("labels", "false", "whether mount points and device names may leave this machine"),
    setting(
        "consent",
        "",
        "purposes granted from the start: support, advice, sales; commands decide over it",
    ),
    setting("organisation", "", "user information: who uses the unit"),
    setting("customer_reference", "", "user information: the vendor's reference for this customer"),
    setting("site", "", "user information: where the unit stands"),
    setting("contact_name", "", "user information: whom to contact"),
    setting("contact_email", "", "user information: at which address"),
    setting("skip_mounts", "", "mount points that are not measured, with everything below them"),
    setting("include_mounts", "", "mount points that are measured whatever their type"),
    setting("skip_devices", "", "block devices that are not looked at, such as sdb or loop*"),
    setting(
        "arrays",
        "",
        "arrays and servers to ask by Redfish, as https://host or https://host:port, with commas between them",
    ),
    setting(
        "arrays_credentials",
        "",
        "file that only this node may read, with user:password of an account of the arrays that may read",
    ),
    setting(
        "arrays_authorities",
        "",
        "file of the certificates (PEM) that the arrays' own are checked against",
    ),
    setting(
        "smartctl_folder",
        "none",
        "folder of smartctl --json files that a timer writes, one a drive: those behind RAID controllers and USB bridges",
    ),
    setting("loop_devices", "false", "whether loop devices are listed even without a measured mount"),
    setting(
        "store_bytes_max",
        "268435456",
        "size at which the store thins old samples, bytes, at least 1048576",
    ),
    setting(
        "log",
        "info",
        "what is logged: error, warn, info, debug, or a filter such as headroom_node=debug",
    ),
    setting("log_format", "text", "form of the log: text or json"),
];
