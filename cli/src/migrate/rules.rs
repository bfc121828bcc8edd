//! The one table of what may be said of an object. The page of documentation has it as well: `page.rs`.
//!
//! What stands in `<angle brackets>` is filled in for each object. A name that ends in `?` may be empty, and is left
//! out of the page.

pub(crate) mod everywhere;
pub(crate) mod installation;
pub(crate) mod objects;
pub(crate) mod scaling;
pub(crate) mod traffic;

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
    /// It differs, on purpose or because another part has it here. Nothing has to be done.
    Note,
    /// It has to be changed by hand in the course of the move.
    Change,
    /// It cannot work as it stands, with Wakegate or at all.
    Problem,
}

/// The whole table.
pub const GROUPS: [Group; 5] = [
    Group {
        title: "InterceptorRoutes and HTTPScaledObjects",
        rules: objects::ALL,
    },
    Group {
        title: "ScaledObjects",
        rules: scaling::ALL,
    },
    Group {
        title: "HTTPRoutes, GRPCRoutes, Ingresses and what belongs to them",
        rules: traffic::ALL,
    },
    Group {
        title: "The add-on itself",
        rules: installation::ALL,
    },
    Group {
        title: "All routes",
        rules: everywhere::ALL,
    },
];

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Change => "change",
            Self::Problem => "problem",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_and_says_something() {
        let rules = || GROUPS.iter().flat_map(|group| group.rules);
        let ids: BTreeSet<_> = rules().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules().count());
        for rule in rules() {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(rule.id.bytes().all(is_plain), "{}", rule.id);
            assert!(
                !rule.text.is_empty() && !rule.field.is_empty(),
                "{}",
                rule.id
            );
            let asks = rule.severity != Severity::Note;
            assert!(
                !asks || !rule.fix.is_empty(),
                "{}: what is to be done?",
                rule.id
            );
        }
    }
}
