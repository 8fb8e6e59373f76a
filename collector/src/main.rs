//! `headroom-node`: measures storage units where they stand and tells their owner first.

use std::process::ExitCode;

fn main() -> ExitCode {
    headroom_node::command::run()
}
