//! `headroom-node decode FILE|FOLDER…`: what the decoders make of captures, one line of JSON a file.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::Value;

use crate::decode::{
    Capture, CaptureError, PageName, Report, Surroundings, capture, raw_page::Neighbours, redfish,
    redfish_tree::RedfishTree, scsi_read_capacity, scsi_vpd,
};

/// No capture is larger: what is, is no capture.
const LENGTH_MAX: u64 = 64 << 20;
/// Exit codes of sysexits.h.
const EX_DATAERR: u8 = 65;
const EX_NOINPUT: u8 = 66;
const EX_CANTCREAT: u8 = 73;
const EX_NOPERM: u8 = 77;

/// Arguments of `decode`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Captures: smartctl JSON, raw pages (.bin, .raw), sg3_utils .hex, Redfish JSON, LVM reports, zpool list, mdstat;
    /// of a folder every capture in it
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Which raw page the files are, where their names do not say
    #[arg(long, value_enum)]
    pub page: Option<PageName>,
    /// Indent the JSON
    #[arg(long)]
    pub pretty: bool,
}

/// Decodes and prints one result a file. The exit code is the worst file's: 0 read, 65 damaged, 66 not there, 77 not
/// allowed.
pub fn run(args: &Args) -> ExitCode {
    ExitCode::from(write_reports(args, &mut io::stdout().lock()))
}

/// [`run`] with another place to print to; the exit code as a number.
pub fn write_reports(args: &Args, out: &mut dyn Write) -> u8 {
    let (files, mut worst) = gather(&args.paths);
    let mut skipped = 0;
    let trees = trees(&files);
    for file in &files {
        let Some(report) = report(file, args.page, &trees) else {
            skipped += 1;
            continue;
        };
        worst = worst.max(report.exit());
        if let Err(error) = print(&report, args.pretty, out) {
            // A reader that has seen enough (head, less) is no error.
            if error.kind() == io::ErrorKind::BrokenPipe {
                return worst;
            }
            eprintln!("headroom-node: cannot write the result: {error}");
            return EX_CANTCREAT;
        }
    }
    if skipped > 0 {
        eprintln!(
            "headroom-node: {skipped} files in the folders are no captures by name and content, left out"
        );
    }
    worst
}

fn print(report: &Report, pretty: bool, out: &mut dyn Write) -> io::Result<()> {
    let text = if pretty { serde_json::to_string_pretty(report) } else { serde_json::to_string(report) };
    writeln!(out, "{}", text.map_err(io::Error::other)?)?;
    out.flush()
}

/// A file to decode.
struct File {
    path: PathBuf,
    /// Whether it was found in a folder: what is no capture is left out then, not refused.
    is_found: bool,
}

/// The files under the paths, sorted; the exit code for folders without any.
fn gather(paths: &[PathBuf]) -> (Vec<File>, u8) {
    let mut files = Vec::new();
    let mut worst = 0;
    for path in paths {
        if !path.is_dir() {
            files.push(File { path: path.clone(), is_found: false });
            continue;
        }
        let before = files.len();
        worst = worst.max(walk(path, &mut files));
        if files.len() == before {
            eprintln!("headroom-node: {}: the folder holds no file", path.display());
            worst = worst.max(EX_NOINPUT);
        }
    }
    (files, worst)
}

/// Adds the files below a folder; the exit code of what cannot be listed, which costs the rest nothing.
fn walk(folder: &Path, files: &mut Vec<File>) -> u8 {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<fs::DirEntry>, _>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            eprintln!("headroom-node: {}: cannot be listed: {error}", folder.display());
            return exit_of(&error);
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut worst = 0;
    for entry in entries {
        // Links are not followed: a folder that links to its parent would never end.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => worst = worst.max(walk(&entry.path(), files)),
            Ok(kind) if kind.is_file() => files.push(File { path: entry.path(), is_found: true }),
            Ok(_) => {}
            Err(error) => worst = worst.max(exit_of(&error)),
        }
    }
    worst
}

