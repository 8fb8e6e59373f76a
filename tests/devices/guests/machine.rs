//! An emulated machine: booted with devices, watched over its serial line, driven over QMP, its results taken out.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headroom_tests::built::checkout;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a machine may run at most. Alone on two cores each takes about a minute; beside a build it takes far longer.
const PATIENCE: Duration = Duration::from_secs(900);
/// The emulator shares two cores with nobody: the machines of one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A test's turn to boot machines.
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held, not read")] MutexGuard<'static, ()>);

impl Turn {
    /// Waits for it.
    pub(crate) fn take() -> Self {
        Self(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is booted.
pub(crate) struct Plan<'a> {
    /// A part of `tests/devices/guest`.
    pub(crate) part: &'a str,
    /// Drives: name and MiB.
    pub(crate) drives: &'a [(&'a str, u64)],
    /// Further arguments of the emulator, divided by blanks.
    pub(crate) arguments: &'a str,
    /// Words for the part, on the kernel's command line: `headroom.NAME=VALUE`.
    pub(crate) words: &'a str,
}

/// A machine that runs.
pub(crate) struct Machine {
    emulator: Child,
    folder: TempDir,
    deadline: Instant,
}

fn bed() -> PathBuf {
    checkout().join(".headroom/devices")
}

impl Machine {
    /// Boots.
    pub(crate) fn boot(_turn: &Turn, plan: &Plan<'_>) -> Self {
        let Plan { part, drives, arguments, words } = plan;
        let (bed, root) = (bed(), bed().join("root"));
        assert!(bed.join("initrd.gz").exists(), "nothing to boot: run `make test-devices`");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new(root.join("usr/bin/qemu-system-x86_64"));
        let libraries = [root.join("lib/x86_64-linux-gnu"), root.join("usr/lib/x86_64-linux-gnu")];
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(root.join(data));
        }
        command.args(["-M", "q35,accel=tcg", "-cpu", "max", "-m", "768", "-smp", "1", "-nodefaults"]);
        command.args(["-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(["-serial", &format!("file:{}", at("serial"))]);
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", at("qmp"))]);
        command.arg("-kernel").arg(bed.join("vmlinuz")).arg("-initrd").arg(bed.join("initrd.gz"));
        // The timer of an emulator that waits for its turn on a busy machine must not end the boot.
        let line = format!("console=ttyS0 quiet panic=-1 no_timer_check headroom.part={part} {words}");
        command.args(["-append", &line]);
        for (name, mebibytes) in [("results", 64)].iter().chain(*drives) {
            File::create(at(name)).unwrap().set_len(mebibytes << 20).unwrap();
            let file = at(name);
            command.args(["-drive", &format!("file={file},if=none,id={name},format=raw,discard=unmap")]);
        }
        command.args(["-device", "virtio-blk-pci,drive=results,serial=results,romfile="]);
        command.args(arguments.split_whitespace());
        let errors = File::create(at("errors")).unwrap();
        let emulator = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        Self { emulator, folder, deadline: Instant::now() + PATIENCE }
    }

    /// A file of the machine's folder, such as a drive that was named at boot.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it said on its serial line.
    pub(crate) fn serial(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.file("serial")).unwrap_or_default()).into_owned()
    }

    fn last_words(&self) -> String {
        let serial = self.serial();
        let lines: Vec<&str> = serial.lines().collect();
        let errors = fs::read_to_string(self.file("errors")).unwrap_or_default();
        format!("{}\n{errors}", lines[lines.len().saturating_sub(30)..].join("\n"))
    }

    /// Waits until the machine says something on its serial line.
    pub(crate) fn wait_for(&mut self, words: &str) {
        while !self.serial().contains(words) {
            let has_ended = self.emulator.try_wait().unwrap().is_some();
            assert!(!has_ended, "the machine ended before {words:?}:\n{}", self.last_words());
            assert!(Instant::now() < self.deadline, "{words:?} did not come:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Commands to the emulator, in order.
    pub(crate) fn command(&self, commands: &[Value]) {
        let stream = UnixStream::connect(self.file("qmp")).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut stream = stream;
        lines.next().unwrap().unwrap();
        for command in [json!({"execute": "qmp_capabilities"})].iter().chain(commands) {
            writeln!(stream, "{command}").unwrap();
            loop {
                let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
                assert!(answer.get("error").is_none(), "{command}: {answer}");
                // Events come in between.
                if answer.get("return").is_some() {
                    break;
                }
            }
        }
    }

    /// Waits until the machine has switched itself off, and gives the folder with its results.
    pub(crate) fn results(mut self) -> Results {
        while self.emulator.try_wait().unwrap().is_none() {
            assert!(Instant::now() < self.deadline, "the machine does not end:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(100));
        }
        let unpacked = tempfile::tempdir().unwrap();
        let tar =
            Command::new("tar").arg("xf").arg(self.file("results")).arg("-C").arg(unpacked.path()).output();
        let has_results = tar.is_ok_and(|tar| tar.status.success()) && unpacked.path().join("out").is_dir();
        assert!(has_results, "no results:\n{}", self.last_words());
        let serial = self.serial();
        for line in serial.lines().filter(|line| line.contains("headroom-test:")) {
            println!("{line}");
        }
        assert!(
            !serial.contains("waited in vain") && !serial.contains("probe failed"),
            "{}",
            self.last_words()
        );
        Results { folder: unpacked }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A machine whose test failed must not go on.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

/// What a machine left.
pub(crate) struct Results {
    folder: TempDir,
}

impl Results {
    /// Where.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join("out").join(name)
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A JSON document.
    pub(crate) fn json(&self, name: &str) -> Value {
        let text = self.text(name);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
    }
}
