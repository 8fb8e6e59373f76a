//! Captures: every file that a field engineer could send in decodes to values or to a stated absence, in the form that
//! docs/capture.schema.json describes. Our own lie in tests/fixtures/captures. Those of real drives and arrays were not
//! written by this project and are not carried in it: they are read where a folder shared/captures lies beside the
//! checkout or further up, and the test says so where there is none.

#![expect(clippy::unwrap_used, reason = "what a test finds missing ends it where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use headroom_tests::built::{checkout, program};
use serde_json::{Value, json};

/// Captures that their makers damaged on purpose, and texts that are no JSON at all: each must be refused by name.
const DAMAGED: [&str; 7] = [
    "dell_chassisinvalid.json",
    "dell_powerinvalid.json",
    "dell_systemsinvalid.json",
    "dell_thermalinvalid.json",
    "hp_powerinvalid.json",
    "hp_systemsinvalid.json",
    "hp_thermalinvalid.json",
];

/// What `headroom-node decode` printed for a folder, by file; and its exit code.
struct Decoded {
    results: BTreeMap<PathBuf, Value>,
    exit: Option<i32>,
}

fn decode(folder: &Path) -> Decoded {
    let output = Command::new(program("headroom-node").unwrap()).arg("decode").arg(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let results = text.lines().map(|line| {
        let result: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let file = Path::new(result["file"].as_str().unwrap()).strip_prefix(folder).unwrap().to_owned();
        (file, result)
    });
    Decoded { results: results.collect(), exit: output.status.code() }
}

fn schema() -> (Schemas, SchemaIndex) {
    let path = checkout().join("docs/capture.schema.json");
    let mut schemas = Schemas::new();
    let index = Compiler::new().compile(&path.display().to_string(), &mut schemas).unwrap();
    (schemas, index)
}

fn is_of_the_schema(result: &Value, (schemas, index): &(Schemas, SchemaIndex)) {
    if let Err(error) = schemas.validate(result, *index) {
        panic!("not of the schema: {error:#}\n{result:#}");
    }
}

fn list<'a>(result: &'a Value, name: &str) -> &'a [Value] {
    result[name].as_array().map_or(&[], Vec::as_slice)
}

/// Every component tells something: figures with their source, or why there are none; and no figure is without a source.
fn tells_or_states(file: &Path, result: &Value) {
    let told: BTreeSet<(&str, &str)> = list(result, "sources")
        .iter()
        .map(|source| (source["component"].as_str().unwrap(), source["field"].as_str().unwrap()))
        .collect();
    let absent: BTreeSet<(&str, &str)> = list(result, "absences")
        .iter()
        .map(|absence| (absence["component"].as_str().unwrap(), absence["field"].as_str().unwrap()))
        .collect();
    for component in list(result, "components") {
        let key = component["key"].as_str().unwrap();
        let speaks = told.iter().chain(&absent).any(|(of, _)| *of == key)
            || component["identity"].as_array().is_some_and(|identity| !identity.is_empty());
        assert!(speaks, "{}: {key} says nothing and not why", file.display());
    }
    for status in list(result, "status") {
        let key = status["component"].as_str().unwrap();
        for field in status
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| !["component", "used_source"].contains(&name.as_str()))
        {
            assert!(told.contains(&(key, field)), "{}: {field} of {key} has no source", file.display());
            assert!(
                !absent.contains(&(key, field)),
                "{}: {field} of {key} is there and absent",
                file.display()
            );
        }
    }
    let is_page = result["page"].is_object() || !list(result, "remarks").is_empty();
    assert!(
        !list(result, "components").is_empty() || is_page,
        "{}: nothing at all: {result}",
        file.display()
    );
}

/// One line a group of files.
#[derive(Default)]
struct Line {
    files: usize,
    refused: usize,
    components: usize,
    figures: usize,
    absences: usize,
}

fn table(title: &str, results: &BTreeMap<PathBuf, Value>) {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for (file, result) in results {
        let group = file.iter().next().unwrap().to_string_lossy().into_owned();
        let format = result["format"].as_str().unwrap_or("refused").to_owned();
        let line = lines.entry((group, format)).or_default();
        line.files += 1;
        line.refused += usize::from(result["exit"] != 0);
        line.components += list(result, "components").len();
        line.figures += list(result, "sources").len();
        line.absences += list(result, "absences").len();
    }
    println!(
        "\n{title}\n{:<18} {:<22} {:>6} {:>8} {:>11} {:>8} {:>9}",
        "from", "format", "files", "refused", "components", "figures", "absences"
    );
    for ((group, format), line) in &lines {
        let Line { files, refused, components, figures, absences } = line;
        println!(
            "{group:<18} {format:<22} {files:>6} {refused:>8} {components:>11} {figures:>8} {absences:>9}"
        );
    }
}

