//! `headroom-node`: measures storage units where they stand and tells their owner first.

fn main() {}
