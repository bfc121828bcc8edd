//! For programs. The names of fields are a promise: `docs/migrate-from-http-add-on.md` has them.

use serde::Serialize;

use super::Report;
use crate::migrate::{
    objects::{Id, Kind},
    rules::{self, Severity},
};

/// Counts up when a field goes or means something else; one that comes does not count.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    summary: Summary,
    objects: Vec<Object<'a>>,
    everywhere: Vec<Finding<'a>>,
    steps: Vec<Step<'a>>,
    unread: Vec<Unread<'a>>,
}

#[derive(Serialize)]
struct Summary {
    objects: usize,
    problems: usize,
    changes: usize,
    notes: usize,
    status: u8,
}

#[derive(Serialize)]
struct Reference<'a> {
    kind: Kind,
    namespace: &'a str,
    name: &'a str,
    file: Option<&'a str>,
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    reference: Reference<'a>,
    severity: Option<Severity>,
    stays: &'a [String],
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    severity: Severity,
    field: &'a str,
    text: &'a str,
    fix: &'a str,
}

#[derive(Serialize)]
struct Step<'a> {
    id: &'a str,
    text: &'a str,
    objects: Vec<Reference<'a>>,
    commands: &'a [String],
}

#[derive(Serialize)]
struct Unread<'a> {
    what: &'a str,
    reason: &'a str,
}

impl Report {
    /// As JSON, with a line break at its end.
    ///
    /// # Errors
    /// None that anybody knows of.
    pub fn json(&self) -> serde_json::Result<String> {
        let objects = self.objects.iter().map(|object| Object {
            reference: reference(&object.id),
            severity: object.severity(),
            stays: &object.stays,
            findings: object.findings.iter().map(finding).collect(),
        });
        let steps = self.steps.iter().map(|step| Step {
            id: step.id,
            text: &step.text,
            objects: step.objects.iter().map(reference).collect(),
            commands: &step.commands,
        });
        let unread = self.unread.iter().map(|it| Unread {
            what: &it.what,
            reason: &it.reason,
        });
        let document = Document {
            version: VERSION,
            summary: Summary {
                objects: self.objects.len(),
                problems: self.count(Severity::Problem),
                changes: self.count(Severity::Change),
                notes: self.count(Severity::Note),
                status: self.status(),
            },
            objects: objects.collect(),
            everywhere: self.everywhere.iter().map(finding).collect(),
            steps: steps.collect(),
            unread: unread.collect(),
        };
        serde_json::to_string_pretty(&document).map(|text| text + "\n")
    }
}

fn reference(id: &Id) -> Reference<'_> {
    let Id {
        kind,
        namespace,
        name,
        file,
    } = id;
    Reference {
        kind: *kind,
        namespace,
        name,
        file: file.as_deref(),
    }
}

fn finding(finding: &rules::Finding) -> Finding<'_> {
    let rules::Finding {
        rule,
        field,
        text,
        fix,
    } = finding;
    Finding {
        rule: rule.id,
        severity: rule.severity,
        field,
        text,
        fix,
    }
}
