//! Prepares cases and fits the constants of the capacity model on the public series.
//!
//! `headroom-forecast-fit cases FIXTURES OUT`: evidence and truth of training and official cases, for trials.

mod cases;
mod series;

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cases", fixtures, out] => cases::write_all(&PathBuf::from(fixtures), &PathBuf::from(out)),
        _ => {
            eprintln!("usage: headroom-forecast-fit cases FIXTURES OUT");
            std::process::exit(64);
        }
    }
}
