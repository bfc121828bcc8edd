//! The one table of what may be said of an object. The page of documentation has it as well: `page.rs`.
//!
//! What stands in `<angle brackets>` is filled in for each object. A name that ends in `?` may be empty, and is left
//! out of the page.

pub(crate) mod everywhere;
pub(crate) mod installation;
pub(crate) mod objects;
pub(crate) mod scaling;
pub(crate) mod traffic;

use serde::Serialize;

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

/// One thing that may be said of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which stays the same.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The field that it is about; the exact path is in each finding.
    pub field: &'static str,
    /// What is so.
    pub text: &'static str,
    /// What to do; empty where nothing has to be done.
    pub fix: &'static str,
}

/// A part of the table.
#[derive(Debug)]
pub struct Group {
    /// What its rules are about.
    pub title: &'static str,
    /// The rules.
    pub rules: &'static [&'static Rule],
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

impl Severity {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Change => "change",
            Self::Problem => "problem",
        }
    }
}

/// What is said of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// By which rule.
    pub rule: &'static Rule,
    /// The field; empty for the whole object.
    pub field: String,
    /// What is so.
    pub text: String,
    /// What to do; empty where nothing has to be done.
    pub fix: String,
}

/// What is filled in, by name.
pub(crate) type Facts<'a> = &'a [(&'a str, &'a str)];

impl Rule {
    /// The rule, of a field of an object.
    pub(crate) fn at(&'static self, field: impl Into<String>, facts: Facts<'_>) -> Finding {
        Finding {
            rule: self,
            field: field.into(),
            text: filled_in(self.text, facts),
            fix: filled_in(self.fix, facts),
        }
    }
}

fn filled_in(template: &str, facts: Facts<'_>) -> String {
    let mut text = template.to_owned();
    for (name, value) in facts {
        text = text.replace(&format!("<{name}>"), value);
    }
    text
}

/// Writes a part of the table: its rules by their names, and the list of them.
macro_rules! rules {
    ($($name:ident = $severity:ident $id:literal at $field:literal: $text:literal => $fix:literal;)+) => {
        $(pub(crate) static $name: $crate::migrate::rules::Rule = $crate::migrate::rules::Rule {
            id: $id,
            severity: $crate::migrate::rules::Severity::$severity,
            field: $field,
            text: $text,
            fix: $fix,
        };)+
        /// All of them, in the order of the page.
        pub(crate) const ALL: &[&$crate::migrate::rules::Rule] = &[$(&$name),+];
    };
}
pub(crate) use rules;

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

    #[test]
    fn facts_stand_where_their_names_were() {
        let filled = filled_in("<a> of <b> and <a>", &[("a", "1"), ("b", "2")]);
        assert_eq!(filled, "1 of 2 and 1");
    }
}
