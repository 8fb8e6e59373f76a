//! `headroom-demo run`: everything up, in order; then a day of the replay every day; everything down at the end.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, bail};
use jiff::Zoned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    addresses::Addresses, calendar::Calendar, database, hub::Hub, nodes, places::Places, program::Program,
    replay, secret,
};

/// How long the hub may take to come up.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How often the demo looks whether a new day has begun.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Runs the demo until SIGINT or SIGTERM.
///
/// # Errors
/// When a part cannot be started or ends by itself.
pub async fn run(places: &Places, addresses: Addresses) -> anyhow::Result<()> {
    fs::create_dir_all(places.home()).with_context(|| format!("cannot make {}", places.home().display()))?;
    let Some(_lock) = lock(places)? else {
        println!("The demo runs already; `make stop` ends it.");
        print_address(places, addresses)?;
        return Ok(());
    };
    for (address, flag) in
        [(addresses.web, "--web"), (addresses.intake, "--intake"), (addresses.node, "--node")]
    {
        let free = TcpListener::bind(address);
        free.with_context(|| {
            format!("{address} is taken: choose another with {flag} ADDRESS (see make help)")
        })?;
    }
    let mut told = Told::new()?;
    tokio::select! {
        ended = up(places, addresses) => ended,
        () = told.wait() => {
            println!("\nstopping");
            Ok(())
        }
    }
    // The parts are dropped with the future above: node, hub and server end before this returns.
}

async fn up(places: &Places, addresses: Addresses) -> anyhow::Result<()> {
    step("PostgreSQL: a private server of this checkout");
    let server = database::start(places)?;
    let hub = Hub::new(places, addresses)?;
    step("schema");
    hub.migrate(&server)?;
    database::set_passwords(places, &server, &crate::hub::ROLES)?;
    step("customers, catalogue, sold units");
    hub.import()?;
    hub.make_users()?;
    step("hub");
    let mut service = Program::start(
        "the hub",
        &places.program("headroom"),
        &["--config", &hub.configuration().display().to_string(), "serve"],
        &places.of("hub.log"),
    )?;
    service.wait_until(START_PATIENCE, || {
        TcpStream::connect(addresses.web).is_ok() && TcpStream::connect(addresses.intake).is_ok()
    })?;
    step("node: measures this machine");
    let mut node = nodes::this_machine(places, &hub, addresses)?;
    let fleet = nodes::fleet(places, &hub, addresses.intake).await?;

    let path = places.of("calendar.json");
    let mut calendar = Calendar::read_or_begin(&path, Zoned::now().date())?;
    if calendar.is_over(Zoned::now().date()) {
        println!("the held-back part has come to its end: the replay begins again today");
        calendar = restart(&hub, &server, Calendar::beginning(Zoned::now().date()), places)?;
    }
    step("demo fleet: what its nodes have to tell");
    send(&fleet, addresses, &mut calendar, places).await?;
    if !calendar.looked_back {
        step("forecasts, as they would have been on earlier days");
        hub.forecast_earlier_days()?;
        hub.judge_earlier_days()?;
        calendar.looked_back = true;
        calendar.write(&path)?;
    }
    hub.forecast()?;
    print_address(places, addresses)?;

    let request = places.of("faster");
    loop {
        // A request of `headroom-demo faster` is taken within a second, a new day within a minute.
        for _ in 0..LOOK_EVERY.as_secs() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            service.check()?;
            node.check()?;
            if let Ok(days) = fs::read_to_string(&request) {
                fs::remove_file(&request).context("cannot take the request to go faster")?;
                match faster(&days, &hub, &server, &fleet, &calendar, addresses, places).await {
                    Ok(moved) => calendar = moved,
                    Err(error) => eprintln!("cannot go faster: {error:#}"),
                }
            }
        }
        let today = Zoned::now().date();
        if calendar.is_over(today) {
            calendar = restart(&hub, &server, Calendar::beginning(today), places)?;
        }
        if calendar.sent.values().any(|sent| *sent < calendar.day(today)) {
            send(&fleet, addresses, &mut calendar, places).await?;
            hub.forecast()?;
        }
    }
}

