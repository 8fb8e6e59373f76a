//! A capture: a file that a field engineer sends in. What it is, is told by its content where it can be, and by its
//! name for raw pages.

use std::borrow::Cow;

use headroom_core::unit::ComponentKind;
use serde_json::{Value, json};

use super::{
    DecodeError, PageName, Part, dm_thin, lvm, mdstat,
    raw_page::{self, Neighbours},
    redfish,
    redfish_tree::RedfishTree,
    smartctl, zpool,
};

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Its page or text is damaged.
    #[error(transparent)]
    Damaged(#[from] DecodeError),
    /// It should be JSON and is not.
    #[error("this is no JSON ({0}): the capture is cut off or damaged; take it again")]
    NotJson(#[from] serde_json::Error),
    /// It should be hexadecimal text and is not.
    #[error("line {line}: {word:?} is no byte in hexadecimal")]
    NotHexadecimal {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// It is JSON of another program.
    #[error("this JSON is neither smartctl --json, Redfish nor an LVM report: nothing in it can be decoded")]
    OtherJson,
    /// It is what another command prints, and the same device tells it in a form that is read here.
    #[error("this is {0}")]
    OtherForm(&'static str),
    /// It begins as Unicode text of two bytes a character and does not go on so.
    #[error(
        "this is no text, although it begins as UTF-16: the capture is cut off or damaged; take it again"
    )]
    NotText,
    /// A raw page whose name does not say which.
    #[error(
        "neither the content nor the name says what this is: name a raw page after its command, as in id-ctrl.bin, \
         smart-log.bin, vpd_83.bin or log_0c.bin, or give --page (headroom-node decode --help lists the pages)"
    )]
    UnknownPage,
    /// It is empty.
    #[error("the file is empty")]
    Empty,
}

/// What a capture told.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// What it is.
    pub format: &'static str,
    /// The components in it.
    pub parts: Vec<Part>,
    /// Figures of raw pages that core has no field for.
    pub figures: Value,
    /// What should be known about it.
    pub remarks: Vec<String>,
}

/// What lies around a capture.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// The name of the device that raw pages belong to: their folder.
    pub device: String,
    /// What its other pages told.
    pub neighbours: Neighbours,
    /// The Redfish service that the resource belongs to.
    pub tree: Option<&'a RedfishTree>,
}

