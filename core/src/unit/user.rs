//! User information: whose unit it is, whom to ask and what they allow.

use serde::{Deserialize, Serialize};

/// A purpose for which data may leave a node. Each is off until granted, and may be withdrawn at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Keeping the unit running.
    Support,
    /// Telling its owner when it will run out.
    Advice,
    /// Making offers.
    Sales,
}

/// Which purposes the node's owner has granted. Nothing leaves a node while all are off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Consent {
    /// See [`Purpose::Support`].
    pub support: bool,
    /// See [`Purpose::Advice`].
    pub advice: bool,
    /// See [`Purpose::Sales`].
    pub sales: bool,
}

impl Consent {
    /// Whether this purpose is granted.
    pub fn allows(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Support => self.support,
            Purpose::Advice => self.advice,
            Purpose::Sales => self.sales,
        }
    }

    /// Whether any purpose is granted, so that data may leave at all.
    pub fn any(self) -> bool {
        self.support || self.advice || self.sales
    }

    /// Consent in force where two sides each keep their part: what both grant.
    pub fn and(self, other: Self) -> Self {
        Self {
            support: self.support && other.support,
            advice: self.advice && other.advice,
            sales: self.sales && other.sales,
        }
    }
}

/// A person to contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Electronic mail address.
    pub email: String,
}

/// The user information that a node keeps: the node's owner decides it. Commercial terms are the hub's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UserInformation {
    /// Rises with each change, so that a later version replaces an earlier one and never the other way.
    pub version: u64,
    /// Name of the organisation that uses the unit.
    pub organisation: String,
    /// The vendor's reference for this customer, where the owner knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_reference: Option<String>,
    /// Where the unit stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Whom to contact about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// What the owner allows.
    pub consent: Consent,
}
