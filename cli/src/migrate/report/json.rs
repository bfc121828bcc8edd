//! For programs. The names of fields are a promise: `docs/migrate-from-http-add-on.md` has them.

use serde::Serialize;

use super::Report;
use crate::migrate::{
    objects::{Id, Kind},
    rules::{Finding, Severity},
};
use crate::source::Unread;

/// Counts up when a field goes or means something else; one that comes does not count.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    summary: Summary,
    objects: Vec<Object<'a>>,
    everywhere: &'a [Finding],
    steps: Vec<Step<'a>>,
    unread: &'a [Unread],
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
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Step<'a> {
    id: &'a str,
    text: &'a str,
    objects: Vec<Reference<'a>>,
    commands: &'a [String],
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
            findings: &object.findings,
        });
        let steps = self.steps.iter().map(|step| Step {
            id: step.id,
            text: &step.text,
            objects: step.objects.iter().map(reference).collect(),
            commands: &step.commands,
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
            everywhere: &self.everywhere,
            steps: steps.collect(),
            unread: &self.unread,
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
