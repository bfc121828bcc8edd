//! What a registry holds, as a table of Markdown: docs/operations.md has it, written by `just gen` from the same
//! definitions that a scrape shows. No daemon needs it at work.

use std::fmt::Write as _;

use prometheus_client::{encoding::text::encode, registry::Registry};

const HEAD: &str = "| name | kind | what it counts |\n|---|---|---|\n";

/// One metric.
#[derive(Debug, Default)]
struct Metric {
    name: String,
    kind: String,
    help: String,
    labels: Vec<String>,
}

/// A row for each metric: name and labels, kind, and help text.
///
/// # Errors
/// The metrics without any series: of these a scrape shows nothing, and whoever asks has to give them one before.
pub fn table(registry: &Registry) -> Result<String, Vec<String>> {
    let mut text = String::new();
    encode(&mut text, registry).map_err(|error| vec![error.to_string()])?;
    let mut metrics = metrics(&text);
    // Not in the order in which parts of a daemon come to register them.
    metrics.sort_by(|one, other| one.name.cmp(&other.name));
    let bare: Vec<_> = registered(registry)
        .into_iter()
        .filter(|name| !metrics.iter().any(|it| it.is_called(name)))
        .collect();
    if bare.is_empty() {
        Ok(metrics.iter().fold(HEAD.to_owned(), with_row))
    } else {
        Err(bare)
    }
}

/// The page with a part of it replaced: what stands between `<!-- PART: written by .. -->` and `<!-- end of PART -->`.
/// `None` where the page has no such part.
pub fn with_part(page: &str, part: &str, fresh: &str) -> Option<String> {
    let begin = format!("<!-- {part}: written by ");
    let (before, rest) = page.split_once(&begin)?;
    let (by, rest) = rest.split_once(" -->\n")?;
    let (_, after) = rest.split_once(&format!("<!-- end of {part} -->\n"))?;
    Some(format!(
        "{before}{begin}{by} -->\n\n{fresh}\n<!-- end of {part} -->\n{after}"
    ))
}

/// All names, without prefixes. A registry tells them to nobody but whoever debugs: what it encodes leaves out a family
/// that has no series yet.
fn registered(registry: &Registry) -> Vec<String> {
    let shown = format!("{registry:?}");
    let descriptors = shown.split("Descriptor { name: \"").skip(1);
    let names = descriptors.filter_map(|it| it.split_once('"'));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The metrics of a page of `OpenMetrics`, in their order.
fn metrics(text: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines() {
        let comment = line.strip_prefix("# ").and_then(|it| it.split_once(' '));
        match comment {
            Some(("HELP", rest)) => {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                metrics.push(Metric {
                    name: name.to_owned(),
                    // The registry ends each with a period; a cell of a table has none.
                    help: help.trim_end_matches('.').to_owned(),
                    ..Metric::default()
                });
            }
            Some(("TYPE", rest)) => {
                let kind = rest.split_once(' ').map_or("", |(_, kind)| kind);
                if let Some(metric) = metrics.last_mut() {
                    metric.take_kind(kind);
                }
            }
            Some(_) => {}
            None => {
                if let Some(metric) = metrics.last_mut() {
                    metric.take_sample(line);
                }
            }
        }
    }
    metrics
}

impl Metric {
    /// A family of counters is named without the suffix that its samples have, and that everybody asks by.
    fn take_kind(&mut self, kind: &str) {
        kind.clone_into(&mut self.kind);
        if kind == "counter" && !self.name.ends_with("_total") {
            self.name += "_total";
        }
    }

    fn is_called(&self, name: &str) -> bool {
        let rest = self.name.strip_suffix("_total").unwrap_or(&self.name);
        let prefix = rest.strip_suffix(name);
        prefix.is_some_and(|it| it.is_empty() || it.ends_with('_'))
    }

    fn take_sample(&mut self, line: &str) {
        // Values of labels are constants of the code, or names of objects: none has a quote.
        let inner = line.split_once('{').and_then(|(_, it)| it.split_once('}'));
        let pairs = inner.map(|(it, _)| it.split("\",")).into_iter().flatten();
        let labels = pairs.filter_map(|pair| pair.split_once('='));
        // That of the buckets of every histogram.
        for label in labels.map(|(name, _)| name).filter(|it| *it != "le") {
            if !self.labels.iter().any(|it| it == label) {
                self.labels.push(label.to_owned());
            }
        }
    }
}

fn with_row(mut table: String, metric: &Metric) -> String {
    let Metric {
        name,
        kind,
        help,
        labels,
    } = metric;
    let labels = match labels.as_slice() {
        [] => String::new(),
        labels => format!("{{{}}}", labels.join(",")),
    };
    let help = help.replace('|', "\\|").replace('<', "\\<");
    // What is written into a string cannot fail.
    let _ = writeln!(table, "| `{name}{labels}` | {kind} | {help} |");
    table
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        encoding::EncodeLabelSet,
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    };

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct Labels {
        kind: &'static str,
        outcome: &'static str,
    }

    #[test]
    fn a_row_has_name_labels_kind_and_help() {
        let mut registry = Registry::default();
        let all = registry.sub_registry_with_prefix("test");
        let family = Family::<Labels, Counter>::default();
        all.register(
            "writes",
            "Objects written, by kind | outcome",
            family.clone(),
        );
        all.register("seconds", "Time", Histogram::new([1.0, 2.0]));
        all.register("held", "Requests held", Gauge::<i64>::default());
        assert_eq!(table(&registry), Err(vec!["writes".to_owned()]));
        let labels = Labels {
            kind: "a,b",
            outcome: "done",
        };
        family.get_or_create(&labels).inc();
        let rows = "| `test_held` | gauge | Requests held |\n\
                    | `test_seconds` | histogram | Time |\n\
                    | `test_writes_total{kind,outcome}` | counter | Objects written, by kind \\| outcome |\n";
        assert_eq!(table(&registry).unwrap(), format!("{HEAD}{rows}"));
    }

    #[test]
    fn a_part_of_a_page_is_replaced_and_nothing_else() {
        let page = "a\n<!-- x: written by y -->\n\nold\n\n<!-- end of x -->\nb\n";
        let fresh = page.replace("old\n", "new\n");
        assert_eq!(with_part(page, "x", "new\n").unwrap(), fresh);
        assert_eq!(with_part(page, "z", "new\n"), None);
    }
}
