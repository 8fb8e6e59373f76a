//! The settings with their types, checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;

use super::merge::{ConfigError, Merged, Origin};

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmtpTls {
    /// Not at all: loopback alone.
    None,
    /// By STARTTLS, which must succeed.
    StartTls,
    /// From the first byte.
    Tls,
}

/// The mail server.
#[derive(Debug, Clone)]
pub(crate) struct Smtp {
    /// Its name.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How the connection is protected.
    pub(crate) tls: SmtpTls,
    /// Sender.
    pub(crate) from: String,
    /// User name and the file of the password.
    pub(crate) credentials: Option<(String, PathBuf)>,
}

/// What this process was told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Folder of the authority's keys and of written reports.
    pub(crate) data_dir: PathBuf,
    /// Connection string of the service's role.
    pub(crate) database_url: String,
    /// File with its password.
    pub(crate) database_password_file: Option<PathBuf>,
    /// Connection string of the owner of the schema.
    pub(crate) database_owner_url: Option<String>,
    /// Most connections.
    pub(crate) database_connections: usize,
    /// Where the web view listens.
    pub(crate) web_listen: SocketAddr,
    /// PEM files of the web view's certificate and key.
    pub(crate) web_tls: Option<(PathBuf, PathBuf)>,
    /// Address under which people reach the web view.
    pub(crate) web_origin: Option<String>,
    /// Seconds after which live parts of a page are taken anew.
    pub(crate) web_refresh_seconds: u32,
    /// What everybody must know about the data.
    pub(crate) web_banner: Option<String>,
    /// Where nodes reach the hub.
    pub(crate) intake_listen: SocketAddr,
    /// What is announced to nodes.
    pub(crate) intake_address: Option<String>,
    /// Largest body from a node, bytes.
    pub(crate) intake_body_bytes_max: usize,
    /// How far a sample may lie in the future.
    pub(crate) intake_future_max: Duration,
    /// Whether nodes are read.
    pub(crate) pull_enabled: bool,
    /// Time between two readings of a node.
    pub(crate) pull_interval: Duration,
    /// Least time between two readings of a node.
    pub(crate) pull_interval_min: Duration,
    /// Most samples at once.
    pub(crate) pull_batch: u32,
    /// How long a node may take.
    pub(crate) pull_timeout: Duration,
    /// Most nodes at the same time.
    pub(crate) pull_parallel: usize,
    /// Whether scheduled jobs run.
    pub(crate) jobs_enabled: bool,
    /// When the fleet is forecast.
    pub(crate) forecast_schedule: Cron,
    /// When earlier forecasts are judged by what came.
    pub(crate) forecast_backtest_schedule: Cron,
    /// How far forecasts look ahead, days.
    pub(crate) forecast_horizon_days: u16,
    /// Threads of the fleet run.
    pub(crate) forecast_threads: usize,
    /// Components claimed at once.
    pub(crate) forecast_claim: u32,
    /// How long a purchase must last, days.
    pub(crate) plan_horizon_days: u16,
    /// Probability with which it must last.
    pub(crate) plan_confidence: f64,
    /// When offers are drafted and withdrawn.
    pub(crate) offers_schedule: Cron,
    /// Days before the order-by date at which an offer is drafted.
    pub(crate) offers_notice_days: u16,
    /// Needs of a customer that fall due within so many days share an offer.
    pub(crate) offers_bundle_days: u16,
    /// Days for which an offer that was sent is valid.
    pub(crate) offers_valid_days: u16,
    /// The mail server; without one messages wait.
    pub(crate) smtp: Option<Smtp>,
    /// When the report is written.
    pub(crate) report_schedule: Cron,
    /// Where it is written.
    pub(crate) report_folder: PathBuf,
    /// When the hub cleans up after itself.
    pub(crate) upkeep_schedule: Cron,
    /// Filter of the log.
    pub(crate) log_level: String,
    /// Form of the log.
    pub(crate) log_format: LogFormat,
}

