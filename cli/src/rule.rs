//! What every table of rules has: rules, findings, and how a finding is printed.
//!
//! What stands in `<angle brackets>` is filled in for each object. A name that ends in `?` may be empty, and is left
//! out of the page.

use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

/// One thing that may be said of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule<S: 'static> {
    /// Its name, which stays the same.
    pub id: &'static str,
    /// How much it matters.
    pub severity: S,
    /// The field that it is about; the exact path is in each finding.
    pub field: &'static str,
    /// What is so.
    pub text: &'static str,
    /// What to do; empty where nothing has to be done.
    pub fix: &'static str,
}

/// A part of the table.
#[derive(Debug)]
pub struct Group<S: 'static> {
    /// What its rules are about.
    pub title: &'static str,
    /// The rules.
    pub rules: &'static [&'static Rule<S>],
}

/// What is said of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<S: 'static> {
    /// By which rule.
    pub rule: &'static Rule<S>,
    /// The field; empty for the whole object.
    pub field: String,
    /// What is so.
    pub text: String,
    /// What to do; empty where nothing has to be done.
    pub fix: String,
}

/// What is filled in, by name.
pub(crate) type Facts<'a> = &'a [(&'a str, &'a str)];

impl<S> Rule<S> {
    /// The rule, of a field of an object.
    pub(crate) fn at(&'static self, field: impl Into<String>, facts: Facts<'_>) -> Finding<S> {
        Finding {
            rule: self,
            field: field.into(),
            text: filled_in(self.text, facts),
            fix: filled_in(self.fix, facts),
        }
    }
}

/// Two lines: what is so, and what to do.
impl<S: Display> Display for Finding<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            field,
            text,
            fix,
        } = self;
        write!(f, "  {:<7}  ", rule.severity)?;
        if !field.is_empty() {
            write!(f, "{field}: ")?;
        }
        writeln!(f, "{text} [{}]", rule.id)?;
        if !fix.is_empty() {
            writeln!(f, "           -> {fix}")?;
        }
        Ok(())
    }
}

/// The names of its fields are a promise: the pages on the commands have them.
impl<S: Serialize> Serialize for Finding<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        #[derive(Serialize)]
        struct Fields<'a, S> {
            rule: &'a str,
            severity: &'a S,
            field: &'a str,
            text: &'a str,
            fix: &'a str,
        }
        let fields = Fields {
            rule: self.rule.id,
            severity: &self.rule.severity,
            field: &self.field,
            text: &self.text,
            fix: &self.fix,
        };
        fields.serialize(serializer)
    }
}

fn filled_in(template: &str, facts: Facts<'_>) -> String {
    let mut text = template.to_owned();
    for (name, value) in facts {
        text = text.replace(&format!("<{name}>"), value);
    }
    text
}

/// Writes a part of a table, in a module below the one that says what `Rule` and `Severity` are: its rules by their
/// names, and the list of them.
macro_rules! rules {
    ($($name:ident = $severity:ident $id:literal at $field:literal: $text:literal => $fix:literal;)+) => {
        $(pub(crate) static $name: super::Rule = super::Rule {
            id: $id,
            severity: super::Severity::$severity,
            field: $field,
            text: $text,
            fix: $fix,
        };)+
        /// All of them, in the order of the page.
        pub(crate) const ALL: &[&super::Rule] = &[$(&$name),+];
    };
}
pub(crate) use rules;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_where_their_names_were() {
        let filled = filled_in("<a> of <b> and <a>", &[("a", "1"), ("b", "2")]);
        assert_eq!(filled, "1 of 2 and 1");
    }
}
