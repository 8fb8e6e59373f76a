//! Where the demo keeps its things: all below `.headroom/demo` of the checkout.

use std::path::{Path, PathBuf};

/// The demo's folders and files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The checkout.
    pub checkout: PathBuf,
    /// Folder with the built programs and the extension's library.
    pub programs: PathBuf,
}

impl Places {
    /// The demo's own folder.
    pub fn home(&self) -> PathBuf {
        self.checkout.join(".headroom/demo")
    }

    /// A file or folder in it.
    pub fn of(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    /// The private PostgreSQL.
    pub fn tree(&self) -> PathBuf {
        self.of("postgres")
    }

    /// The fictional fleet.
    pub fn fleet(&self) -> PathBuf {
        self.checkout.join("demo/fleet")
    }

    /// The real series.
    pub fn series(&self) -> PathBuf {
        self.checkout.join("tests/fixtures/series")
    }

    /// A built program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The folder of the server's socket. A socket's path holds 107 bytes at most; where the checkout lies deeper, it is
    /// a folder of the system's own for such things.
    pub fn socket(&self) -> PathBuf {
        let inside = self.of("run");
        if inside.as_os_str().len() <= xtask::server::SOCKET_FOLDER_BYTES_MAX {
            return inside;
        }
        let name = format!("headroom-demo-{:08x}", fingerprint(&self.checkout));
        std::env::temp_dir().join(name)
    }
}

/// FNV-1a of the path: another checkout gets another folder.
fn fingerprint(path: &Path) -> u32 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