impl Settings {
    /// Reads the merged values.
    pub(crate) fn read(merged: &Merged) -> Result<Self, ConfigError> {
        let reader = Reader(merged);
        let data_dir: PathBuf = reader.parse("data_dir", "a folder")?;
        let certificate: Option<PathBuf> = reader.optional("web.certificate");
        let key: Option<PathBuf> = reader.optional("web.key");
        let web_listen: SocketAddr = reader.address("web.listen")?;
        let web_tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) if web_listen.ip().is_loopback() => None,
            (None, None) => {
                return Err(reader.refuse(
                    "web.listen",
                    "without web.certificate and web.key it must be a loopback address, such as 127.0.0.1:8080",
                ));
            }
            (Some(_), None) => return Err(reader.refuse("web.certificate", "web.key must be given too")),
            (None, Some(_)) => return Err(reader.refuse("web.key", "web.certificate must be given too")),
        };
        Ok(Self {
            database_url: reader.parse("database.url", "a connection string")?,
            database_password_file: reader.optional("database.password_file"),
            database_owner_url: reader.optional::<String>("database.owner_url"),
            database_connections: reader.within("database.connections", 2, 100)?,
            web_listen,
            web_tls,
            web_origin: reader.optional("web.origin"),
            web_refresh_seconds: reader.within("web.refresh_seconds", 0, 3_600)?,
            web_banner: reader.optional("web.banner"),
            intake_listen: reader.address("intake.listen")?,
            intake_address: reader.optional("intake.address"),
            intake_body_bytes_max: reader.within("intake.body_bytes_max", 65_536, 1 << 30)?,
            intake_future_max: reader.seconds("intake.future_seconds_max", 0, 86_400)?,
            pull_enabled: reader.parse("pull.enabled", "true or false")?,
            pull_interval: reader.seconds("pull.interval_seconds", 1, 86_400)?,
            pull_interval_min: reader.seconds("pull.interval_seconds_min", 1, 86_400)?,
            pull_batch: reader.within("pull.batch", 1, 50_000)?,
            pull_timeout: reader.seconds("pull.timeout_seconds", 1, 600)?,
            pull_parallel: reader.within("pull.parallel", 1, 1_024)?,
            jobs_enabled: reader.parse("jobs.enabled", "true or false")?,
            forecast_schedule: reader.schedule("forecast.schedule")?,
            forecast_backtest_schedule: reader.schedule("forecast.backtest_schedule")?,
            forecast_horizon_days: reader.within("forecast.horizon_days", 1, 1_096)?,
            forecast_threads: reader.within("forecast.threads", 0, 1_024)?,
            forecast_claim: reader.within("forecast.claim", 1, 100_000)?,
            plan_horizon_days: reader.within("plan.horizon_days", 1, 1_096)?,
            plan_confidence: reader.within("plan.confidence", 0.5, 0.99)?,
            offers_schedule: reader.schedule("offers.schedule")?,
            offers_notice_days: reader.within("offers.notice_days", 0, 1_096)?,
            offers_bundle_days: reader.within("offers.bundle_days", 0, 366)?,
            offers_valid_days: reader.within("offers.valid_days", 1, 366)?,
            smtp: reader.smtp()?,
            report_schedule: reader.schedule("report.schedule")?,
            report_folder: reader.optional("report.folder").unwrap_or_else(|| data_dir.join("reports")),
            upkeep_schedule: reader.schedule("jobs.upkeep_schedule")?,
            log_level: reader.parse("log.level", "a level")?,
            log_format: match reader.text("log.format") {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(reader.refuse("log.format", "text or json")),
            },
            data_dir,
        })
    }

    /// What is announced to nodes as the hub's address.
    pub(crate) fn announced_intake(&self) -> String {
        self.intake_address.clone().unwrap_or_else(|| self.intake_listen.to_string())
    }
}

struct Reader<'a>(&'a Merged);

