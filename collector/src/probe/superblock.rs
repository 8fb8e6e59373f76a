//! Where file systems keep their UUID on disk, for kernels before 6.9 that do not tell.

use uuid::Uuid;

/// Bytes to read from [`Place::offset`].
pub const LENGTH: usize = 512;

/// Where a type of file system keeps its UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the superblock starts on the device, bytes.
    pub offset: u64,
    magic_at: usize,
    magic: &'static [u8],
    uuid_at: usize,
}

/// The place for a type; `None` where it is not known.
pub fn place(format: &str) -> Option<Place> {
    match format {
        // fs/ext4/ext4.h: s_magic at 0x38, s_uuid at 0x68 of the superblock at 1,024.
        "ext2" | "ext3" | "ext4" => {
            Some(Place { offset: 1_024, magic_at: 0x38, magic: &[0x53, 0xef], uuid_at: 0x68 })
        }
        // fs/xfs/libxfs/xfs_format.h: sb_magicnum at 0, sb_uuid at 32.
        "xfs" => Some(Place { offset: 0, magic_at: 0, magic: b"XFSB", uuid_at: 32 }),
        // include/uapi/linux/btrfs_tree.h: fsid at 32, magic at 64 of the superblock at 64 KiB.
        "btrfs" => Some(Place { offset: 65_536, magic_at: 64, magic: b"_BHRfS_M", uuid_at: 32 }),
        // include/linux/f2fs_fs.h: magic at 0, uuid at 108 of the superblock at 1,024.
        "f2fs" => Some(Place { offset: 1_024, magic_at: 0, magic: &[0x10, 0x20, 0xf5, 0xf2], uuid_at: 108 }),
        _ => None,
    }
}

/// The UUID in a superblock; `None` where the magic is another or the UUID is all zero.
pub fn uuid(place: &Place, superblock: &[u8]) -> Option<Uuid> {
    let magic = superblock.get(place.magic_at..place.magic_at + place.magic.len())?;
    let uuid = Uuid::from_slice(superblock.get(place.uuid_at..place.uuid_at + 16)?).ok()?;
    (magic == place.magic && !uuid.is_nil()).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, place, uuid};

    #[test]
    fn a_uuid_is_read_only_behind_the_right_magic() {
        for format in ["ext4", "xfs", "btrfs", "f2fs"] {
            let place = place(format).unwrap();
            let mut bytes = [0; LENGTH];
            bytes[place.uuid_at..place.uuid_at + 16].fill(7);
            assert_eq!(uuid(&place, &bytes), None, "{format} without magic");
            bytes[place.magic_at..place.magic_at + place.magic.len()].copy_from_slice(place.magic);
            assert_eq!(uuid(&place, &bytes).unwrap().as_bytes(), &[7; 16], "{format}");
            assert_eq!(uuid(&place, &bytes[..20]), None, "{format} torn");
        }
        assert_eq!(place("tmpfs"), None);
    }
}
