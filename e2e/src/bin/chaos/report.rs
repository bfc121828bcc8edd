//! The table of results, for people and for programs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::case::Case;
use crate::checks::Ended;
use crate::tally::Sums;

/// What one case came to.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    name: String,
    about: String,
    /// All faults together.
    fault_seconds: f64,
    seconds: f64,
    traffic: Option<Traffic>,
    failures: Vec<String>,
}

/// What the traffic met.
#[derive(Debug, Serialize)]
struct Traffic {
    ours: Hot,
    envoy_alone: Hot,
    held: Sums,
    woken: Sums,
    n_held_at_once: u64,
    memory_before: f64,
    memory_after: f64,
}

#[derive(Debug, Serialize)]
struct Hot {
    calm: Sums,
    shaky: Sums,
}

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) quick: bool,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Verdict {
    pub(crate) fn of(case: &Case, ended: Result<Ended>, took: Duration) -> Self {
        let (traffic, failures) = match ended {
            Ok(ended) => {
                let met = ended.met;
                let hot = |[calm, shaky]: [Sums; 2]| Hot { calm, shaky };
                let traffic = Traffic {
                    ours: hot(met.ours),
                    envoy_alone: hot(met.bare),
                    held: met.held,
                    woken: met.woken,
                    n_held_at_once: met.n_held,
                    memory_before: met.memory_before[0],
                    memory_after: ended.memory_after,
                };
                (Some(traffic), ended.failures)
            }
            Err(error) => (None, vec![format!("{error:#}")]),
        };
        Self {
            name: case.name.clone(),
            about: case.about.clone(),
            fault_seconds: case.span().as_secs_f64(),
            seconds: took.as_secs_f64(),
            traffic,
            failures,
        }
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// One line, as the case ends.
    pub(crate) fn line(&self) -> String {
        let outcome = if self.has_passed() {
            "passed"
        } else {
            "FAILED"
        };
        let traffic = self.traffic.as_ref().map(Traffic::line).unwrap_or_default();
        let failures = self
            .failures
            .iter()
            .map(|failure| format!("\n    {failure}"));
        format!(
            "{outcome} {} ({:.0} s): {traffic}{}",
            self.name,
            self.seconds,
            failures.collect::<String>()
        )
    }

    fn row(&self) -> String {
        let outcome = if self.has_passed() {
            "passed"
        } else {
            "**failed**"
        };
        let [ours, bare, held, unanswered, memory] = self
            .traffic
            .as_ref()
            .map_or_else(|| [const { String::new() }; 5], Traffic::columns);
        format!(
            "| {} | {} | {:.0} | {ours} | {bare} | {held} | {unanswered} | {memory} | {outcome} |",
            self.name, self.about, self.fault_seconds
        )
    }
}

impl Traffic {
    fn line(&self) -> String {
        let [ours, bare, held, unanswered, memory] = self.columns();
        format!(
            "hot {ours}, Envoy alone {bare}, held {held}, without an answer {unanswered}, {memory} MiB"
        )
    }

    fn columns(&self) -> [String; 5] {
        let held = &self.held;
        let statuses = held.statuses.iter();
        let statuses = statuses.map(|(status, n)| format!(", {n} × {status}"));
        let mib = |bytes: f64| format!("{:.1}", bytes / 1_048_576.0);
        [
            self.ours.column(),
            self.envoy_alone.column(),
            format!(
                "{} × 200 ({} of them held){}",
                held.n_right,
                held.n_held,
                statuses.collect::<String>()
            ),
            held.n_unanswered().to_string(),
            format!("{} → {}", mib(self.memory_before), mib(self.memory_after)),
        ]
    }
}

impl Hot {
    /// The success ratio, and what was lost of each service.
    fn column(&self) -> String {
        let n_ended = self.calm.n_ended + self.shaky.n_ended;
        let lost = [("calm", &self.calm), ("shaky", &self.shaky)];
        let n_lost: usize = lost.iter().map(|(_, sums)| sums.n_lost()).sum();
        let n_repeated = self.calm.n_repeated + self.shaky.n_repeated;
        let details = lost.iter().filter(|(_, sums)| sums.n_lost() > 0);
        let details = details.map(|(name, sums)| format!("; {name} lost {}", sums.losses()));
        let repeated = if n_repeated > 0 {
            format!("; {n_repeated} sent again")
        } else {
            String::new()
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "request counts are far below 2^52"
        )]
        let ratio = (n_ended - n_lost) as f64 / n_ended.max(1) as f64;
        // Nothing is rounded up to 1.
        let ratio = if n_lost == 0 {
            "1.0".to_owned()
        } else {
            format!("{:.4}", ratio.min(0.9999))
        };
        format!(
            "{ratio} of {n_ended}{repeated}{}",
            details.collect::<String>()
        )
    }
}

impl Report {
    pub(crate) fn has_passed(&self) -> bool {
        self.verdicts.iter().all(Verdict::has_passed)
    }

    /// Writes chaos.md and chaos.json into `folder`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).context("make the output folder")?;
        fs::write(folder.join("chaos.md"), self.markdown()).context("write chaos.md")?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(folder.join("chaos.json"), json).context("write chaos.json")
    }

    /// The table.
    pub(crate) fn markdown(&self) -> String {
        let kind = if self.quick {
            "a quick look"
        } else {
            "all faults"
        };
        let mut lines = vec![
            format!("# Chaos ({kind}, seed {})", self.seed),
            String::new(),
            "| case | what happens | s | hot, with Wakegate | hot, Envoy alone | held, answered | held, no answer | Envoy's MiB | |".to_owned(),
            "|---|---|---|---|---|---|---|---|---|".to_owned(),
        ];
        lines.extend(self.verdicts.iter().map(Verdict::row));
        let failed = self.verdicts.iter().filter(|verdict| !verdict.has_passed());
        lines.extend(failed.flat_map(|verdict| {
            let name = &verdict.name;
            verdict
                .failures
                .iter()
                .map(move |failure| format!("\n{name}: {failure}"))
        }));
        lines.push(String::new());
        lines.join("\n")
    }
}
