//! Charts drawn on the server as SVG: they need no script, print well and carry their own words.
//!
//! | File | What it is for |
//! |---|---|
//! | [`scale`] | from instants and values to places on the drawing, and round axis marks |
//! | [`measure`] | how a resource's values are written, with their unit |
//! | [`fan`] | history, limit, now line and the band of the forecast |
//! | [`bar`] | the used share of a unit, in a table cell |

pub(crate) mod bar;
pub(crate) mod fan;
pub(crate) mod measure;
mod scale;
