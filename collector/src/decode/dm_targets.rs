//! Targets of a device-mapper device, as `DM_TABLE_STATUS` answers: one line each, in the form of `dmsetup`.
//!
//! Layout: linux/dm-ioctl.h, struct dm_target_spec: start 0..8, length 8..16, status 16..20, offset of the next
//! target from the start of the area 20..24, type 24..40, then the parameters as text ended by a zero. The numbers are
//! in the order of the machine, which is little-endian on all that the node runs on.

use super::{DecodeError, Page};

const PAGE: &str = "device-mapper status";
/// Bytes before a target's parameters.
const HEADER: usize = 40;

/// The lines of an area: `start length type parameters`.
///
/// # Errors
/// [`DecodeError`] where a target runs over the end of the area or points backwards.
pub fn lines(targets: u32, area: &[u8]) -> Result<Vec<String>, DecodeError> {
    let page = Page::new(PAGE, area);
    let mut lines = Vec::new();
    let mut at = 0;
    for index in 0..targets {
        let header = page.slice(at, HEADER)?;
        let parameters = area.get(at + HEADER..).unwrap_or(&[]);
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
        };
        let kind = text(&header[24..HEADER]);
        lines.push(format!("{} {} {kind} {}", page.le64(at)?, page.le64(at + 8)?, text(parameters)));
        let next = page.le32(at + 20)? as usize;
        if next <= at && index + 1 < targets {
            return Err(page.impossible(at + 20, 4, "the next target lies before this one"));
        }
        at = next;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn target(length: u64, next: u32, kind: &str, parameters: &str) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(next.to_le_bytes());
        bytes.extend(kind.as_bytes());
        bytes.resize(40, 0);
        bytes.extend(parameters.as_bytes());
        bytes.resize(next as usize, 0);
        bytes
    }

    #[test]
    fn a_line_reads_as_dmsetup_prints_it() {
        let area = target(131_072, 88, "thin-pool", "1 17/1024 320/1024 - rw no_discard_passdown");
        assert_eq!(
            lines(1, &area).unwrap(),
            ["0 131072 thin-pool 1 17/1024 320/1024 - rw no_discard_passdown"]
        );
        assert!(lines(2, &area).is_err(), "a second target that is not there");
        assert!(lines(u32::MAX, &[0; 80]).is_err(), "a circle");
    }
}