#[test]
fn our_own_captures_decode_to_what_was_done_to_the_devices() {
    let folder = checkout().join("tests/fixtures/captures");
    let decoded = decode(&folder);
    assert_eq!(decoded.exit, Some(0));
    let schema = schema();
    for (file, result) in &decoded.results {
        is_of_the_schema(result, &schema);
        tells_or_states(file, result);
    }
    table("tests/fixtures/captures", &decoded.results);

    let of = |file: &str| &decoded.results[&Path::new("raw-pages").join(file)];
    let status = |file: &str, field: &str| list(of(file), "status")[0][field].clone();
    let specs = |file: &str, field: &str| list(of(file), "components")[0]["specs"][field].clone();
    // 64 MiB were written in between, counted in thousands of 512 bytes, rounded up.
    let written = |file: &str| status(file, "data_written_bytes").as_u64().unwrap_or(0);
    let grown = written("run1/nvme0_after/smart_ctrl.bin") - written("run1/nvme0/smart_ctrl.bin");
    assert!((64 << 20..=(64 << 20) + 2 * 512_000).contains(&grown), "{grown}");
    // Fresh, 20 MiB written, 10 MiB of them discarded, then written until the pool of 48 MiB was exhausted.
    let used = ["thin", "thin2", "thin3", "thin4"]
        .map(|look| status(&format!("run8/{look}/log_0c.bin"), "used_bytes").as_u64().unwrap_or(0) >> 20);
    assert_eq!(used, [0, 20, 10, 48]);
    assert_eq!(status("run8/thin2/log_11.bin", "endurance_used_percent"), 17);
    // A controller without a namespace has no list of them, and no capacity is made up for it.
    assert_eq!(of("run6/nvme0/ns_list_active.bin")["page"], json!({"namespaces": []}));
    assert_eq!(specs("run6/nvme0/id_ctrl.bin", "capacity_bytes"), Value::Null);
    // Of 512 and of 4,096 bytes in a block.
    assert_eq!(specs("run6/nvme1/id_ns_1.bin", "logical_block_bytes"), 512);
    assert_eq!(specs("run6/nvme1/id_ns_2.bin", "logical_block_bytes"), 4_096);
}

#[test]
fn captures_of_real_drives_and_arrays_decode_to_values_or_to_a_stated_absence() {
    let beside = checkout().ancestors().skip(1).map(|folder| folder.join("shared/captures"));
    let Some(folder) = beside.into_iter().find(|folder| folder.is_dir()) else {
        println!("skipped: no folder shared/captures lies beside the checkout or further up");
        return;
    };
    let decoded = decode(&folder);
    let schema = schema();
    let mut refused = BTreeSet::new();
    for (file, result) in &decoded.results {
        is_of_the_schema(result, &schema);
        if result["exit"] == 0 {
            tells_or_states(file, result);
        } else {
            refused.insert(file.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    table("shared/captures", &decoded.results);
    assert_eq!(refused, DAMAGED.map(str::to_owned).into());
    assert_eq!(decoded.exit, Some(65), "the worst file's");

    // Nothing that is a capture by its name is left out.
    let mut all = Vec::new();
    walk(&folder, &mut all);
    for file in all.iter().filter(|file| {
        ["json", "bin", "raw", "hex"]
            .iter()
            .any(|kind| file.extension().is_some_and(|extension| extension == *kind))
    }) {
        let name = file.strip_prefix(&folder).unwrap();
        assert!(decoded.results.contains_key(name), "{} was left out", name.display());
    }
    // The trap of many namespaces: such drives have no capacity in smartctl's JSON, and 0 is none.
    let zeros = decoded.results.values().flat_map(|result| list(result, "components"));
    let zeros: Vec<&Value> = zeros.filter(|component| component["specs"]["capacity_bytes"] == 0).collect();
    assert!(zeros.is_empty(), "{zeros:#?}");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

#[test]
fn the_schema_has_every_figure_of_a_status() {
    let text = std::fs::read_to_string(checkout().join("docs/capture.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let told: BTreeSet<&str> = schema["$defs"]["status"]["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|name| !["component", "used_source"].contains(name))
        .collect();
    assert_eq!(told, headroom_core::unit::FIGURES.iter().map(|figure| figure.name).collect());
}