/// Decodes a file's bytes. `name` is the file's name without folder.
///
/// # Errors
/// [`CaptureError`]: what is wrong with it, and what would mend it.
pub fn decode(
    name: &str,
    bytes: &[u8],
    page: Option<PageName>,
    around: &Surroundings<'_>,
) -> Result<Capture, CaptureError> {
    if bytes.is_empty() {
        return Err(CaptureError::Empty);
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match (page, extension.as_str()) {
        (_, "hex") => raw_pages(page.or(PageName::of_file(name)), &hexadecimal(bytes)?, around),
        (Some(page), _) => raw_pages(Some(page), bytes, around),
        (None, "bin" | "raw") => raw_pages(PageName::of_file(name), bytes, around),
        (None, "json") => json_of(&documents(bytes)?, around),
        (None, _) => {
            let bytes = unicode(bytes)?;
            match (bytes.iter().find(|byte| !byte.is_ascii_whitespace()), PageName::of_file(name)) {
                (Some(b'{' | b'['), _) => json_of(&documents(&bytes)?, around),
                // No text holds a zero byte, and hardly a page holds none.
                (_, Some(page)) if bytes.contains(&0) => raw_pages(Some(page), &bytes, around),
                _ => text(&bytes),
            }
        }
    }
}

/// The JSON documents of a file: one, several in a row, or an array of them, as commands in a loop leave them.
///
/// # Errors
/// It is no JSON, or not whole.
pub fn documents(bytes: &[u8]) -> Result<Vec<Value>, CaptureError> {
    let bytes = unicode(bytes)?;
    let mut documents =
        serde_json::Deserializer::from_slice(&bytes).into_iter().collect::<Result<Vec<Value>, _>>()?;
    if let [Value::Array(items)] = documents.as_mut_slice()
        && !items.is_empty()
    {
        return Ok(std::mem::take(items));
    }
    Ok(documents)
}

/// Text as UTF-8, without the mark that it may begin with: a shell of Windows writes UTF-16 into files.
fn unicode(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CaptureError> {
    let wide = |unit: fn([u8; 2]) -> u16| -> Result<Cow<'_, [u8]>, CaptureError> {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        match String::from_utf16(&units) {
            Ok(text) if rest.is_empty() => Ok(Cow::Owned(text.into_bytes())),
            _ => Err(CaptureError::NotText),
        }
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(Cow::Borrowed(rest)),
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

fn json_of(documents: &[Value], around: &Surroundings<'_>) -> Result<Capture, CaptureError> {
    let mut captures = Vec::new();
    for document in documents {
        captures.push(json(document, around)?);
    }
    let mut captures = captures.into_iter();
    let mut whole = captures.next().ok_or(CaptureError::Empty)?;
    for capture in captures {
        if capture.format != whole.format {
            return Err(CaptureError::OtherJson);
        }
        whole.parts.extend(capture.parts);
        whole.remarks.extend(capture.remarks);
    }
    Ok(whole)
}

/// JSON that tools write whose devices tell more in a form that is read here: a field that each has, and what to do.
const OTHER_JSON: [(&str, &str); 5] = [
    ("percent_used", NVME_TOOL),
    ("nlbaf", NVME_TOOL),
    ("subnqn", NVME_TOOL),
    ("blockdevices", "lsblk's JSON, which tells neither wear nor load: take smartctl --json=c -x DEVICE"),
    ("filesystems", "findmnt's JSON, which tells no device: take smartctl --json=c -x DEVICE"),
];
const NVME_TOOL: &str = "nvme-cli's output, which writes one field as 310, 310.0 or \"310\": take the page itself, as in \
                         nvme smart-log --output-format=binary DEVICE > smart-log.bin";
/// The same of text, by how it begins.
const OTHER_TEXT: [(&str, &str); 4] = [
    ("smartctl ", "smartctl's output for people: take it as smartctl --json=c -x DEVICE"),
    ("Smart Log for NVME", NVME_TOOL),
    ("NVME Identify", NVME_TOOL),
    ("Filesystem ", "df's output, which rounds: the node on that host measures file systems itself"),
];

fn json(json: &Value, around: &Surroundings<'_>) -> Result<Capture, CaptureError> {
    if smartctl::is_smartctl(json) {
        let parts = smartctl::decode(json)?;
        return Ok(Capture { format: "smartctl", parts, figures: Value::Null, remarks: Vec::new() });
    }
    if redfish::is_redfish(json) {
        let parts = match around.tree {
            Some(tree) => tree.parts_of(json),
            None => {
                let mut tree = RedfishTree::default();
                tree.add(json);
                tree.parts_of(json)
            }
        };
        let kind = redfish::resource_type(json).unwrap_or("untyped");
        let remarks = if parts.is_empty() {
            vec![format!("a Redfish {kind} resource tells no figure of capacity, load or wear")]
        } else {
            Vec::new()
        };
        return Ok(Capture { format: "redfish", parts, figures: Value::Null, remarks });
    }
    if lvm::is_report(json) {
        let parts = lvm::decode(json)?;
        return Ok(Capture { format: "lvm", parts, figures: Value::Null, remarks: Vec::new() });
    }
    let known = OTHER_JSON.iter().find(|(field, _)| json.get(field).is_some());
    Err(known.map_or(CaptureError::OtherJson, |(_, what)| CaptureError::OtherForm(what)))
}

fn text(bytes: &[u8]) -> Result<Capture, CaptureError> {
    let text = str::from_utf8(bytes).map_err(|_| CaptureError::UnknownPage)?;
    let capture = |format, parts| Capture { format, parts, figures: Value::Null, remarks: Vec::new() };
    if mdstat::is_mdstat(text) {
        return Ok(capture("mdstat", mdstat::decode(text)?));
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.iter().any(|line| zpool::is_zpool(line)) {
        return Ok(capture("zpool", zpool::decode(text)?));
    }
    let pools: Vec<&&str> = lines.iter().filter(|line| dm_thin::is_thin_pool(line)).collect();
    if pools.is_empty() {
        let known = OTHER_TEXT.iter().find(|(beginning, _)| text.trim_start().starts_with(beginning));
        return Err(known.map_or(CaptureError::UnknownPage, |(_, what)| CaptureError::OtherForm(what)));
    }
    let parts = pools.into_iter().map(|line| Ok(dm_thin::decode(line, None)?.part()));
    Ok(capture("dm_thin", parts.collect::<Result<_, DecodeError>>()?))
}

/// Raw pages: one, or for SCSI several in a row, as sg3_utils writes them.
fn raw_pages(
    name: Option<PageName>,
    bytes: &[u8],
    around: &Surroundings<'_>,
) -> Result<Capture, CaptureError> {
    let name = name.ok_or(CaptureError::UnknownPage)?;
    let pages = match name {
        PageName::ScsiVpd | PageName::ScsiLog => in_a_row(name, bytes)?,
        _ => vec![bytes],
    };
    let mut own = Vec::new();
    let mut remarks = Vec::new();
    let mut merged: Option<Part> = None;
    let mut kind = ComponentKind::Drive;
    let mut findings = super::Findings::default();
    for page in pages {
        let decoded = raw_page::decode(name, page, around.neighbours)?;
        kind = decoded.kind;
        own.push(decoded.figures);
        remarks.extend(decoded.remark);
        findings.merge(decoded.findings);
        merged = None;
    }
    // A page that only describes itself names no component.
    let tells = !(findings.sources.is_empty() && findings.missing.is_empty() && findings.identity.is_empty());
    if tells {
        let mut part = Part::new(kind, findings, &format!("capture:{}", around.device));
        part.label = Some(around.device.clone());
        merged = Some(part);
    }
    let figures = if own.len() == 1 { own.remove(0) } else { json!({"pages": own}) };
    Ok(Capture { format: name.format(), parts: merged.into_iter().collect(), figures, remarks })
}

/// Splits pages that follow each other by the length in bytes 2..4 of each. Padding of zeros after the last is left out.
fn in_a_row(name: PageName, bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut pages = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let rest = super::Page::new("SCSI page", &bytes[offset..]);
        if !pages.is_empty() && rest.bytes().iter().all(|byte| *byte == 0) {
            break;
        }
        let length = 4 + usize::from(rest.be16(2)?);
        if pages.is_empty() && length >= bytes.len() {
            // A single page, whole or cut off: its own decoder judges that and names the page.
            return Ok(vec![bytes]);
        }
        let page = rest.slice(0, length)?;
        // Standard INQUIRY data and the like would split into nonsense: only plausible headers go on.
        if !pages.is_empty() && name == PageName::ScsiLog && page[0] & 0x3f == 0 && page[0] & 0x40 == 0 {
            break;
        }
        pages.push(page);
        offset += length;
    }
    Ok(pages)
}

/// Hexadecimal text: bytes of one or two digits, divided by blanks or commas, `#` to the end of the line a comment.
fn hexadecimal(bytes: &[u8]) -> Result<Vec<u8>, CaptureError> {
    let bytes = unicode(bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        for word in
            line.split(|c: char| c.is_whitespace() || c == ',' || c == '-').filter(|word| !word.is_empty())
        {
            let byte = if word.len() <= 2 { u8::from_str_radix(word, 16).ok() } else { None };
            let bad =
                || CaptureError::NotHexadecimal { line: index + 1, word: word.chars().take(20).collect() };
            found.push(byte.ok_or_else(bad)?);
        }
    }
    if found.is_empty() { Err(CaptureError::Empty) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::{CaptureError, Surroundings, decode};

    #[test]
    fn hexadecimal_text_is_read_with_its_comments() {
        let text = b"# VPD\n0 80 0 4  41,42 # serial\n43 44\n";
        let capture = decode("vpd_sn.hex", text, None, &Surroundings::default()).unwrap();
        assert_eq!(capture.parts[0].findings.specs.serial.as_deref(), Some("ABCD"));
        let bad = decode("vpd_sn.hex", b"00 8\n00 xyz", None, &Surroundings::default()).unwrap_err();
        assert!(matches!(bad, CaptureError::NotHexadecimal { line: 2, .. }), "{bad}");
    }

    #[test]
    fn several_pages_in_a_row_are_one_component() {
        let text = "00 80 00 02 41 42  00 b1 00 3c 00 01".to_owned() + &" 00".repeat(58);
        let capture = decode("vpd_all.hex", text.as_bytes(), None, &Surroundings::default()).unwrap();
        assert_eq!(capture.parts.len(), 1);
        assert_eq!(capture.parts[0].findings.specs.rotation_rpm, Some(0));
        assert_eq!(capture.figures["pages"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_told_apart_asks_for_the_page() {
        let around = Surroundings::default();
        assert!(matches!(decode("x.bin", &[1, 2], None, &around), Err(CaptureError::UnknownPage)));
        assert!(matches!(decode("x.json", b"{", None, &around), Err(CaptureError::NotJson(_))));
        assert!(matches!(decode("x.json", b"{}", None, &around), Err(CaptureError::OtherJson)));
        assert!(matches!(decode("x.json", b"", None, &around), Err(CaptureError::Empty)));
        assert!(matches!(decode("x.json", b" \n", None, &around), Err(CaptureError::Empty)));
    }

    #[test]
    fn a_raw_page_with_a_name_of_its_own_needs_no_ending() {
        let around = Surroundings::default();
        for name in ["vpd_80.dat", "sda-vpd_80", "vpd_80.dump"] {
            let capture = decode(name, b"\0\x80\0\x02AB", None, &around).unwrap();
            assert_eq!(capture.parts[0].findings.specs.serial.as_deref(), Some("AB"), "{name}");
        }
        let text = decode("log_of_today.txt", b"the disk was changed", None, &around);
        assert!(matches!(text, Err(CaptureError::UnknownPage)), "{text:?}");
    }

    #[test]
    fn what_another_form_of_the_same_tool_is_says_which_to_take() {
        for (name, bytes, remedy) in [
            ("sda.txt", &b"smartctl 7.3 2022-02-28 r5338\n=== START"[..], "smartctl --json"),
            ("n.json", br#"{"temperature":310,"percent_used":"3"}"#, "--output-format=binary"),
            ("b.json", br#"{"blockdevices":[]}"#, "lsblk"),
        ] {
            let error = decode(name, bytes, None, &Surroundings::default()).unwrap_err();
            assert!(error.to_string().contains(remedy), "{error}");
        }
    }

    const DRIVE: &str = r#"{"json_format_version":[1,0],"smartctl":{"exit_status":0},"device":{"name":"/dev/sdü"},
        "serial_number":"S"}"#;

    #[test]
    fn text_of_any_encoding_is_read_and_half_of_it_is_not() {
        let wide = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(mark).chain(DRIVE.encode_utf16()).flat_map(bytes).collect()
        };
        for bytes in [
            wide(0xfeff, u16::to_le_bytes),
            wide(0xfeff, u16::to_be_bytes),
            [b"\xef\xbb\xbf", DRIVE.as_bytes()].concat(),
        ] {
            for name in ["drive.json", "drive"] {
                let read = decode(name, &bytes, None, &Surroundings::default()).unwrap();
                assert_eq!(read.parts[0].label.as_deref(), Some("/dev/sdü"), "{name}");
                let cut = decode(name, &bytes[..bytes.len() - 1], None, &Surroundings::default());
                assert!(matches!(cut, Err(CaptureError::NotText | CaptureError::NotJson(_))), "{cut:?}");
            }
        }
    }

    #[test]
    fn drives_in_a_row_or_in_a_list_are_all_read() {
        let around = Surroundings::default();
        let other = DRIVE.replace("\"S\"", "\"T\"");
        for text in [format!("{DRIVE}\n{other}\n"), format!("[{DRIVE},{other}]")] {
            let serials: Vec<String> = decode("all.json", text.as_bytes(), None, &around)
                .unwrap()
                .parts
                .into_iter()
                .filter_map(|part| part.findings.specs.serial)
                .collect();
            assert_eq!(serials, ["S", "T"]);
            let cut = decode("all.json", &text.as_bytes()[..text.len() - 3], None, &around);
            assert!(matches!(cut, Err(CaptureError::NotJson(_))), "half a list is damaged: {cut:?}");
        }
        let mixed = format!("{DRIVE} {{\"report\":[]}}");
        assert!(matches!(decode("x", mixed.as_bytes(), None, &around), Err(CaptureError::OtherJson)));
    }
}
