//! `/proc/mdstat`: software RAID sets, their size and members.
//!
//! `md0 : active raid1 sdb1[1] sda1[0](F)` and below it `1048512 blocks super 1.2 [2/2] [UU]`, blocks of 1024 bytes.

use headroom_core::unit::{AbsenceReason, ComponentKey, ComponentKind};

use super::{DecodeError, Findings, Part};

const PAGE: &str = "/proc/mdstat";

/// Whether the text is `/proc/mdstat`.
pub fn is_mdstat(text: &str) -> bool {
    text.starts_with("Personalities :")
}

/// Decodes every set. Members are named by their device: `device:sda1`.
///
/// # Errors
/// [`DecodeError`] with the line where a set has no level or its size is no number.
pub fn decode(text: &str) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((name, rest)) = line.split_once(" : ") else { continue };
        if !name.starts_with("md") || name.contains(char::is_whitespace) {
            continue;
        }
        parts.push(set(index + 1, name, rest, lines.get(index + 1).copied().unwrap_or(""))?);
    }
    Ok(parts)
}

fn set(number: usize, name: &str, rest: &str, below: &str) -> Result<Part, DecodeError> {
    let bad = |number: usize, what: String| DecodeError::BadText {
        page: PAGE,
        offset: number,
        length: rest.len(),
        what: format!("line {number}: {what}"),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let mut found = Findings::default();
    let is_member = |word: &&&str| word.contains('[');
    found.specs.format =
        words.iter().skip(1).find(|word| !is_member(word) && !word.starts_with('(')).map(|w| (*w).to_owned());
    if words.first() == Some(&"active") && found.specs.format.is_none() {
        return Err(bad(number, format!("{name} is active and has no level")));
    }
    let mut size = below.split_whitespace();
    match (size.next(), size.next()) {
        (Some(blocks), Some("blocks")) => {
            let blocks: u64 =
                blocks.parse().map_err(|_| bad(number + 1, format!("{blocks:?} is no number of blocks")))?;
            let bytes = u128::from(blocks) * 1024;
            found.specs.capacity_bytes =
                found.bytes("capacity_bytes", bytes, "/proc/mdstat blocks, times 1024");
            found.status.capacity_bytes = found.specs.capacity_bytes;
        }
        _ => found.absent(
            "capacity_bytes",
            AbsenceReason::NotReported,
            "/proc/mdstat has no blocks for the set",
        ),
    }
    let detail = "software RAID does not know what is spent: what is built on it does";
    found.absent("used_bytes", AbsenceReason::Unsupported, detail);
    if below.contains('_') && below.contains("[U") || below.contains("[_") {
        found.disagreements.push(format!("{name} is degraded: {}", below.trim()));
    }
    let mut part = Part::new(ComponentKind::Pool, found, &format!("device:{name}"));
    part.label = Some(name.to_owned());
    part.provided_by = words
        .iter()
        .filter(is_member)
        .filter_map(|word| word.split('[').next())
        .map(|device| ComponentKey(format!("device:{device}")))
        .collect();
    Ok(part)
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::decode;

    const TEXT: &str = "Personalities : [raid1] [raid6]\nmd0 : active raid1 sdb1[1] sda1[0](F)\n      1048512 blocks \
                        super 1.2 [2/1] [U_]\n      \nmd1 : inactive sdc1[0](S)\n      99 blocks\nunused devices: <none>\n";

    #[test]
    fn sets_have_size_level_and_members() {
        let parts = decode(TEXT).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].findings.specs.capacity_bytes, Some(Bytes(1_048_512 * 1024)));
        assert_eq!(parts[0].findings.specs.format.as_deref(), Some("raid1"));
        assert_eq!(parts[0].provided_by[1].0, "device:sda1");
        assert_eq!(parts[0].findings.disagreements.len(), 1, "degraded");
    }

    #[test]
    fn damage_names_its_line() {
        let error = decode("Personalities :\nmd0 : active raid1 sda[0]\n   many blocks\n").unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert!(decode("Personalities :\nmd0 : active sda[0]\n").is_err());
        assert!(decode("Personalities : \nunused devices: <none>\n").unwrap().is_empty());
    }
}
