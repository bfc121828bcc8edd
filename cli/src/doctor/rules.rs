//! The one table of what may be said of an installation. The page of documentation has it as well: `docs/doctor.md`.

pub(crate) mod envoy_gateway;
pub(crate) mod installation;
pub(crate) mod istio;
pub(crate) mod routes;
pub(crate) mod scaling;

use std::fmt;

use serde::Serialize;

use crate::rule;

/// One thing that may be said of an object.
pub type Rule = rule::Rule<Severity>;

/// A part of the table.
pub type Group = rule::Group<Severity>;

/// What is said of one object.
pub type Finding = rule::Finding<Severity>;

/// How much a rule matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be meant.
    Note,
    /// Requests are lost, or wake what they should not, when something else happens as well.
    Warning,
    /// Requests are lost, or nothing is held.
    Error,
}

/// The whole table.
pub const GROUPS: [Group; 5] = [
    Group {
        title: "Routes",
        rules: routes::ALL,
    },
    Group {
        title: "Envoy Gateway",
        rules: envoy_gateway::ALL,
    },
    Group {
        title: "Istio",
        rules: istio::ALL,
    },
    Group {
        title: "Scaling",
        rules: scaling::ALL,
    },
    Group {
        title: "The installation",
        rules: installation::ALL,
    },
];

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