fn exit_of(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::PermissionDenied => EX_NOPERM,
        io::ErrorKind::NotFound => EX_NOINPUT,
        _ => EX_DATAERR,
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Not by its length: a pipe and a device node have none.
    fs::File::open(path)?.take(LENGTH_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LENGTH_MAX {
        let what = format!("it is longer than any capture ({LENGTH_MAX} bytes)");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a text that cannot be read says what it was meant to be: half a capture is damaged, whatever it is called.
fn names_itself(bytes: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]);
    ["\"json_format_version\"", "\"@odata.", "\"report\""].iter().any(|mark| beginning.contains(mark))
}

fn is_capture_name(path: &Path) -> bool {
    matches!(extension(path).as_str(), "json" | "bin" | "raw" | "hex")
}

/// Pages of one device lie in a folder of its name.
fn device_of(folder: &Path) -> String {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.file_name().map_or_else(|| "device".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The result for a file; none for a file of a folder that is no capture by name and content.
fn report(file: &File, page: Option<PageName>, trees: &BTreeMap<PathBuf, RedfishTree>) -> Option<Report> {
    let name = file.path.display().to_string();
    let bytes = match read(&file.path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(Report::failed(name, exit_of(&error), format!("cannot be read: {error}"))),
    };
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let documents = capture::documents(&bytes).unwrap_or_default();
    let tree = documents.first().and_then(|json| trees.get(&service_root(&file.path, json)));
    let around = Surroundings { device: device_of(folder), neighbours: neighbours(folder), tree };
    let base = file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match capture::decode(&base, &bytes, page, &around) {
        Ok(capture) => Some(Report::read(name, capture)),
        // Beside captures lie settings of the tools that took them: well-formed, and of no device.
        Err(error @ (CaptureError::OtherJson | CaptureError::OtherForm(_))) if file.is_found => {
            let remarks = vec![error.to_string()];
            let capture = Capture { format: "other", parts: Vec::new(), figures: Value::Null, remarks };
            Some(Report::read(name, capture))
        }
        // A damaged mdstat is one, whatever it is called; what is no known text is no capture.
        Err(
            CaptureError::UnknownPage
            | CaptureError::Empty
            | CaptureError::NotText
            | CaptureError::NotJson(_),
        ) if file.is_found && !is_capture_name(&file.path) && !names_itself(&bytes) => None,
        Err(error) => Some(Report::failed(name, EX_DATAERR, error.to_string())),
    }
}

/// What other pages in the folder tell about the same device.
fn neighbours(folder: &Path) -> Neighbours {
    let page = |name: &str| fs::read(folder.join(name)).ok();
    let capacity = page("readcap16.bin").and_then(|bytes| scsi_read_capacity::decode(&bytes).ok());
    let provisioning = page("vpd_b2.bin").and_then(|bytes| scsi_vpd::provisioning(&bytes).ok());
    Neighbours {
        block_bytes: capacity.map(|capacity| capacity.block_bytes),
        threshold_exponent: provisioning.and_then(|provisioning| provisioning.threshold_exponent),
    }
}

/// Redfish resources that were found together, one tree a service: ids repeat between services.
fn trees(files: &[File]) -> BTreeMap<PathBuf, RedfishTree> {
    let mut trees: BTreeMap<PathBuf, RedfishTree> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_found && extension(&file.path) == "json") {
        // What cannot be read says so when its own turn comes.
        let Ok(bytes) = read(&file.path) else { continue };
        for json in capture::documents(&bytes).unwrap_or_default() {
            trees.entry(service_root(&file.path, &json)).or_default().add(&json);
        }
    }
    trees
}

/// The folder in which a Redfish service was captured: the path without the part that the resource's id repeats.
fn service_root(path: &Path, json: &Value) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    let Some(id) = json.get("@odata.id").and_then(Value::as_str) else {
        return folder.to_owned();
    };
    let id = redfish::normal_id(id);
    let inside = id.trim_start_matches("/redfish/v1").trim_matches('/');
    let depth = Path::new(inside).components().count();
    if folder.ends_with(inside) {
        folder.ancestors().nth(depth).unwrap_or(folder).to_owned()
    } else {
        folder.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::{Args, write_reports};

    const DRIVE: &str = r#"{"json_format_version":[1,0],"smartctl":{"exit_status":0},"serial_number":"S"}"#;

    fn decode(path: &Path) -> (u8, Vec<(String, u64)>) {
        let args = Args { paths: vec![path.to_owned()], page: None, pretty: false };
        let mut out = Vec::new();
        let exit = write_reports(&args, &mut out);
        let results = String::from_utf8(out).unwrap();
        let results = results.lines().map(|line| {
            let result: Value = serde_json::from_str(line).unwrap();
            let file = Path::new(result["file"].as_str().unwrap()).file_name().unwrap();
            (file.to_str().unwrap().to_owned(), result["exit"].as_u64().unwrap())
        });
        (exit, results.collect())
    }

    #[test]
    fn a_folder_gives_one_result_a_capture_and_the_worst_files_code() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("a.json", DRIVE.as_bytes());
        write("b-vpd_80.dump", b"\0\x80\0\x02AB");
        write("notes.txt", b"taken on Monday");
        write("settings.json", b"{\"interval\": 5}");
        let (exit, results) = decode(folder.path());
        let read = ["a.json", "b-vpd_80.dump", "settings.json"].map(|name| (name.to_owned(), 0));
        assert_eq!((exit, results.as_slice()), (0, &read[..]), "the notes are no capture");
        write("c.txt", &DRIVE.as_bytes()[..60]);
        write("mdstat", b"Personalities : [raid1]\nmd0 : active raid1 sda1[0]\n      x blocks\n");
        let (exit, results) = decode(folder.path());
        assert_eq!(exit, 65);
        let damaged: Vec<&str> =
            results.iter().filter(|(_, exit)| *exit == 65).map(|(file, _)| file.as_str()).collect();
        assert_eq!(damaged, ["c.txt", "mdstat"], "half a capture is damaged, whatever it is called");
        assert_eq!(decode(&folder.path().join("missing")).0, 66);
        assert_eq!(decode(&folder.path().join("notes.txt")).0, 65, "what is named must be readable");
    }
}
