//! From plan to offer, and back when the need is gone.
