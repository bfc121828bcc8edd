//! What is said, before it is printed.

mod json;
mod text;

use super::{
    objects::Id,
    rules::{Finding, Severity},
    steps::Step,
};
use crate::source::Unread;

/// What is said of everything that was read.
#[derive(Debug)]
pub struct Report {
    /// Of each object of which there is something to say.
    pub objects: Vec<ObjectReport>,
    /// Of all routes.
    pub everywhere: Vec<Finding>,
    /// The move, in its order.
    pub steps: Vec<Step>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// What is said of one object.
#[derive(Debug)]
pub struct ObjectReport {
    /// Which.
    pub id: Id,
    /// The fields that mean here what they mean there.
    pub stays: Vec<String>,
    /// What does not, what matters most first.
    pub findings: Vec<Finding>,
}

impl ObjectReport {
    /// A field stays of which nothing is said, nor of any part of it.
    pub(crate) fn new(id: Id, mut findings: Vec<Finding>, fields: &[String]) -> Self {
        findings.sort_by(|one, other| {
            let severity = other.rule.severity.cmp(&one.rule.severity);
            severity.then_with(|| one.field.cmp(&other.field))
        });
        let is_unread = findings.iter().any(|it| it.rule.id == "unreadable");
        let is_same = |field: &str, other: &str| {
            let is_part = |inner: &str, outer: &str| {
                let rest = inner.strip_prefix(outer);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            is_part(field, other) || is_part(other, field)
        };
        let stays = fields.iter().filter(|field| {
            let mut findings = findings.iter().filter(|it| !it.field.is_empty());
            !is_unread && !findings.any(|it| is_same(field, &it.field))
        });
        Self {
            id,
            stays: stays.cloned().collect(),
            findings,
        }
    }

    /// What matters most of what is said of it.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|it| it.rule.severity).max()
    }
}

impl Report {
    /// What matters most of everything.
    pub fn severity(&self) -> Option<Severity> {
        self.objects.iter().filter_map(ObjectReport::severity).max()
    }

    /// The exit status of the program.
    pub fn status(&self) -> u8 {
        if !self.unread.is_empty() {
            return crate::UNREAD;
        }
        match self.severity() {
            None | Some(Severity::Note) => 0,
            Some(Severity::Change) => 1,
            Some(Severity::Problem) => 2,
        }
    }

    /// How often something of this severity is said of an object.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        let findings = self.objects.iter().flat_map(|it| &it.findings);
        findings.filter(|it| it.rule.severity == severity).count()
    }
}
