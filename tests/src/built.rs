//! Where the programs and libraries under test are: beside the running test, in the same target folder and profile.
//! The Makefile builds them before (`make tree`).

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The folder of this build, such as `target/debug`.
///
/// # Errors
/// When the running test is not in a target folder.
pub fn folder() -> anyhow::Result<PathBuf> {
    let test = env::current_exe().context("the running test has no path")?;
    // target/debug/deps/test-0123456789abcdef
    let folder = test.parent().and_then(Path::parent);
    folder.map(Path::to_owned).with_context(|| format!("{} is in no target folder", test.display()))
}

/// A program of this build.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    find(name)
}

/// The extension's library of this build.
///
/// # Errors
/// When it has not been built.
pub fn library() -> anyhow::Result<PathBuf> {
    find("libheadroom.so")
}

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the checkout")
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(name);
    if !path.exists() {
        bail!("{} is missing: build it with `make tree`", path.display());
    }
    Ok(path)
}
