//! `headroom`: the hub's one service and command line.

fn main() {}
