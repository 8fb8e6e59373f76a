//! Migrations, templates and assets are embedded: a change of any makes the program anew.

use std::path::Path;
use std::{env, fs};

/// The name in the program, and the file: our own, and those of the npm packages that `make` installs.
const ASSETS: [(&str, &str); 6] = [
    ("base.css", "assets/node_modules/modern-normalize/modern-normalize.css"),
    ("style.css", "assets/style.css"),
    ("theme.js", "assets/theme.js"),
    ("morph.js", "assets/node_modules/idiomorph/dist/idiomorph.min.js"),
    ("app.js", "assets/app.js"),
    ("icon.svg", "assets/icon.svg"),
];

fn main() {
    println!("cargo:rerun-if-changed=../sql");
    println!("cargo:rerun-if-changed=templates");
    let out = env::var("OUT_DIR").expect("cargo names the folder");
    for (name, path) in ASSETS {
        println!("cargo:rerun-if-changed={path}");
        let content = fs::read(path).unwrap_or_else(|error| {
            let remedy = "run `npm ci --prefix forecaster/assets --ignore-scripts`, as `make` does";
            // A developer's build goes on, and a test says what is missing; a release without its style sheet is none.
            assert!(env::var("PROFILE").as_deref() != Ok("release"), "{path}: {error}: {remedy}");
            println!("cargo:warning={path} is missing, the web view has no style: {remedy}");
            Vec::new()
        });
        fs::write(Path::new(&out).join(name), content).expect("cargo's folder takes files");
    }
}
