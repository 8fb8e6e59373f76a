//! Every page as every role: in a headless Chromium, and with hostile input.

mod hostile;
mod world;

use std::{path::Path, process::Command};

use headroom_tests::built;
use world::World;

/// The tests in the browser are `*.test.mjs` beside this file; node's own runner counts them.
#[test]
fn a_browser_finds_nothing_wrong() {
    let folder = built::checkout().join("tests/browser");
    let modules = folder.join("node_modules");
    assert!(
        modules.join("playwright-core").exists(),
        "run `xtask/setup browser`, as `make test-browser` does"
    );
    let world = World::start();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of the tests")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    let status = Command::new("node")
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(&files)
        .current_dir(&folder)
        .env("HEADROOM_ORIGIN", &world.origin)
        .env("HEADROOM_PSQL_HOST", world.cluster.host())
        .env("HEADROOM_PSQL", psql(&world))
        .status()
        .expect("node runs");
    let log = world.log();
    assert!(status.success(), "node's tests failed; the hub's log ends in:\n{}", end(&log));
    assert!(!log.contains("ERROR"), "the hub has logged errors:\n{}", end(&log));
}

/// A script that runs the SQL on its standard input as superuser.
fn psql(world: &World) -> String {
    let command = world.cluster.client_program("psql");
    let mut script = String::from("#!/bin/sh\n");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            script.push_str(&format!("export {}='{}'\n", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    script.push_str("exec");
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        script.push_str(&format!(" '{}'", word.to_string_lossy()));
    }
    script.push_str(" -XAtq -v ON_ERROR_STOP=1 -d fleet -f -\n");
    let path = world.cluster.folder().join("psql.sh");
    write_program(&path, &script);
    path.display().to_string()
}

fn write_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, script).expect("the cluster's folder takes files");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
}

fn end(log: &str) -> &str {
    let start = log.len().saturating_sub(6_000);
    log.get(log.ceil_char_boundary(start)..).unwrap_or(log)
}