impl Reader<'_> {
    fn text(&self, key: &'static str) -> &str {
        self.0.get(key).map_or("", |(value, _)| value.trim())
    }

    fn refuse(&self, key: &'static str, expected: impl Into<String>) -> ConfigError {
        let secret = super::SETTINGS.iter().any(|setting| setting.key == key && setting.secret);
        let (value, origin) = self.0.get(key).cloned().unwrap_or((String::new(), Origin::Default));
        ConfigError::Value {
            key,
            value: if secret { String::new() } else { value },
            origin,
            expected: expected.into(),
        }
    }

    fn parse<T: FromStr>(&self, key: &'static str, expected: &str) -> Result<T, ConfigError> {
        let text = self.text(key);
        if text.is_empty() {
            return Err(self.refuse(key, format!("must be {expected}")));
        }
        text.parse().map_err(|_| self.refuse(key, format!("must be {expected}")))
    }

    fn optional<T: From<String>>(&self, key: &'static str) -> Option<T> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(|text| T::from(text.to_owned()))
    }

    fn within<T: FromStr + PartialOrd + std::fmt::Display>(
        &self,
        key: &'static str,
        low: T,
        high: T,
    ) -> Result<T, ConfigError> {
        let expected = format!("a number from {low} to {high}");
        let value: T = self.parse(key, &expected)?;
        if value >= low && value <= high {
            Ok(value)
        } else {
            Err(self.refuse(key, format!("must be {expected}")))
        }
    }

    fn seconds(&self, key: &'static str, low: u64, high: u64) -> Result<Duration, ConfigError> {
        self.within(key, low, high).map(Duration::from_secs)
    }

    fn address(&self, key: &'static str) -> Result<SocketAddr, ConfigError> {
        self.parse(key, "an address and port, such as 127.0.0.1:8080 or [::]:8443")
    }

    fn smtp(&self) -> Result<Option<Smtp>, ConfigError> {
        let Some(host) = self.optional::<String>("smtp.host") else { return Ok(None) };
        let tls = match self.text("smtp.tls") {
            "starttls" => SmtpTls::StartTls,
            "tls" => SmtpTls::Tls,
            "none" if ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()) => SmtpTls::None,
            "none" => return Err(self.refuse("smtp.tls", "none is for a mail server on loopback alone")),
            _ => return Err(self.refuse("smtp.tls", "starttls, tls or none")),
        };
        let Some(from) = self.optional::<String>("smtp.from").filter(|from| from.contains('@')) else {
            return Err(self.refuse("smtp.from", "must be the sender's address where smtp.host is given"));
        };
        let credentials = match (self.optional("smtp.user"), self.optional("smtp.password_file")) {
            (Some(user), Some(file)) => Some((user, file)),
            (None, None) => None,
            (Some(_), None) => return Err(self.refuse("smtp.user", "smtp.password_file must be given too")),
            (None, Some(_)) => return Err(self.refuse("smtp.password_file", "smtp.user must be given too")),
        };
        Ok(Some(Smtp { host, port: self.within("smtp.port", 1, u16::MAX)?, tls, from, credentials }))
    }

    fn schedule(&self, key: &'static str) -> Result<Cron, ConfigError> {
        Cron::from_str(self.text(key)).map_err(|error| {
            self.refuse(key, format!("must be five cron fields, such as \"0 3 * * *\": {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::merge::merge;
    use super::Settings;

    fn with(flags: &[(&'static str, &str)]) -> Result<Settings, String> {
        let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let merged = merge(None, std::iter::empty(), &flags).expect("merges");
        Settings::read(&merged).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = with(&[]).expect("valid");
        assert_eq!(settings.report_folder, settings.data_dir.join("reports"));
        assert_eq!(settings.announced_intake(), "127.0.0.1:8443");
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_a_protected_line() {
        assert!(with(&[]).expect("valid").smtp.is_none());
        let server = [("smtp.host", "mail.vendor.example"), ("smtp.from", "sales@vendor.example")];
        assert_eq!(with(&server).expect("valid").smtp.expect("given").tls, super::SmtpTls::StartTls);
        assert!(with(&server[..1]).expect_err("no sender").contains("smtp.from"));
        assert!(
            with(&[server[0], server[1], ("smtp.tls", "none")]).expect_err("open line").contains("loopback")
        );
        assert!(
            with(&[server[0], server[1], ("smtp.user", "u")])
                .expect_err("no password")
                .contains("password_file")
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (key, value) in [
            ("web.listen", "8080"),
            ("web.listen", "0.0.0.0:8080"),
            ("database.connections", "1"),
            ("plan.confidence", "NaN"),
            ("plan.confidence", "1.5"),
            ("forecast.schedule", "every day"),
            ("pull.batch", "-1"),
            ("log.format", "xml"),
            ("pull.enabled", "yes please"),
            ("offers.notice_days", "2000"),
        ] {
            let error = with(&[(key, value)]).expect_err(key);
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
    }
}
