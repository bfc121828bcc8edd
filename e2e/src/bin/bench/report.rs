//! The lines as people and programs read them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::line::{Aim, Direction, Figure, Line, Verdict};

/// All that was measured so far.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    is_quick: bool,
    n_cores: usize,
    lines: Vec<Judged>,
    /// What was not measured to its end, and why.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Judged {
    #[serde(flatten)]
    line: Line,
    verdict: Option<Verdict>,
}

#[derive(Debug, Serialize)]
struct Failure {
    step: String,
    error: String,
}

impl Report {
    pub(crate) fn new(is_quick: bool) -> Self {
        Self {
            is_quick,
            n_cores: std::thread::available_parallelism().map_or(1, usize::from),
            lines: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes the lines of one step.
    pub(crate) fn add(&mut self, lines: Vec<Line>) {
        let judged = lines.into_iter().map(|line| Judged {
            verdict: line.verdict(),
            line,
        });
        self.lines.extend(judged);
    }

    /// Takes that a step has no lines.
    pub(crate) fn failed(&mut self, step: &str, error: &anyhow::Error) {
        self.failures.push(Failure {
            step: step.to_owned(),
            error: format!("{error:#}"),
        });
    }

    /// Whether a step failed, or a line says that something is wrong.
    pub(crate) fn is_bad(&self) -> bool {
        !self.failures.is_empty() || self.lines.iter().any(|judged| judged.line.is_fault())
    }

    /// Writes bench.md and bench.json into `folder`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).context("make the output folder")?;
        fs::write(folder.join("bench.md"), self.markdown()).context("write bench.md")?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(folder.join("bench.json"), json).context("write bench.json")
    }

    /// The lines as one Markdown table, with a row for the name of each part.
    pub(crate) fn markdown(&self) -> String {
        let kind = if self.is_quick {
            "a quick look, not worth quoting"
        } else {
            "a full run"
        };
        let mut rows = vec![
            format!("# Figures ({kind}, {} cores)", self.n_cores),
            String::new(),
            "| what | figures | aim | verdict |".to_owned(),
            "|---|---|---|---|".to_owned(),
        ];
        let mut part = "";
        for judged in &self.lines {
            if judged.line.part != part {
                part = judged.line.part;
                rows.push(format!("| **{part}** | | | |"));
            }
            rows.push(row(&judged.line));
        }
        let failures = self.failures.iter();
        rows.extend(failures.map(|it| format!("\nNot measured: {}: {}", it.step, it.error)));
        rows.push(String::new());
        rows.join("\n")
    }
}

/// One row of the table.
pub(crate) fn row(line: &Line) -> String {
    let figures: Vec<_> = line.figures.iter().map(figure).collect();
    let aims: Vec<_> = line.aims.iter().map(aim).collect();
    let (figures, aims) = (figures.join(", "), aims.join(", "));
    let verdict = line.verdict().map_or("", Verdict::text);
    format!("| {} | {figures} | {aims} | {verdict} |", line.what)
}

fn figure(figure: &Figure) -> String {
    let mut text = format!("{} {}", figure.name, number(figure.value));
    if !figure.unit.is_empty() {
        text.push(' ');
        text.push_str(figure.unit);
    }
    if let Some(interval) = figure.interval {
        let (low, high) = (number(interval.low), number(interval.high));
        // Writing into a string cannot fail.
        let _ = write!(text, " ({low} to {high}, n = {})", interval.n);
    }
    text
}

fn aim(aim: &Aim) -> String {
    let sign = match aim.direction {
        Direction::AtLeast => '≥',
        Direction::AtMost => '≤',
    };
    format!("{} {sign} {}", aim.figure, number(aim.bound))
}

/// With as many digits as it deserves: whole numbers whole, the rest to three decimals below ten and to
/// fewer above.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value.fract() == 0.0 || magnitude >= 1_000.0 {
        return format!("{value:.0}");
    }
    let digits = if magnitude < 10.0 {
        3
    } else if magnitude < 100.0 {
        2
    } else {
        1
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wakegate_e2e::stats::Spread;

    #[test]
    fn numbers_have_the_digits_that_they_deserve() {
        let numbers = [0.0, 5.0, 0.97, 1.234_56, 12.345, 123.45, 12_345.6];
        let texts = numbers.map(number);
        assert_eq!(
            texts,
            ["0", "5", "0.970", "1.235", "12.35", "123.5", "12346"]
        );
    }

    #[test]
    fn a_row_has_figures_aim_and_verdict() {
        let ratio = Spread {
            n: 12,
            median: 0.981,
            low: 0.975,
            high: 0.99,
        };
        let line = Line::new("hot path", "requests per second")
            .spread("over empty", &ratio, "")
            .figure("here", 12_345.6, "/s")
            .at_least("over empty", 0.97);
        assert_eq!(
            row(&line),
            "| requests per second | over empty 0.981 (0.975 to 0.990, n = 12), here 12346 /s | over empty ≥ 0.970 | met |"
        );
    }

    #[test]
    fn a_part_is_named_once_and_what_failed_is_said() {
        let mut report = Report::new(true);
        report.add(vec![
            Line::new("wake", "one").count("n", 1),
            Line::new("wake", "two").count("n", 2),
        ]);
        assert!(!report.is_bad());
        report.failed("memory", &anyhow::anyhow!("no room"));
        assert!(report.is_bad());
        let text = report.markdown();
        assert_eq!(text.matches("**wake**").count(), 1);
        assert!(text.contains("Not measured: memory: no room"));
    }
}
