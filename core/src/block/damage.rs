//! What a reader of a block can find wrong with it.

/// The block is not what was written. Nothing of it is to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The bytes end before what they announce.
    #[error("the bytes end at {have} where {need} are announced")]
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes present.
        have: usize,
    },
    /// It does not begin as a block does.
    #[error("it does not begin with the mark of a block")]
    NoBlock,
    /// A version or code that this reader does not know: a newer writer, or damage.
    #[error("{what} {code} is unknown to this version")]
    Unknown {
        /// What has the code.
        what: &'static str,
        /// The code.
        code: u64,
    },
    /// The stored checksum is not that of the bytes.
    #[error("checksum of {what}: stored {stored:08x}, computed {computed:08x}")]
    Checksum {
        /// What was checked.
        what: &'static str,
        /// As stored.
        stored: u32,
        /// As computed.
        computed: u32,
    },
    /// A count or length is outside of what is possible.
    #[error("{what} of {value} is not possible")]
    Impossible {
        /// What has the value.
        what: &'static str,
        /// The value.
        value: u64,
    },
    /// The codec's own bytes contradict themselves.
    #[error("the {codec} section contradicts itself: {why}")]
    Codec {
        /// The codec.
        codec: &'static str,
        /// What it says.
        why: String,
    },
}
