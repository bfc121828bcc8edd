//! What is said, and how it is printed.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::{
    objects::Id,
    rules::{Finding, Severity},
};
use crate::source::Unread;

/// Counts up when a field goes or means something else; one that comes does not count.
const VERSION: u32 = 1;

/// What is said of everything that was read.
#[derive(Debug)]
pub struct Report {
    /// How many objects were read.
    pub n_read: usize,
    /// Of the cluster.
    pub cluster: Vec<Finding>,
    /// Of each object of which there is something to say.
    pub objects: Vec<ObjectReport>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// What is said of one object.
#[derive(Debug, Serialize)]
pub struct ObjectReport {
    /// Which.
    #[serde(flatten)]
    pub id: Id,
    /// What matters most of it.
    pub severity: Option<Severity>,
    /// What matters most first.
    pub findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    summary: Summary,
    cluster: &'a [Finding],
    objects: &'a [ObjectReport],
    unread: &'a [Unread],
}

#[derive(Serialize)]
struct Summary {
    read: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    status: u8,
}

impl ObjectReport {
    pub(crate) fn new(id: Id, mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|one, other| {
            let severity = other.rule.severity.cmp(&one.rule.severity);
            severity.then_with(|| one.field.cmp(&other.field))
        });
        Self {
            severity: findings.iter().map(|it| it.rule.severity).max(),
            id,
            findings,
        }
    }
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_objects = self.objects.iter().flat_map(|it| &it.findings);
        self.cluster.iter().chain(of_objects)
    }

    fn count(&self, severity: Severity) -> usize {
        let findings = self.findings();
        findings.filter(|it| it.rule.severity == severity).count()
    }

    /// The exit status of the program.
    pub fn status(&self) -> u8 {
        if !self.unread.is_empty() {
            return crate::UNREAD;
        }
        match self.findings().map(|it| it.rule.severity).max() {
            None | Some(Severity::Note) => 0,
            Some(Severity::Warning) => 1,
            Some(Severity::Error) => 2,
        }
    }

    /// As JSON, with a line break at its end. The names of fields are a promise: `docs/doctor.md` has them.
    ///
    /// # Errors
    /// None that anybody knows of.
    pub fn json(&self) -> serde_json::Result<String> {
        let document = Document {
            version: VERSION,
            summary: Summary {
                read: self.n_read,
                errors: self.count(Severity::Error),
                warnings: self.count(Severity::Warning),
                notes: self.count(Severity::Note),
                status: self.status(),
            },
            cluster: &self.cluster,
            objects: &self.objects,
            unread: &self.unread,
        };
        serde_json::to_string_pretty(&document).map(|text| text + "\n")
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.cluster.is_empty() {
            writeln!(f, "The cluster")?;
            self.cluster.iter().try_for_each(|it| write!(f, "{it}"))?;
            writeln!(f)?;
        }
        for object in &self.objects {
            writeln!(f, "{object}")?;
        }
        for it in &self.unread {
            writeln!(f, "Not read: {}: {}", it.what, it.reason)?;
        }
        let n = |severity| match self.count(severity) {
            1 => format!("1 {severity}"),
            n => format!("{n} {severity}s"),
        };
        writeln!(
            f,
            "{}, {}, {}; {} objects read",
            n(Severity::Error),
            n(Severity::Warning),
            n(Severity::Note),
            self.n_read
        )
    }
}

impl Display for ObjectReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { id, findings, .. } = self;
        write!(f, "{id}")?;
        if let Some(file) = &id.file {
            write!(f, " ({file})")?;
        }
        writeln!(f)?;
        findings.iter().try_for_each(|it| write!(f, "{it}"))
    }
}
