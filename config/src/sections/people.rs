//! Technicians.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::HasName;
use crate::values::{Name, Secret};

/// A technician.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to log in with.
    #[schemars(with = "Name")]
    pub name: String,
    /// Groups that rules can name.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub groups: Vec<String>,
    /// Argon2id hash of a password, as `passerelle hash-password` prints it. Not needed for tickets.
    #[serde(default)]
    pub password_hash: Option<Secret>,
    /// The second factor, as `passerelle totp enroll` writes it. Its code is then part of every login with the
    /// password.
    #[serde(default)]
    pub totp: Option<Secret>,
}

impl HasName for User {
    fn name(&self) -> &str {
        &self.name
    }
}
