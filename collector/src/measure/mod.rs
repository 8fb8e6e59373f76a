//! One round after the other: measured, differenced, kept.
//!
//! | Room | What it is |
//! |---|---|
//! | [`clock`] | the time, passed in, and its jumps |
//! | [`difference`] | utilisation and queue depth from counters, inside one boot |
//! | [`round`] | one round of measuring |
//! | [`ask`] | what others ask of the thread that measures |
//! | [`worker`] | the thread that does it, every interval and when asked |
//! | [`keeper`] | the store, through full disks, deleted and damaged files |

pub mod ask;
pub mod clock;
pub mod difference;
pub mod keeper;
pub mod round;
pub mod worker;
