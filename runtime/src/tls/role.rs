//! Who may do what, and by which name in a certificate.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use thiserror::Error;

/// What the holder of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// An Envoy with a filter: asks for routes and endpoints, reports demand.
    Filter,
    /// KEDA: asks what to scale.
    Keda,
    /// A scaler: asks for workloads, exchanges ledgers with other scalers.
    Scaler,
    /// A control plane: serves routes, tells the one that leads how far its filters are.
    ControlPlane,
}

/// The names of certificates that have each role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    roles: BTreeMap<String, BTreeSet<Role>>,
}

/// One more name that has a role, as it is typed: `ROLE=SAN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    role: Role,
    name: String,
}

/// A text is no [`Role`] or no [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RoleError {
    /// No role is called so.
    #[error("{0:?} is no role: filter, keda, scaler and control-plane are")]
    Unknown(String),
    /// It is not of two parts.
    #[error("give ROLE=SAN, such as keda=keda.example.com")]
    NoName,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Filter, Self::Keda, Self::Scaler, Self::ControlPlane];

    /// How it is called in flags and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Keda => "keda",
            Self::Scaler => "scaler",
            Self::ControlPlane => "control-plane",
        }
    }

    /// The name (a URI) in a certificate that has this role in any case.
    pub fn san(self) -> &'static str {
        match self {
            Self::Filter => "spiffe://wakegate.dev/filter",
            Self::Keda => "spiffe://wakegate.dev/keda",
            Self::Scaler => "spiffe://wakegate.dev/scaler",
            Self::ControlPlane => "spiffe://wakegate.dev/control-plane",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| RoleError::Unknown(text.to_owned()))
    }
}

impl FromStr for Grant {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let (role, name) = text.split_once('=').ok_or(RoleError::NoName)?;
        if name.is_empty() {
            return Err(RoleError::NoName);
        }
        Ok(Self {
            role: role.parse()?,
            name: name.to_owned(),
        })
    }
}

impl Default for Allowed {
    fn default() -> Self {
        Self::new([])
    }
}

impl Allowed {
    /// The names that have their role in any case, and these.
    pub fn new(more: impl IntoIterator<Item = Grant>) -> Self {
        let usual = Role::ALL.into_iter().map(|role| Grant {
            role,
            name: role.san().to_owned(),
        });
        let mut roles = BTreeMap::<_, BTreeSet<_>>::new();
        for Grant { role, name } in usual.chain(more) {
            roles.entry(name).or_default().insert(role);
        }
        Self { roles }
    }

    /// The roles of whoever has all these names. They are compared byte by byte.
    pub fn roles_of(&self, names: &[String]) -> BTreeSet<Role> {
        let roles = names.iter().filter_map(|name| self.roles.get(name));
        roles.flatten().copied().collect()
    }

    /// The names that have a role, for a message.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.roles.keys().map(String::as_str).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(allowed: &Allowed, names: &[&str]) -> Vec<Role> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        allowed.roles_of(&names).into_iter().collect()
    }

    #[test]
    fn a_name_has_a_role_when_it_is_the_same_to_the_byte() {
        let allowed = Allowed::default();
        for role in Role::ALL {
            assert_eq!(roles(&allowed, &["x", role.san()]), [role]);
        }
        for other in [
            "",
            "filter",
            "spiffe://wakegate.dev/filter/",
            "spiffe://wakegate.dev/Filter",
            "spiffe://wakegate.dev/filter ",
            "spiffe://wakegate.dev",
        ] {
            assert_eq!(roles(&allowed, &[other]), [], "{other}");
        }
    }

    #[test]
    fn more_names_are_allowed_beside_the_usual_ones() {
        let more = ["keda=keda.example.com", "filter=a=b", "scaler=a=b"];
        let allowed = Allowed::new(more.map(|grant| grant.parse().unwrap()));
        assert_eq!(roles(&allowed, &["keda.example.com"]), [Role::Keda]);
        assert_eq!(roles(&allowed, &["a=b"]), [Role::Filter, Role::Scaler]);
        assert_eq!(roles(&allowed, &[Role::Keda.san()]), [Role::Keda]);
    }

    #[test]
    fn a_grant_has_a_role_and_a_name() {
        for wrong in ["", "keda", "keda="] {
            assert_eq!(wrong.parse::<Grant>(), Err(RoleError::NoName), "{wrong}");
        }
        let unknown = "Keda=x".parse::<Grant>().unwrap_err();
        assert!(unknown.to_string().starts_with("\"Keda\" is no role"));
    }
}
