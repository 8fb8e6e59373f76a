//! The demo's hub: its configuration, and what the demo has it do by its own commands.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use xtask::server::{PORT, SUPERUSER, Server};

use crate::{addresses::Addresses, database::DATABASE, fleet::THIS_MACHINE, places::Places, program, secret};

/// Roles of PostgreSQL that get a password: the service's own, and those that people use with psql.
pub const ROLES: [&str; 2] = ["headroom_service", "headroom_admin"];

/// Days before today at which the demo also forecasts, so that the accuracy view has something to compare.
const EARLIER_DAYS: [u16; 6] = [180, 120, 90, 60, 30, 14];

/// Somebody who signs in to the demo's web view.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// Name.
    pub name: &'static str,
    /// Role in the product.
    pub role: &'static str,
    /// Territory, where the role is bound to one.
    pub territory: Option<&'static str>,
    /// What the user sees, in a few words.
    pub what: &'static str,
}

/// The demo's users.
pub const USERS: [User; 2] = [
    User { name: "admin", role: "admin", territory: None, what: "everything" },
    User { name: "sales", role: "sales", territory: None, what: "units whose owners allow it" },
];

/// What the pages say of the data.
const BANNER: &str = "Demo: customers, people and prices are invented. Their units' growth is that of real public \
     repositories and volumes, scaled to the size of the drives and replayed a day every day. \
     The unit of this machine is measured live.";

/// The hub of the demo.
#[derive(Debug)]
pub struct Hub {
    places: Places,
}

impl Hub {
    /// Writes the hub's configuration.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(places: &Places, addresses: Addresses) -> anyhow::Result<Self> {
        let hub = Self { places: places.clone() };
        let text = |path: PathBuf| toml_text(&path.display().to_string());
        let configuration = format!(
            "# Written by `make demo`; a change is lost at the next start.\n\
             data_dir = {data_dir}\n\
             [database]\n\
             url = {url}\n\
             password_file = {password}\n\
             [web]\n\
             listen = \"{web}\"\n\
             banner = {banner}\n\
             refresh_seconds = 2\n\
             [intake]\n\
             listen = \"{intake}\"\n\
             [pull]\n\
             interval_seconds = 2\n\
             [forecast]\n\
             schedule = \"*/5 * * * *\"\n\
             [offers]\n\
             schedule = \"* * * * *\"\n",
            data_dir = text(places.of("hub")),
            url = toml_text(&format!(
                "host={} port={PORT} dbname={DATABASE} user=headroom_service",
                places.socket().display()
            )),
            password = text(places.of("headroom_service-password")),
            web = addresses.web,
            banner = toml_text(BANNER),
            intake = addresses.intake,
        );
        fs::create_dir_all(places.of("hub"))?;
        let path = hub.configuration();
        fs::write(&path, configuration).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(hub)
    }

    /// Its configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.places.of("headroom.toml")
    }

    /// Runs a command of the hub and gives back what it printed.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.command_with(arguments, None)
    }

    fn command_with(&self, arguments: &[&str], input: Option<&str>) -> anyhow::Result<String> {
        let configuration = self.configuration().display().to_string();
        let arguments: Vec<&str> = ["--config", &configuration].iter().chain(arguments).copied().collect();
        program::run(&self.places.program("headroom"), &arguments, input)
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn migrate(&self, server: &Server) -> anyhow::Result<()> {
        let password = secret::password(&self.places.of("postgres-password"))?;
        let url = format!(
            "host={} port={PORT} dbname={DATABASE} user={SUPERUSER} password={password}",
            server.places().socket.display()
        );
        program::run_with(
            &self.places.program("headroom"),
            &["--config", &self.configuration().display().to_string(), "migrate"],
            None,
            &[("HEADROOM_DATABASE_OWNER_URL", &url)],
        )?;
        Ok(())
    }

    /// Imports who the customers are, what can be bought and what was sold. Running it again changes nothing.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn import(&self) -> anyhow::Result<()> {
        for (what, file) in
            [("customers", "customers.csv"), ("catalogue", "catalogue.csv"), ("units", "sold.csv")]
        {
            let file = self.places.fleet().join(file);
            self.command(&["import", what, &file.display().to_string()])?;
        }
        Ok(())
    }

    /// Makes the demo's users where they are missing.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn make_users(&self) -> anyhow::Result<()> {
        let known = self.command(&["user", "list", "--json"])?;
        let known: Vec<serde_json::Value> = serde_json::from_str(&known).context("the list of users")?;
        for user in USERS {
            if known.iter().any(|row| row["name"] == user.name) {
                continue;
            }
            let password = secret::password(&self.places.of(&format!("{}-password", user.name)))?;
            let mut arguments = vec!["user", "add", user.name, "--role", user.role, "--password-stdin"];
            if let Some(territory) = user.territory {
                arguments.extend(["--territory", territory]);
            }
            self.command_with(&arguments, Some(&password))?;
        }
        Ok(())
    }

    /// A one-time token for a node of this customer.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn token(&self, customer: &str) -> anyhow::Result<String> {
        let answer = self.command(&["node", "token", "--customer", customer, "--json"])?;
        let answer: serde_json::Value = serde_json::from_str(&answer).context("the token")?;
        answer["token"].as_str().map(str::to_owned).context("the hub made no token")
    }

    /// Forecasts the fleet now.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn forecast(&self) -> anyhow::Result<()> {
        self.command(&["forecast"]).map(drop)
    }

    /// Forecasts the fleet as it would have been forecast on earlier days.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn forecast_earlier_days(&self) -> anyhow::Result<()> {
        use jiff::{SignedDuration, Timestamp};
        for days in EARLIER_DAYS {
            let as_of = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
            self.command(&["forecast", "--as-of", &as_of.to_string()])?;
        }
        Ok(())
    }

    /// Judges what would have been said at earlier origins. The job does so at night, and the demo's first night is far.
    ///
    /// # Errors
    /// With the command's own words.
    pub fn judge_earlier_days(&self) -> anyhow::Result<()> {
        self.command(&["job", "run", "backtest"]).map(drop)
    }

    /// Erases what the database knows of the demo units' past: status, forecasts and what followed from them.
    ///
    /// # Errors
    /// With the server's own words.
    pub fn forget_history(&self, server: &Server) -> anyhow::Result<()> {
        server.psql(
            DATABASE,
            &format!(
                "begin; \
                 create temporary table old on commit drop as \
                     select u.unit_id, c.component_id, u.node_id from fleet.units u \
                       join fleet.customers k using (customer_id) \
                       left join fleet.components c using (unit_id) where k.reference <> '{THIS_MACHINE}'; \
                 delete from fleet.status where component_id in (select component_id from old); \
                 delete from fleet.backtests where component_id in (select component_id from old); \
                 delete from fleet.forecasts where component_id in (select component_id from old); \
                 delete from fleet.plans where unit_id in (select unit_id from old); \
                 delete from fleet.offers o where exists \
                     (select from fleet.offer_items i join old using (unit_id) where i.offer_id = o.offer_id); \
                 delete from fleet.acknowledged_ranges where node_id in (select node_id from old); \
                 commit"
            ),
        )?;
        Ok(())
    }
}

/// A text as TOML writes it.
pub(crate) fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
