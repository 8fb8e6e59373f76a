//! Keeps the section that describes the extension's SQL in the library, without touching anybody's global flags.

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,--no-gc-sections");
    println!("cargo:rerun-if-changed=build.rs");
}
