//! The main job, end to end, as `make demo` does it: the real node measures this machine, the hub reads it, PostgreSQL
//! keeps it, forecasts and offers come of it, and the web view shows it. One demo serves all the questions.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::TcpListener,
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use headroom_tests::built;
use serde_json::Value;

/// How long the demo may take to come up, on two busy cores.
const START_PATIENCE: Duration = Duration::from_secs(600);
/// How long two polling intervals of node and hub may take, with a slow machine in mind.
const LIVE_PATIENCE: Duration = Duration::from_secs(60);
/// What is written and removed again in a measured file system.
const WRITTEN_BYTES: u64 = 500_000_000;

struct Demo {
    process: Child,
    checkout: tempfile::TempDir,
    log: PathBuf,
    web: String,
    node: String,
}

impl Demo {
    fn start() -> Self {
        let checkout = tempfile::Builder::new().prefix("headroom-demo-").tempdir().expect("a folder");
        for part in ["demo", "tests"] {
            symlink(built::checkout().join(part), checkout.path().join(part)).expect("a link");
        }
        let [web, intake, node] = free_addresses();
        let log = checkout.path().join("demo.log");
        let out = File::create(&log).expect("the folder takes files");
        let errors = out.try_clone().expect("a second handle");
        let process = demo(checkout.path())
            .args(["run", "--web", &web, "--intake", &intake, "--node", &node])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .expect("the demo starts");
        let mut demo = Self { process, checkout, log, web: format!("http://{web}"), node };
        let begun = Instant::now();
        while !demo.printed().contains("sign in as") {
            let ended = demo.process.try_wait().expect("the demo is our child");
            assert!(ended.is_none(), "the demo ended: {}\n{}", demo.printed(), demo.logs());
            assert!(begun.elapsed() < START_PATIENCE, "not up: {}\n{}", demo.printed(), demo.logs());
            thread::sleep(Duration::from_millis(200));
        }
        demo
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn of(&self, name: &str) -> PathBuf {
        self.checkout.path().join(".headroom/demo").join(name)
    }

    /// The ends of the services' logs.
    fn logs(&self) -> String {
        ["hub.log", "node.log", "postgres.log"]
            .iter()
            .map(|name| {
                let text = fs::read_to_string(self.of(name)).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                format!("{name}:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
            })
            .collect()
    }

    /// The session's cookie of one of the demo's users.
    fn sign_in(&self, name: &str) -> String {
        let password = fs::read_to_string(self.of(&format!("{name}-password"))).expect("a password was made");
        let agent = ureq::Agent::new_with_config(
            ureq::config::Config::builder().max_redirects(0).http_status_as_error(false).build(),
        );
        let answer = agent
            .post(format!("{}/sign-in", self.web))
            .send_form([("name", name), ("password", password.trim())])
            .expect("the web view answers");
        let cookie = answer.headers().get("set-cookie").expect("a session").to_str().expect("text");
        cookie.split(';').next().expect("a cookie").to_owned()
    }

    fn get(&self, cookie: &str, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}{path}", self.web))
            .header("cookie", cookie)
            .call()
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.logs()));
        answer.body_mut().read_json().expect("JSON")
    }

    fn sql(&self, statement: &str) -> String {
        let output = demo(self.checkout.path())
            .args(["psql", "--", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .output()
            .expect("psql starts");
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn headroom(&self, arguments: &[&str]) -> Value {
        let output = Command::new(built::program("headroom").expect("the hub is built"))
            .arg("--config")
            .arg(self.of("headroom.toml"))
            .args(arguments)
            .output()
            .expect("the hub's program runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", "--", &id]).status().expect("kill runs").success());
        let ended = self.process.wait().expect("the demo is our child");
        assert!(ended.success(), "{ended}: {}", self.printed());
        let left: Vec<_> = processes_in(self.checkout.path());
        assert!(left.is_empty(), "left running: {left:?}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a panic: the demo's parts end with it.
        let _gone_is_fine = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn demo(checkout: &Path) -> Command {
    let programs = built::folder().expect("a folder of programs");
    let mut command = Command::new(built::program("headroom-demo").expect("the demo is built"));
    command.arg("--checkout").arg(checkout).arg("--programs").arg(programs);
    command
}

fn free_addresses() -> [String; 3] {
    let listeners = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").to_string())
}

/// Command lines of the processes that name this folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&name))
        .collect()
}

#[test]
fn from_device_to_offer() {
    let demo = Demo::start();
    let admin = demo.sign_in("admin");
    the_fleet_and_this_machine_are_listed(&demo, &admin);
    page_sql_and_command_line_agree(&demo, &admin);
    plans_and_offers_follow_consent(&demo);
    the_node_tells_specs_user_and_status_itself(&demo);
    what_is_written_shows_and_what_is_removed_goes(&demo, &admin);
    demo.stop();
}

fn units(demo: &Demo, cookie: &str) -> Vec<Value> {
    demo.get(cookie, "/api/v1/units")["units"].as_array().expect("a list").clone()
}

fn the_fleet_and_this_machine_are_listed(demo: &Demo, admin: &str) {
    let units = units(demo, admin);
    let live = demo.sql(
        "select count(*) from fleet.units u join fleet.customers c using (customer_id) where c.reference = 'C-1000'",
    );
    assert!(live.parse::<usize>().expect("a number") >= 1, "no unit of this machine\n{}", demo.logs());
    assert!(units.len() > 60, "{} units", units.len());
    let sales = demo.sign_in("sales");
    let seen = self::units(demo, &sales);
    let hidden: Vec<_> = seen
        .iter()
        .filter(|unit| ["Weidental", "Marchetti"].iter().any(|name| unit.to_string().contains(name)))
        .collect();
    assert!(!seen.is_empty() && seen.len() < units.len(), "{} of {}", seen.len(), units.len());
    assert!(hidden.is_empty(), "units without the sales purpose: {hidden:?}");
}

/// The stored dates of every capacity forecast, by component, from SQL.
fn dates_by_sql(demo: &Demo) -> BTreeMap<i64, (String, Value, Value, Value)> {
    let text = demo.sql(
        "select json_agg(json_build_array(e.component_id, e.state, e.p10, e.p50, e.p90)) from fleet.units u, \
         lateral fleet.exhaustion(u.unit_id, 'capacity') e",
    );
    let rows: Vec<(i64, String, Value, Value, Value)> = serde_json::from_str(&text).expect("rows");
    rows.into_iter().map(|(component, state, p10, p50, p90)| (component, (state, p10, p50, p90))).collect()
}

fn instant(value: &Value) -> Option<jiff::Timestamp> {
    value.as_str().map(|text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn page_sql_and_command_line_agree(demo: &Demo, admin: &str) {
    let by_sql = dates_by_sql(demo);
    let printed = demo.headroom(&["forecast", "--json"]);
    let mut compared = 0;
    for forecast in printed["forecasts"].as_array().expect("a list") {
        if forecast["resource"] != "capacity" {
            continue;
        }
        let component = forecast["component_id"].as_i64().expect("a component");
        let Some((state, p10, p50, p90)) = by_sql.get(&component) else {
            panic!("component {component} is missing in SQL")
        };
        assert_eq!(forecast["state"], *state, "component {component}");
        for (name, value) in [("p10", p10), ("p50", p50), ("p90", p90)] {
            assert_eq!(instant(&forecast[name]), instant(value), "component {component}, {name}");
        }
        compared += 1;
    }
    assert!(compared >= 60, "{compared} forecasts compared");
    let dated = by_sql.values().filter(|(state, ..)| state == "dated").count();
    assert!(dated >= 10, "only {dated} dated forecasts");
    let unit = demo.sql(
        "select c.unit_id from fleet.components c join fleet.forecasts f using (component_id) \
         join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current \
         where f.state = 'dated' and f.resource = 'capacity' order by f.p50 limit 1",
    );
    let shown = demo.get(admin, &format!("/api/v1/units/{unit}/forecast"));
    let shown = shown["forecasts"].as_array().expect("a list");
    let capacity = shown.iter().find(|forecast| forecast["resource"] == "capacity").expect("capacity");
    let (_, p10, p50, p90) = &by_sql[&capacity["component_id"].as_i64().expect("a component")];
    for (name, value) in [("p10", p10), ("p50", p50), ("p90", p90)] {
        assert_eq!(instant(&capacity[name]), instant(value), "unit {unit}, {name}");
    }
}

fn plans_and_offers_follow_consent(demo: &Demo) {
    let planned = demo.sql(
        "select count(*) from fleet.plans p join fleet.forecast_runs r on r.run_id = p.run_id and r.is_current \
         where p.chosen and p.price > 0 and p.order_by is not null \
           and p.action in ('expansion', 'upgrade', 'functional_extension')",
    );
    assert_ne!(planned, "0", "no filling unit has a plan");
    // Drafting is a scheduled job of every minute.
    let begun = Instant::now();
    let drafted = "select count(*) from fleet.offers o join fleet.customers c using (customer_id) \
                   where o.state = 'drafted' and o.contact_email = c.contact_email and o.price > 0";
    while demo.sql(drafted) == "0" {
        assert!(begun.elapsed() < START_PATIENCE, "no offer was drafted\n{}", demo.logs());
        thread::sleep(Duration::from_secs(1));
    }
    let without_consent = "from fleet.customers c where not fleet.consent(c.customer_id, 'sales')";
    assert_eq!(demo.sql(&format!("select count(*) {without_consent}")), "2");
    let offers = format!(
        "select count(*) from fleet.offers o where o.customer_id in (select c.customer_id {without_consent})"
    );
    assert_eq!(demo.sql(&offers), "0", "an offer without the sales purpose");
    let forecasts = format!(
        "select count(*) from fleet.forecasts f join fleet.components k using (component_id) \
         join fleet.units u using (unit_id) where u.customer_id in (select c.customer_id {without_consent})"
    );
    assert_ne!(demo.sql(&forecasts), "0", "the customer's own forecast needs no sales purpose");
}

fn the_node_tells_specs_user_and_status_itself(demo: &Demo) {
    let answer = demo.headroom(&["node", "read", &demo.node, "--json"]);
    let text = answer.to_string();
    assert!(text.contains("\"placement\":\"host\""), "{text}");
    assert!(text.contains("This machine"), "no user information: {text}");
    assert!(text.contains("capacity_bytes") && text.contains("used_bytes"), "{text}");
}

/// Used bytes of the component that holds this folder's file system, as the hub has them.
fn used_bytes(demo: &Demo, component: &str) -> i64 {
    let used = demo.sql(&format!(
        "select used_bytes from fleet.status where component_id = {component} and used_bytes is not null \
         order by at desc limit 1"
    ));
    used.parse().unwrap_or_else(|_| panic!("component {component} has {used:?} used"))
}

fn wait_until(demo: &Demo, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIVE_PATIENCE, "{what}\n{}", demo.logs());
        thread::sleep(Duration::from_millis(500));
    }
}

fn what_is_written_shows_and_what_is_removed_goes(demo: &Demo, admin: &str) {
    // The measured file system on which the test's folder lies: the one with the nearest size.
    let folder = built::folder().expect("the build's folder");
    let statistics =
        Command::new("stat").args(["-f", "-c", "%S %b"]).arg(&folder).output().expect("stat runs");
    let statistics = String::from_utf8(statistics.stdout).expect("text");
    let (size, blocks) = statistics.trim().split_once(' ').expect("two numbers");
    let capacity = size.parse::<i64>().expect("a size") * blocks.parse::<i64>().expect("a number");
    let component = demo.sql(&format!(
        "select c.component_id from fleet.components c join fleet.units u using (unit_id) \
         join fleet.customers k using (customer_id) \
         where k.reference = 'C-1000' and c.kind = 'file_system' and c.capacity_bytes = {capacity} \
         order by c.component_id limit 1"
    ));
    assert!(!component.is_empty(), "no component has the {capacity} bytes of this file system");
    let before = used_bytes(demo, &component);
    let path = folder.join("written-by-main-job");
    let made = Command::new("fallocate").arg("-l").arg(WRITTEN_BYTES.to_string()).arg(&path).status();
    assert!(made.expect("fallocate runs").success());
    let most = i64::try_from(WRITTEN_BYTES).expect("fits");
    wait_until(demo, "what was written does not show", || used_bytes(demo, &component) > before + most / 2);
    let unit = demo.sql(&format!("select unit_id from fleet.components where component_id = {component}"));
    let shown = demo.get(admin, &format!("/api/v1/units/{unit}"));
    let shown = shown["components"].as_array().expect("a list").iter().find_map(|part| {
        (part["component_id"].as_i64() == component.parse().ok())
            .then(|| part["used_bytes"].as_i64())
            .flatten()
    });
    assert!(shown.is_some_and(|shown| shown > before + most / 2), "the page's interface shows {shown:?}");
    fs::remove_file(&path).expect("the file is removed");
    wait_until(demo, "what was removed still shows", || used_bytes(demo, &component) < before + most / 2);
}
