//! The node inside emulated machines: live values against what was done to the devices, and against what the tools of
//! others read from them. `make test-devices` builds what is booted here.

#![expect(clippy::unwrap_used, reason = "what a test finds missing ends it where it stands")]

mod device;
mod drives;
mod machine;
mod seen;
mod targets;
