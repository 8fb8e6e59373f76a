//! What stands around every page: who is signed in, where they are, and what they must know about the data.

use crate::database::people::{Person, Role};
use crate::web::assets;

/// The frame of a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// Who is signed in.
    pub(crate) person: Option<Person>,
    /// The path of the navigation entry that this page belongs to.
    pub(crate) section: &'static str,
    /// What everybody must know about the data that this installation shows.
    pub(crate) banner: Option<String>,
    /// Seconds after which live parts of the page are taken anew; 0 for never.
    pub(crate) refresh_seconds: u32,
}

impl Frame {
    /// The frame for who is not signed in.
    pub(crate) fn nobody() -> Self {
        Self::default()
    }

    /// The address of an asset, with its fingerprint.
    pub(crate) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The pages that this person's role has a use for.
    pub(crate) fn sections(&self) -> &'static [(&'static str, &'static str)] {
        match self.person.as_ref().map(|person| person.role) {
            None => &[],
            Some(Role::Customer) => &[("/", "Units"), ("/offers", "Offers"), ("/portal", "My data"), ("/accuracy", "Accuracy")],
            Some(Role::Sales | Role::Reader) => {
                &[("/", "Worklist"), ("/offers", "Offers"), ("/catalogue", "Catalogue"), ("/accuracy", "Accuracy")]
            }
            Some(Role::Admin) => &[
                ("/", "Worklist"),
                ("/offers", "Offers"),
                ("/catalogue", "Catalogue"),
                ("/accuracy", "Accuracy"),
                ("/health", "Fleet health"),
                ("/portal", "Data and consent"),
            ],
        }
    }
}
