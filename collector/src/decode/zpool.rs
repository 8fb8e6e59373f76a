//! `zpool list -Hp`: tab-separated, in bytes: name, size, allocated, free, checkpoint, expand size, fragmentation,
//! capacity, dedup, health, altroot. A faulted pool has `-` for all figures. `-v` adds the vdevs, indented by a tab.

use headroom_core::unit::{AbsenceReason, CapacitySource, ComponentKey, ComponentKind};

use super::{DecodeError, Findings, Part};

const PAGE: &str = "zpool list -Hp";

/// Decodes every line: one pool each. No line is no pool, which is an answer too.
///
/// # Errors
/// [`DecodeError`] with the line where a line has too few columns or a size in a rounded unit.
pub fn decode(output: &str) -> Result<Vec<Part>, DecodeError> {
    let mut pools: Vec<Part> = Vec::new();
    for (index, line) in output.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some(member) = line.strip_prefix('\t') else {
            pools.push(pool(index + 1, line)?);
            continue;
        };
        // With -v the vdevs follow, indented; with -P a drive is the path of its device.
        let name = member.trim_start().split('\t').next().unwrap_or("");
        if let (Some(pool), true) = (pools.last_mut(), name.starts_with('/')) {
            pool.provided_by.push(ComponentKey(format!("device:{name}")));
        }
    }
    Ok(pools)
}

/// Whether a line looks like one of `zpool list -Hp`.
pub fn is_zpool(line: &str) -> bool {
    let columns: Vec<&str> = line.split('\t').collect();
    columns.len() >= 10
        && columns.iter().any(|word| {
            matches!(
                *word,
                "ONLINE" | "DEGRADED" | "FAULTED" | "OFFLINE" | "REMOVED" | "UNAVAIL" | "SUSPENDED"
            )
        })
}

fn pool(number: usize, line: &str) -> Result<Part, DecodeError> {
    let bad = |what: String| DecodeError::BadText {
        page: PAGE,
        offset: number,
        length: line.len(),
        what: format!("line {number}: {what}"),
    };
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, size, allocated, free, ..] = columns.as_slice() else {
        return Err(bad(format!("{} columns, not 10 or 11: ask with -Hp", columns.len())));
    };
    let figure = |column: &str, what: &str| match column {
        "-" => Ok(None),
        digits => digits
            .parse::<u64>()
            .map(Some)
            .map_err(|_| bad(format!("{what} is {digits:?}, not bytes: ask with -p"))),
    };
    let health =
        columns.iter().skip(4).find(|word| word.len() > 4 && word.chars().all(|c| c.is_ascii_uppercase()));
    let mut found = Findings::default();
    found.specs.format = Some("zfs".to_owned());
    match (figure(size, "size")?, figure(allocated, "allocated")?, figure(free, "free")?) {
        (Some(size), Some(allocated), _) if allocated <= size => {
            found.status.capacity_bytes = found.bytes("capacity_bytes", size.into(), "zpool list SIZE");
            found.specs.capacity_bytes = found.status.capacity_bytes;
            found.status.used_bytes = found.bytes("used_bytes", allocated.into(), "zpool list ALLOC");
            found.status.used_source = found.status.used_bytes.map(|_| CapacitySource::Zfs);
        }
        (Some(size), Some(allocated), _) => {
            return Err(bad(format!("{allocated} of {size} bytes are allocated")));
        }
        _ => {
            for field in ["capacity_bytes", "used_bytes"] {
                let detail =
                    format!("zpool list has no figures: the pool is {}", health.unwrap_or(&"not readable"));
                found.absent(field, AbsenceReason::Refused, detail);
            }
        }
    }
    let mut part = Part::new(ComponentKind::Pool, found, &format!("zfs:{name}"));
    part.label = Some((*name).to_owned());
    Ok(part)
}

#[cfg(test)]
mod tests {
    use headroom_core::quantity::Bytes;

    use super::{decode, is_zpool};

    #[test]
    fn a_pool_tells_bytes_and_a_faulted_one_says_so() {
        let output =
            "tank\t1000\t400\t600\t-\t-\t33\t40\t1.00\tONLINE\t-\nbad\t-\t-\t-\t-\t-\t-\t-\t-\tFAULTED\t-\n";
        let parts = decode(output).unwrap();
        assert_eq!(parts[0].findings.status.used_bytes, Some(Bytes(400)));
        assert_eq!(parts[1].findings.status.used_bytes, None);
        assert!(parts[1].absences()[0].detail.as_ref().unwrap().contains("FAULTED"));
        assert!(is_zpool(output.lines().next().unwrap()));
    }

    #[test]
    fn vdevs_are_what_the_pool_is_made_of() {
        let output = "tank\t1000\t400\t600\t-\t-\t33\t40\t1.00\tONLINE\t-\n\tmirror-0\t1000\t400\t600\n\t/dev/sda1\t-\t-\t-\n\
                      \t/dev/sdb1\t-\t-\t-\n";
        let parts = decode(output).unwrap();
        assert_eq!((parts.len(), parts[0].provided_by.len()), (1, 2));
    }

    #[test]
    fn damage_names_its_line() {
        assert!(decode("tank\t1000\n").unwrap_err().to_string().contains("line 1"));
        assert!(decode("a\t1\t1\t0\nb\t3.6T\t1\t0\n").unwrap_err().to_string().contains("line 2"));
        assert!(decode("a\t1\t2\t0\n").is_err());
        assert!(decode("").unwrap().is_empty());
    }
}
