//! The node's decoders alone: they know nothing else of the node, so nothing else of it is built with the sanitizer.

#[path = "../../collector/src/decode/mod.rs"]
pub mod decode;
