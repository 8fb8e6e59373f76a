//! Text and binary answers of the kernel and of tools: dmsetup, device mapper, zpool, mdstat, and files by name.
#![no_main]

use decoders::decode::{Surroundings, capture, dm_targets, dm_thin, mdstat, zpool};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = dm_targets::lines(3, bytes);
    for name in ["notes.txt", "log_all.hex", "vpd_all.hex", "log_0c.bin", "answer.json"] {
        let _ = capture::decode(name, bytes, None, &Surroundings::default());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = dm_thin::decode(text, None);
    let _ = dm_thin::thin_volume(text);
    let _ = mdstat::decode(text);
    let _ = zpool::decode(text);
});
