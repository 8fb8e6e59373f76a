//! Prepares cases and fits the constants of the capacity model on the public series.
//!
//! `headroom-forecast-fit cases FIXTURES OUT`: evidence and truth of training and official cases, for trials.

mod cases;
mod network;
mod series;
mod trial;

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cases", fixtures, out] => cases::write_all(&PathBuf::from(fixtures), &PathBuf::from(out)),
        [what @ ("trial" | "fit"), dir, ref settings @ ..] => {
            let get = |name: &str, default: f64| {
                let named = |s: &&str| s.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
                settings.iter().find_map(named).unwrap_or(default)
            };
            let recipe = network::Recipe {
                epochs: get("epochs", 6.0),
                rate: get("rate", 2e-3),
                decay: get("decay", 1e-3),
                drop: get("drop", 0.1),
                batch: get("batch", 512.0) as usize,
            };
            let balance = trial::Balance {
                pool: get("pool", 0.5),
                b: get("b", 0.3),
                n: get("n", 0.3),
                horizon: get("horizon", 1096.0),
                power: get("power", 0.5),
            };
            let (members, sub) = (get("members", 4.0) as u64, get("sub", 1.0));
            let dir = PathBuf::from(dir);
            if what == "fit" {
                trial::fit(&dir, &dir.join("capacity.f32"), &recipe, &balance, members, sub);
            } else {
                trial::run(&dir, &recipe, &balance, members, sub, get("folds", 6.0) as u64);
            }
        }
        _ => {
            eprintln!("usage: headroom-forecast-fit cases FIXTURES OUT");
            std::process::exit(64);
        }
    }
}
