//! The mount table, /proc/self/mountinfo (proc(5)).

use std::collections::BTreeMap;

/// One line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of the device, as `stat` shows it for files in it.
    pub device: (u32, u32),
    /// Which folder of the file system is mounted: `/` unless it is a bind mount or a subvolume.
    pub root: String,
    /// Where.
    pub mount_point: String,
    /// Type.
    pub format: String,
    /// What is mounted: usually a device node.
    pub source: String,
}

/// File systems that keep data on a device and can fill up. Everything else is measured only when asked for by name.
const FORMATS: [&str; 19] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs", "msdos",
    "nilfs2", "ntfs", "ntfs3", "reiserfs", "ufs", "vfat", "xfs", "zfs",
];

impl Mount {
    /// Whether this is a file system that keeps data on a device of this machine.
    pub fn keeps_data(&self) -> bool {
        FORMATS.contains(&self.format.as_str())
    }

    /// The device number as `stat` encodes it.
    pub fn device_number(&self) -> u64 {
        rustix::fs::makedev(self.device.0, self.device.1)
    }
}

/// Reads the table. Lines that are not in its form are left out and counted.
pub fn parse(text: &str) -> (Vec<Mount>, usize) {
    let mut mounts = Vec::new();
    let mut refused = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match parse_line(line) {
            Some(mount) => mounts.push(mount),
            None => refused += 1,
        }
    }
    (mounts, refused)
}

fn parse_line(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ');
    let (_id, _parent) = (fields.next()?, fields.next()?);
    let (major, minor) = fields.next()?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    let mut rest = fields.skip_while(|field| *field != "-").skip(1);
    let format = unescape(rest.next()?);
    let source = unescape(rest.next()?);
    mount_point.starts_with('/').then_some(Mount { device, root, mount_point, format, source })
}

/// Blank, tab, line feed and backslash stand as three octal digits.
fn unescape(field: &str) -> String {
    let bytes = field.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 4)
            .filter(|d| bytes[at] == b'\\' && d.iter().all(|b| (b'0'..=b'7').contains(b)));
        match digits {
            Some(d) => {
                let value = u32::from(d[0] - b'0') * 64 + u32::from(d[1] - b'0') * 8 + u32::from(d[2] - b'0');
                text.push(u8::try_from(value).unwrap_or(b'?'));
                at += 4;
            }
            None => {
                text.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// One mount for each file system: bind mounts and subvolumes of it show the same space again. A later mount on the
/// same point hides the earlier one. The whole file system at the shortest path is preferred.
pub fn one_for_each_file_system(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut visible: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in mounts {
        visible.insert(mount.mount_point.clone(), mount);
    }
    let mut chosen: BTreeMap<(u32, u32), Mount> = BTreeMap::new();
    let rank = |mount: &Mount| (mount.root != "/", mount.mount_point.len(), mount.mount_point.clone());
    for mount in visible.into_values() {
        match chosen.entry(mount.device) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(mount);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                if rank(&mount) < rank(place.get()) {
                    place.insert(mount);
                }
            }
        }
    }
    chosen.into_values().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{one_for_each_file_system, parse};

    const TABLE: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 254:0 /srv /mnt/again rw shared:1 - ext4 /dev/vda rw
41 27 8:1 / /mnt/two\\040words rw master:3 shared:9 - xfs /dev/sda1 rw
this is no mount line
";

    #[test]
    fn bind_mounts_count_once_and_blanks_are_read() {
        let (mounts, refused) = parse(TABLE);
        assert_eq!((mounts.len(), refused), (4, 1));
        let kept = one_for_each_file_system(mounts);
        let points: Vec<_> = kept.iter().filter(|m| m.keeps_data()).map(|m| m.mount_point.as_str()).collect();
        assert_eq!(points, ["/mnt/two words", "/"]);
    }

    #[test]
    fn what_is_mounted_over_hides_what_is_below() {
        let (mounts, _) =
            parse("1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - xfs /dev/sdb1 rw\n");
        let kept = one_for_each_file_system(mounts);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].format, "xfs");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse(&text);
            parse(&String::from_utf8_lossy(&bytes));
            parse(&format!("1 2 3:4 /{text} /{text} rw - {text} {text}"));
        }
    }
}
