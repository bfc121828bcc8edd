//! For reading.

use std::fmt::{self, Display, Formatter};

use super::{ObjectReport, Report};
use crate::migrate::rules::Severity;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            objects,
            everywhere,
            steps,
            unread,
        } = self;
        if objects.is_empty() && everywhere.is_empty() && unread.is_empty() {
            return writeln!(f, "Nothing of the KEDA HTTP add-on is here.");
        }
        for object in objects {
            writeln!(f, "{object}")?;
        }
        if !everywhere.is_empty() {
            writeln!(f, "All routes")?;
            everywhere.iter().try_for_each(|it| write!(f, "{it}"))?;
            writeln!(f)?;
        }
        if !steps.is_empty() {
            writeln!(f, "The move, in this order")?;
            for (n, step) in steps.iter().enumerate() {
                writeln!(f, "  {}. {}", n + 1, step.text)?;
                for object in &step.objects {
                    writeln!(f, "       {object}")?;
                }
                for command in &step.commands {
                    writeln!(f, "       $ {command}")?;
                }
            }
            writeln!(f)?;
        }
        for it in unread {
            writeln!(f, "Not read: {}: {}", it.what, it.reason)?;
        }
        let n = |severity, one: &str| match self.count(severity) {
            1 => format!("1 {one}"),
            n => format!("{n} {one}s"),
        };
        writeln!(
            f,
            "{}, {}, {} in {}",
            n(Severity::Problem, "problem"),
            n(Severity::Change, "change"),
            n(Severity::Note, "note"),
            match objects.len() {
                1 => "1 object".to_owned(),
                n => format!("{n} objects"),
            }
        )
    }
}

impl Display for ObjectReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            stays,
            findings,
        } = self;
        write!(f, "{id}")?;
        if let Some(file) = &id.file {
            write!(f, " ({file})")?;
        }
        writeln!(f)?;
        if !stays.is_empty() {
            writeln!(f, "  stays    {}", stays.join(", "))?;
        }
        findings.iter().try_for_each(|it| write!(f, "{it}"))
    }
}
