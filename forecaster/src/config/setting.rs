//! The list of settings: each is a key in the file, an environment variable and a flag.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Key in the file, `table.name`.
    pub(crate) key: &'static str,
    /// What holds where nobody says otherwise; `None` where there is no sensible default.
    pub(crate) default: Option<&'static str>,
    /// What it means, in one sentence, with its unit.
    pub(crate) help: &'static str,
    /// Whether its value is never printed.
    pub(crate) secret: bool,
}

impl Setting {
    /// The environment variable: `HEADROOM_` and the key in upper case.
    pub(crate) fn variable(&self) -> String {
        format!("HEADROOM_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The flag's long name.
    pub(crate) fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

const fn plain(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default: Some(default), help, secret: false }
}

const fn optional(key: &'static str, help: &'static str) -> Setting {
    Setting { key, default: None, help, secret: false }
}

/// Every setting there is.
pub(crate) const SETTINGS: &[Setting] = &[
    plain("data_dir", "/var/lib/headroom", "Folder of the authority's keys and of written reports"),
    Setting {
        key: "database.url",
        default: Some("host=/run/postgresql dbname=headroom user=headroom_service"),
        help: "Connection string of the service's own role, key=value or postgresql://; a password belongs in database.password_file",
        secret: true,
    },
    optional("database.password_file", "File that holds the password of database.url"),
    Setting {
        key: "database.owner_url",
        default: None,
        help: "Connection string of the role that owns the schema: used by `headroom migrate` alone",
        secret: true,
    },
    plain("database.connections", "8", "Most connections that one process opens, 2 to 100"),
    plain("web.listen", "127.0.0.1:8080", "Address of the web view and the REST interface"),
    optional(
        "web.certificate",
        "PEM file of the web view's certificate; without it the web view is plain HTTP and must listen on loopback",
    ),
    optional("web.key", "PEM file of the web view's private key"),
    optional("web.origin", "Address under which people reach the web view, such as https://headroom.example"),
    plain("web.refresh_seconds", "5", "Seconds after which live parts of a page are taken anew; 0 for never"),
    optional("web.banner", "What everybody must know about the data that this installation shows"),
    plain(
        "intake.listen",
        "127.0.0.1:8443",
        "Address at which nodes enrol, push and renew; TLS with mutual authentication",
    ),
    optional(
        "intake.address",
        "host:port that is announced to nodes as the hub's; the listening address where not given",
    ),
    plain(
        "intake.body_bytes_max",
        "33554432",
        "Largest body that is read from a node, bytes, after decompression",
    ),
    plain(
        "intake.future_seconds_max",
        "300",
        "Seconds by which a sample may lie in the future of the hub's clock before it is set aside",
    ),
    plain("pull.enabled", "true", "Whether this process reads the nodes"),
    plain(
        "pull.interval_seconds",
        "60",
        "Seconds between two readings of one node; a node that measures faster is read at its own interval",
    ),
    plain("pull.interval_seconds_min", "2", "Least seconds between two readings of one node"),
    plain("pull.batch", "5000", "Most samples asked for at once, 1 to 50000"),
    plain("pull.timeout_seconds", "20", "Seconds after which a node's answer is given up"),
    plain("pull.parallel", "16", "Most nodes read at the same time"),
    plain("jobs.enabled", "true", "Whether this process runs scheduled jobs"),
    plain(
        "jobs.upkeep_schedule",
        "*/15 * * * *",
        "When the hub cleans up after itself: five cron fields, UTC",
    ),
    plain("forecast.schedule", "17 * * * *", "When the fleet is forecast: five cron fields, UTC"),
    plain(
        "forecast.backtest_schedule",
        "40 2 * * *",
        "When earlier forecasts are judged by what came: five cron fields, UTC",
    ),
    plain("forecast.horizon_days", "1096", "How far forecasts look ahead, days, 1 to 1096"),
    plain("forecast.threads", "0", "Threads of the fleet run; 0 for one for each core"),
    plain("forecast.claim", "200", "Components claimed at once by one worker of the fleet run"),
    plain("plan.horizon_days", "1096", "How long a purchase must last, days"),
    plain("plan.confidence", "0.9", "Probability with which it must last, 0.5 to 0.99"),
    plain("offers.schedule", "*/10 * * * *", "When offers are drafted and withdrawn: five cron fields, UTC"),
    plain(
        "offers.notice_days",
        "90",
        "Days before the order-by date at which an offer is drafted; an open one keeps its need until twice as far",
    ),
    plain(
        "offers.bundle_days",
        "30",
        "Needs of one customer that fall due within so many days share an offer",
    ),
    plain("offers.valid_days", "30", "Days for which an offer that was sent is valid"),
    optional("smtp.host", "Mail server that takes the offers; without it they wait in the outbox"),
    plain("smtp.port", "587", "Its port"),
    plain(
        "smtp.tls",
        "starttls",
        "starttls, tls (from the first byte) or none (a mail server on loopback alone)",
    ),
    optional("smtp.from", "Sender of the offers, such as Sales <sales@vendor.example>"),
    optional("smtp.user", "User name at the mail server, where it asks for one"),
    optional("smtp.password_file", "File that holds the password of smtp.user"),
    plain(
        "report.schedule",
        "30 5 * * *",
        "When the report of predicted dates is written: five cron fields, UTC",
    ),
    optional("report.folder", "Folder of the daily reports; `reports` in data_dir where not given"),
    plain(
        "log.level",
        "info",
        "What is logged: error, warn, info, debug, trace, or a filter such as headroom=debug",
    ),
    plain("log.format", "text", "Form of the log: text or json"),
];

/// The setting with this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
