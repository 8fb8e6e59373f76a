//! The life of an offer and the rules of contact.