async fn send(
    fleet: &[replay::DemoNode],
    addresses: Addresses,
    calendar: &mut Calendar,
    places: &Places,
) -> anyhow::Result<()> {
    let today = Zoned::now().date();
    let path = places.of("calendar.json");
    let bar = indicatif::ProgressBar::new(fleet.len() as u64);
    let mut samples = 0;
    for node in fleet {
        let counts = replay::send_due(
            std::slice::from_ref(node),
            &addresses.intake.to_string(),
            calendar,
            today,
            |calendar| calendar.write(&path),
        )
        .await?;
        samples += counts.values().sum::<usize>();
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("   {samples} samples of {} nodes", fleet.len());
    Ok(())
}

async fn faster(
    days: &str,
    hub: &Hub,
    server: &xtask::server::Server,
    fleet: &[replay::DemoNode],
    calendar: &Calendar,
    addresses: Addresses,
    places: &Places,
) -> anyhow::Result<Calendar> {
    let days: u16 = days.trim().parse().context("the request names no number of days")?;
    step(&format!("{days} days further"));
    let moved = calendar.moved_on(days, Zoned::now().date())?;
    let mut calendar = restart(hub, server, moved, places)?;
    send(fleet, addresses, &mut calendar, places).await?;
    hub.forecast_earlier_days()?;
    hub.judge_earlier_days()?;
    calendar.looked_back = true;
    calendar.write(&places.of("calendar.json"))?;
    hub.forecast()?;
    println!("   the demo is at day {} of its replay", calendar.day(Zoned::now().date()));
    Ok(calendar)
}

/// Forgets what the hub knows of the demo units' past and begins with another calendar.
fn restart(
    hub: &Hub,
    server: &xtask::server::Server,
    calendar: Calendar,
    places: &Places,
) -> anyhow::Result<Calendar> {
    hub.forget_history(server)?;
    calendar.write(&places.of("calendar.json"))?;
    Ok(calendar)
}

fn step(what: &str) {
    println!("== {what}");
}

fn print_address(places: &Places, addresses: Addresses) -> anyhow::Result<()> {
    println!();
    println!("   http://{}", addresses.web);
    for user in crate::hub::USERS {
        let password = secret::password(&places.of(&format!("{}-password", user.name)))?;
        println!("   sign in as {:<8} with password {password}   ({})", user.name, user.what);
    }
    println!();
    println!("   make psql          SQL on the demo's database");
    println!("   make demo-faster   let 30 days of the held-back growth pass at once");
    println!("   Ctrl-C or make stop ends the demo and keeps its data; make clean removes it");
    println!("   logs are in {}", places.home().display());
    Ok(())
}

/// Only one demo of a checkout runs at a time. The lock goes with the process, however it ends.
fn lock(places: &Places) -> anyhow::Result<Option<File>> {
    use std::io::Write as _;
    let path = places.of("demo.pid");
    let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            Ok(Some(file))
        }
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error).context("cannot lock the demo"),
    }
}

/// `headroom-demo stop`: ends a running demo and waits for it.
///
/// # Errors
/// When it does not end within a minute.
pub fn stop(places: &Places) -> anyhow::Result<()> {
    let path = places.of("demo.pid");
    if !path.exists() || lock(places)?.is_some() {
        println!("The demo does not run.");
        return Ok(());
    }
    let process = fs::read_to_string(&path)?;
    let process: u32 =
        process.trim().parse().with_context(|| format!("{} names no process", path.display()))?;
    let told =
        std::process::Command::new("kill").args(["-s", "TERM", "--", &process.to_string()]).status()?;
    if !told.success() {
        bail!("cannot stop process {process}");
    }
    let begun = std::time::Instant::now();
    while lock(places)?.is_none() {
        if begun.elapsed() > START_PATIENCE {
            bail!("the demo (process {process}) does not end");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("The demo has stopped; its data stays.");
    Ok(())
}

/// `headroom-demo faster`: asks the running demo to let days pass.
///
/// # Errors
/// When no demo runs.
pub fn ask_faster(places: &Places, days: u16) -> anyhow::Result<()> {
    if !places.of("demo.pid").exists() || lock(places)?.is_some() {
        bail!("the demo does not run: start it with `make demo` in another terminal");
    }
    let fresh = places.of("faster.new");
    fs::write(&fresh, days.to_string())?;
    fs::rename(fresh, places.of("faster"))?;
    println!("asked for {days} days; the terminal of the demo says when they have passed");
    Ok(())
}

struct Told {
    interrupt: Signal,
    terminate: Signal,
}

impl Told {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
