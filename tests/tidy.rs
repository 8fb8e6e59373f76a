//! Checks of the project itself, for what is objective: leftovers, files that no module includes, links in documents,
//! paths of somebody's machine, arrows that point the wrong way.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use headroom_tests::built::checkout;

/// Everything that belongs to the project: what git knows, and what it would take up.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(checkout())
        .output()
        .expect("git runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names are text");
    names.lines().map(PathBuf::from).filter(|path| checkout().join(path).is_file()).collect()
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(checkout().join(path)).ok()
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e))
}

/// Written apart, so that this file does not find itself.
fn banned() -> Vec<String> {
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
        ("HA", "CK:"),
        ("todo", "!("),
        ("unimplemented", "!("),
        ("db", "g!("),
        ("<<<<", "<<<"),
        (">>>>", ">>>"),
    ];
    words.iter().map(|(first, second)| format!("{first}{second}")).collect()
}

#[test]
fn no_leftovers_in_sources() {
    let banned = banned();
    let mut found = Vec::new();
    for path in files() {
        if !has_extension(&path, &["rs", "sql", "css", "js", "html", "toml", "md", "sh", "yml"]) {
            continue;
        }
        let Some(text) = text(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = banned.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "leftovers:\n{}", found.join("\n"));
}

#[test]
fn no_path_of_a_machine() {
    let places = ["/home/", "/root/", "/Users/", "/work/"];
    let mut found = Vec::new();
    for path in files() {
        if path.starts_with("tests/fixtures") || path == Path::new("tests/tidy.rs") {
            continue;
        }
        let Some(text) = text(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| names_a_place(line, place)) {
                found.push(format!("{}:{}: {place}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "paths of a machine:\n{}", found.join("\n"));
}

/// Whether the line has the place as the beginning of a path, followed by a name.
fn names_a_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + place.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && !"./-_}$*".contains(c))
            && after.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn every_rust_file_is_part_of_a_crate() {
    let sources: Vec<PathBuf> = files()
        .into_iter()
        .filter(|path| {
            has_extension(path, &["rs"]) && path.components().any(|part| part.as_os_str() == "src")
        })
        .collect();
    let mut lost = Vec::new();
    for path in &sources {
        let stem = path.file_stem().and_then(|s| s.to_str()).expect("a source has a name");
        let folder = path.parent().expect("a source lies in a folder");
        let is_root = ["main", "lib"].contains(&stem) || folder.ends_with("bin");
        if is_root {
            continue;
        }
        // `a/mod.rs` is named in the folder above; `a/b.rs` in a/mod.rs, a/lib.rs, a/main.rs or a.rs.
        let (name, home) = if stem == "mod" {
            let name = folder.file_name().and_then(|n| n.to_str()).expect("a folder has a name");
            (name, folder.parent().expect("a folder lies in a folder"))
        } else {
            (stem, folder)
        };
        let file = path.file_name().and_then(|n| n.to_str()).expect("a file has a name");
        let named = sources
            .iter()
            .filter(|other| other.parent() == Some(home) || other.with_extension("") == home)
            .any(|other| {
                text(other).is_some_and(|text| {
                    text.lines().map(str::trim_start).any(|line| {
                        let declared = line.split_once("mod ").is_some_and(|(before, after)| {
                            (before.is_empty() || before.starts_with("pub"))
                                && after
                                    .strip_prefix(name)
                                    .is_some_and(|rest| rest.trim_start().starts_with([';', '{']))
                        });
                        declared || (line.starts_with("#[path") && line.contains(&format!("\"{file}\"")))
                    })
                })
            });
        if !named {
            lost.push(path.display().to_string());
        }
    }
    assert!(lost.is_empty(), "files that no module includes:\n{}", lost.join("\n"));
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files().into_iter().filter(|path| has_extension(path, &["md"])) {
        let Some(text) = text(&path) else { continue };
        let folder = path.parent().expect("a document lies in a folder");
        for (number, line) in text.lines().enumerate() {
            for target in
                line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
            {
                let file = target.split('#').next().unwrap_or_default();
                if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                    continue;
                }
                if !checkout().join(folder).join(file).exists() {
                    broken.push(format!("{}:{}: {target}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    let mut next = vec![PathBuf::from("README.md")];
    while let Some(path) = next.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let Some(text) = text(&path) else { continue };
        let folder = path.parent().expect("a document lies in a folder").to_owned();
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            let target = target.split('#').next().unwrap_or_default();
            let mut clean = PathBuf::new();
            for part in folder.join(target).components() {
                match part {
                    std::path::Component::ParentDir => {
                        clean.pop();
                    }
                    std::path::Component::CurDir => {}
                    other => clean.push(other),
                }
            }
            if checkout().join(&clean).is_dir() {
                next.extend(
                    files()
                        .into_iter()
                        .filter(|file| file.parent() == Some(&clean) && has_extension(file, &["md"])),
                );
            } else {
                next.push(clean);
            }
        }
    }
    let lost: Vec<_> = files()
        .into_iter()
        .filter(|path| path.starts_with("docs") && has_extension(path, &["md"]) && !reached.contains(path))
        .map(|path| path.display().to_string())
        .collect();
    assert!(lost.is_empty(), "documents that no document names:\n{}", lost.join("\n"));
}

#[test]
fn core_touches_no_file_socket_clock_or_database() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread::sleep",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "tokio",
        "tokio_postgres",
        "pgrx",
        "polars",
        "rusqlite",
    ];
    let mut found = Vec::new();
    for path in
        files().into_iter().filter(|path| path.starts_with("core/src") && has_extension(path, &["rs"]))
    {
        let text = text(&path).expect("a source is text");
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "core is pure:\n{}", found.join("\n"));
}

#[test]
fn arrows_between_crates_point_to_core() {
    for (folder, forbidden) in [
        (
            "core",
            &["headroom-pg", "headroom-node", "headroom-hub", "tokio", "pgrx", "polars", "rusqlite"][..],
        ),
        (
            "peer",
            &["headroom-pg", "headroom-node", "headroom-hub", "tokio", "pgrx", "polars", "rusqlite"][..],
        ),
        ("pg_extension", &["headroom-peer", "headroom-node", "headroom-hub", "tokio", "polars"][..]),
        ("collector", &["headroom-pg", "headroom-hub", "polars", "tokio-postgres"][..]),
        ("forecaster", &["headroom-pg", "headroom-node", "pgrx"][..]),
    ] {
        let manifest = text(&Path::new(folder).join("Cargo.toml")).expect("a manifest");
        let product = manifest.split("[dev-dependencies]").next().expect("a part before");
        for name in forbidden {
            let depends = product
                .lines()
                .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '='])));
            assert!(!depends, "{folder} depends on {name}");
        }
    }
}

#[test]
fn every_test_target_belongs_to_a_part_of_make_test() {
    let manifest = text(Path::new("tests/Cargo.toml")).expect("a manifest");
    let targets = manifest.split("[[test]]").skip(1).filter_map(|entry| {
        entry.lines().find_map(|line| line.strip_prefix("name = \"")).and_then(|rest| rest.strip_suffix('"'))
    });
    let parts = ["sql_", "system_", "browser_", "devices_"];
    let lost: Vec<_> =
        targets.filter(|name| *name != "tidy" && !parts.iter().any(|part| name.starts_with(part))).collect();
    assert!(lost.is_empty(), "no target of the Makefile runs {lost:?}: begin the name with one of {parts:?}");
}

#[test]
fn only_the_settings_read_the_environment() {
    let mut found = Vec::new();
    for path in files() {
        let service = path.starts_with("collector/src") || path.starts_with("forecaster/src");
        let settings =
            path.components().any(|part| part.as_os_str() == "config") || path.ends_with("command/mod.rs");
        if !service || settings || !has_extension(&path, &["rs"]) {
            continue;
        }
        let text = text(&path).expect("a source is text");
        let product = text.split("#[cfg(test)]").next().expect("a part before");
        for (number, line) in product.lines().enumerate() {
            if line.contains("env::var") {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "the environment is read outside config:\n{}", found.join("\n"));
}
