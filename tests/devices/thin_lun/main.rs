//! A thin-provisioned SCSI unit for tests: a user-space handler of the kernel's target (TCMU). It keeps no data, only
//! which threshold sets are mapped, and it runs out of space like a real pool.
//!
//! `thin-lun DEVICE SIZE-FILE`: `/dev/uioN` and the file in /sys that tells how large its mapping is. Layouts:
//! linux/target_core_user.h; pages: SBC, checked with sg_logs and sg_vpd.

mod pages;
mod ring;

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use pages::Unit;
use ring::Ring;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, size_file] = arguments.as_slice() else {
        eprintln!("usage: thin-lun /dev/uioN /sys/class/uio/uioN/maps/map0/size");
        return ExitCode::from(64);
    };
    match serve(device, size_file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thin-lun: {device}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(device: &str, size_file: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(device)?;
    let text = fs::read_to_string(size_file)?;
    let digits = text.trim().trim_start_matches("0x");
    let size = usize::from_str_radix(digits, 16).map_err(std::io::Error::other)?;
    let mut ring = Ring::map(&file, size)?;
    let mut unit = Unit::default();
    println!("thin-lun: serving");
    loop {
        // Looked at before waiting: what came before the device was opened wakes nobody.
        let mut answered = false;
        while let Some(command) = ring.next_command() {
            let answer = unit.answer(&command);
            ring.complete(&command, &answer);
            answered = true;
        }
        if answered {
            file.write_all(&[0; 4])?;
        }
        file.read_exact(&mut [0; 4])?;
    }
}
