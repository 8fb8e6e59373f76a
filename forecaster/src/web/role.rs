//! What each role has a use for. What a person sees of it is decided by row-level security, not here.

use super::problem::Problem;

/// The role of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Runs the hub: sees and changes everything.
    Admin,
    /// Serves customers: moves their offers.
    Sales,
    /// Owns units: answers offers, decides about consent.
    Customer,
    /// Analyses what is measured and forecast: no names or addresses of people, no offers.
    Reader,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 4] = [Self::Admin, Self::Sales, Self::Customer, Self::Reader];

    /// The role of this name in the database.
    pub(crate) fn of(name: &str) -> Result<Self, Problem> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| Problem::Internal(anyhow::anyhow!("unknown role {name:?} of a person")))
    }

    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Sales => "sales",
            Self::Customer => "customer",
            Self::Reader => "reader",
        }
    }

    /// The pages that this role has a use for, with their names.
    pub(crate) fn sections(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Admin => &[
                ("/", "Worklist"),
                ("/offers", "Offers"),
                ("/unmatched", "Unmatched"),
                ("/catalogue", "Catalogue"),
                ("/accuracy", "Accuracy"),
                ("/health", "Fleet health"),
                ("/portal", "Data and consent"),
            ],
            Self::Sales => &[
                ("/", "Worklist"),
                ("/offers", "Offers"),
                ("/catalogue", "Catalogue"),
                ("/accuracy", "Accuracy"),
            ],
            Self::Customer => {
                &[("/", "Units"), ("/offers", "Offers"), ("/portal", "My data"), ("/accuracy", "Accuracy")]
            }
            Self::Reader => &[("/", "Worklist"), ("/catalogue", "Catalogue"), ("/accuracy", "Accuracy")],
        }
    }

    /// Refuses who has no such page.
    pub(crate) fn require_section(self, path: &str) -> Result<(), Problem> {
        if self.sections().iter().any(|(section, _)| *section == path) {
            Ok(())
        } else {
            Err(Problem::Forbidden(format!("this page is not for the role {}", self.as_str())))
        }
    }

    /// Whether names and addresses of people are shown.
    pub(crate) fn sees_contacts(self) -> bool {
        self != Self::Reader
    }

    /// Whether this role has a node read live.
    pub(crate) fn may_ask(self) -> bool {
        self != Self::Reader
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn names_come_back_as_roles() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.as_str()).expect("a role"), role);
        }
        assert!(Role::of("root").is_err());
    }

    #[test]
    fn only_an_admin_decides_about_the_fleet() {
        for path in ["/unmatched", "/health"] {
            for role in Role::ALL {
                assert_eq!(role.require_section(path).is_ok(), role == Role::Admin, "{role:?} {path}");
            }
        }
        assert!(Role::Reader.require_section("/offers").is_err());
    }
}
