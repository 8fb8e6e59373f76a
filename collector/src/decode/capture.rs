//! A capture: a file that a field engineer sends in. What it is, is told by its content where it can be, and by its
//! name for raw pages.

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
    /// A raw page whose name does not say which.
    #[error("the name does not say which page this is: name it as in id_ctrl.bin, or give --page")]
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
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match (page, extension.as_str()) {
        (_, "hex") => raw_pages(page.or(PageName::of_file(name)), &hexadecimal(bytes)?, around),
        (Some(page), _) => raw_pages(Some(page), bytes, around),
        (None, "bin" | "raw") => raw_pages(PageName::of_file(name), bytes, around),
        (None, "json") => json(&serde_json::from_slice(bytes)?, around),
        (None, _) if matches!(first, Some(b'{' | b'[')) => json(&serde_json::from_slice(bytes)?, around),
        (None, _) => text(bytes),
    }
}

fn json(json: &Value, around: &Surroundings<'_>) -> Result<Capture, CaptureError> {
    if smartctl::is_smartctl(json) {
        let parts = smartctl::decode(json)?;
        return Ok(Capture { format: "smartctl", parts, figures: Value::Null, remarks: Vec::new() });
    }
    if redfish::is_redfish(json) {
        let parts = match around.tree {
            Some(tree) => tree.parts_of(json),
            None => redfish::decode(json)?,
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
    Err(CaptureError::OtherJson)
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
        return Err(CaptureError::UnknownPage);
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
    let text = String::from_utf8_lossy(bytes);
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
    }
}
