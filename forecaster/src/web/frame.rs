//! What stands around every page: who is signed in, where they are, and what they must know about the data.

use super::assets;
use super::person::SignedIn;

/// The frame of a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// Who is signed in.
    pub(crate) person: Option<SignedIn>,
    /// The path of the navigation entry that this page belongs to.
    pub(crate) section: &'static str,
    /// Where live parts of the page are taken anew from.
    pub(crate) address: String,
    /// What everybody must know about the data that this installation shows.
    pub(crate) banner: Option<String>,
    /// Seconds after which live parts of the page are taken anew; 0 for never.
    pub(crate) refresh_seconds: u32,
}

impl Frame {
    /// The address of an asset, with its fingerprint.
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The pages that this person's role has a use for.
    pub(crate) fn sections(&self) -> &'static [(&'static str, &'static str)] {
        self.person.as_ref().map_or(&[], |person| person.role.sections())
    }
}
