//! Prepares cases and fits the constants of the capacity model on the public series.
//!
//! `headroom-forecast-fit cases FIXTURES OUT`: evidence and truth of training and official cases, for trials.

mod cases;
mod network;
#[path = "../../../../../forecaster/src/score/mod.rs"]
#[allow(dead_code)]
mod score;
mod series;
mod trial;

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cases", fixtures, out] => cases::write_all(&PathBuf::from(fixtures), &PathBuf::from(out)),
        ["score", series, cases, out] => {
            let gz = |p: &str| std::io::Cursor::new(series::text(&PathBuf::from(p)));
            let series = score::series::read(gz(series)).unwrap();
            let units = score::cases::read(gz(cases), &series).unwrap();
            let p = score::predict::predict(
                &units,
                &series,
                &headroom_core::forecast::Prior::builtin(),
                1,
                &|| (),
            );
            println!("{} units, {:?}", units.len(), p.cpu);
            let mut w = csv::Writer::from_path(out).unwrap();
            p.rows.iter().for_each(|r| w.serialize(r).unwrap());
        }
        ["m4", train, out] => {
            let series = score::m4::read(std::io::Cursor::new(series::text(&PathBuf::from(train)))).unwrap();
            let start = std::time::Instant::now();
            let answers = score::m4::predict(&series, 1, &|| ());
            println!("{} series, {:?}", series.len(), start.elapsed());
            let mut w = csv::WriterBuilder::new().from_path(out).unwrap();
            score::m4::rows(&series, &answers).iter().for_each(|r| w.write_record(r).unwrap());
        }
        ["speed"] => {
            let mut random = cases::Random(3);
            let units: Vec<Vec<f64>> = (0..500)
                .map(|_| {
                    let mut v = 1e12;
                    (0..365)
                        .map(|_| {
                            v += random.between(-1.0, 3.0) * 1e9;
                            v
                        })
                        .collect()
                })
                .collect();
            let start = score::cpu::of_this_thread().unwrap();
            let mut sum = 0.0;
            for u in &units {
                let last = u[364];
                let limits: Vec<f64> = (1..=8).map(|i| last + 3e10 * f64::from(i * i)).collect();
                sum += headroom_core::forecast::first_passages(
                    u,
                    &limits,
                    365,
                    &headroom_core::forecast::Prior::builtin(),
                )
                .iter()
                .map(|p| p.quantile(0.5).unwrap_or(0.0))
                .sum::<f64>();
            }
            let cpu = score::cpu::of_this_thread().unwrap() - start;
            println!("{:.0} units per CPU second ({sum:.1})", 500.0 / cpu.as_secs_f64());
        }
        [what @ ("trial" | "fit"), dir, ref settings @ ..] => {
            let get = |name: &str, default: f64| {
                let named = |s: &&str| s.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
                settings.iter().find_map(named).unwrap_or(default)
            };
            let recipe = network::Recipe {
                share: get("share", 0.3),
                epochs: get("epochs", 4.2),
                rate: get("rate", 2e-3),
                decay: get("decay", 1e-3),
                noise: get("noise", 0.2),
                batch: get("batch", 512.0) as usize,
            };
            let balance = trial::Balance {
                pool: get("pool", 0.35),
                b: get("b", 1.0),
                n: get("n", 1.0),
                alarm: get("alarm", 4.0),
                others: get("others", 0.3),
                horizon: get("horizon", 1096.0),
                power: get("power", 0.5),
            };
            let members = get("members", 4.0) as u64;
            let threads = get("threads", 1.0) as usize;
            let dir = PathBuf::from(dir);
            if what == "fit" {
                trial::fit(&dir, &dir.join("capacity.f32"), &recipe, &balance, members, threads);
            } else {
                trial::run(&dir, &recipe, &balance, members, get("folds", 6.0) as u64, threads);
            }
        }
        _ => {
            eprintln!("usage: headroom-forecast-fit cases FIXTURES OUT");
            std::process::exit(64);
        }
    }
}
