//! Units of measure and how they are printed.

mod bytes;

pub use bytes::{Bytes, BytesIec, BytesSi};
