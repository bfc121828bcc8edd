//! Facts of the add-on's own CRDs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::cel::{self, Fields};

/// What the add-on's CRD says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) scope: String,
    pub(crate) has_status: bool,
    /// Name, type and path.
    pub(crate) columns: Vec<(String, String, String)>,
    /// By path.
    pub(crate) fields: BTreeMap<String, Facts>,
}

/// What it says of one field, in its words but for the rules.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    #[serde(flatten)]
    pub(crate) keywords: BTreeMap<String, Value>,
}

/// What a rule asks of an object.
#[derive(Debug, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Rule {
    ExactlyOneOf {
        exactly_one_of: Vec<String>,
    },
    AtLeastOneOf {
        at_least_one_of: Vec<String>,
    },
    AtMostOneOf {
        at_most_one_of: Vec<String>,
    },
    If {
        r#if: Fields,
        must_have: String,
    },
    OnlyIf {
        only_if: Fields,
        may_have: String,
    },
    /// Of a duration.
    IsAtLeast {
        is_at_least: String,
    },
}

impl Rule {
    /// Whether a rule in CEL lets the same objects pass.
    pub(crate) fn is_same_as(&self, rule: &str) -> bool {
        if let Self::IsAtLeast { is_at_least } = self {
            return rule == format!("duration(self) >= duration('{is_at_least}')");
        }
        let passes_the_same = |fields: &Fields| cel::passes(rule, fields) == self.passes(fields);
        !rule.contains("duration(") && self.objects().iter().all(passes_the_same)
    }

    fn passes(&self, fields: &Fields) -> bool {
        let n_of = |names: &[String]| names.iter().filter(|it| fields.contains_key(*it)).count();
        let holds = |all: &Fields| {
            all.iter()
                .all(|(name, text)| fields.get(name) == Some(text))
        };
        match self {
            Self::ExactlyOneOf { exactly_one_of } => n_of(exactly_one_of) == 1,
            Self::AtLeastOneOf { at_least_one_of } => n_of(at_least_one_of) >= 1,
            Self::AtMostOneOf { at_most_one_of } => n_of(at_most_one_of) <= 1,
            Self::If { r#if, must_have } => !holds(r#if) || fields.contains_key(must_have),
            Self::OnlyIf { only_if, may_have } => holds(only_if) || !fields.contains_key(may_have),
            Self::IsAtLeast { .. } => unreachable!("not of an object"),
        }
    }

    /// Each field that it is about there and not there, with the value that it is about and another.
    fn objects(&self) -> Vec<Fields> {
        let (names, values) = match self {
            Self::ExactlyOneOf { exactly_one_of } => (exactly_one_of.clone(), None),
            Self::AtLeastOneOf { at_least_one_of } => (at_least_one_of.clone(), None),
            Self::AtMostOneOf { at_most_one_of } => (at_most_one_of.clone(), None),
            Self::If { r#if, must_have } => (vec![must_have.clone()], Some(r#if)),
            Self::OnlyIf { only_if, may_have } => (vec![may_have.clone()], Some(only_if)),
            Self::IsAtLeast { .. } => (Vec::new(), None),
        };
        let other = || BTreeSet::from(["other".to_owned()]);
        let mut choices: BTreeMap<String, BTreeSet<String>> =
            names.into_iter().map(|name| (name, other())).collect();
        for (name, value) in values.into_iter().flatten() {
            let values = choices.entry(name.clone()).or_insert_with(other);
            values.insert(value.clone());
        }
        let mut objects = vec![Fields::new()];
        for (name, values) in choices {
            let mut with = objects.clone();
            for value in values {
                with.extend(objects.iter().cloned().map(|mut object| {
                    object.insert(name.clone(), value.clone());
                    object
                }));
            }
            objects = with;
        }
        objects
    }
}
