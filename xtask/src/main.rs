//! Tasks of the project that have outgrown a page of shell.

fn main() {}
