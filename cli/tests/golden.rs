//! Objects as YAML in, the report out: `fixtures/<name>/*.yaml` against `report.txt` and `report.json` beside them.
//! After a change that is meant, run with `WAKEGATE_BLESS=1` and read the difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use clap::Parser as _;
use serde_json::Value;
use wakegate_cli::{
    MigrateArgs,
    migrate::{self, report::Report, rules::GROUPS},
};

/// With the exit status of each.
const FIXTURES: [(&str, u8); 8] = [
    ("http-scaled-object", 1),
    ("interceptor-route", 1),
    ("cannot-work", 2),
    ("ingress", 2),
    ("environment", 1),
    ("who-gets-them", 1),
    ("moved", 0),
    ("nothing", 0),
];

/// For what the reading of objects learns to say one day.
const NOT_TO_BE_HAD: [&str; 1] = ["not-in-force"];

/// The command line after `wakegate`.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: MigrateArgs,
}

async fn report_of(fixture: &str) -> Report {
    let dir = format!("tests/fixtures/{fixture}");
    let Line { args } = Line::parse_from(["migrate", "-f", &dir]);
    migrate::read(&args).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn check(path: &Path, text: &str) {
    if std::env::var("WAKEGATE_BLESS").is_ok() {
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap();
    assert_eq!(text, expected, "{}", path.display());
}

#[tokio::test]
async fn reports_are_as_they_were() {
    for (fixture, status) in FIXTURES {
        let report = report_of(fixture).await;
        let dir = Path::new("tests/fixtures").join(fixture);
        check(&dir.join("report.txt"), &report.to_string());
        check(&dir.join("report.json"), &report.json().unwrap());
        assert_eq!(report.status(), status, "{fixture}");
    }
}

#[tokio::test]
async fn each_rule_is_there_for_something_and_nothing_is_left_to_fill_in() {
    let mut seen = BTreeSet::new();
    for (fixture, _) in FIXTURES {
        let json: Value = serde_json::from_str(&report_of(fixture).await.json().unwrap()).unwrap();
        let objects = json["objects"].as_array().unwrap().iter();
        let findings = objects.flat_map(|it| it["findings"].as_array().unwrap());
        for finding in findings.chain(json["everywhere"].as_array().unwrap()) {
            seen.insert(finding["rule"].as_str().unwrap().to_owned());
            for part in ["text", "fix"] {
                let text = finding[part].as_str().unwrap();
                assert!(!text.contains('<'), "{fixture}: {finding}");
            }
        }
    }
    let rules = GROUPS.iter().flat_map(|group| group.rules);
    let unseen: Vec<_> = rules
        .map(|rule| rule.id)
        .filter(|id| !seen.contains(*id) && !NOT_TO_BE_HAD.contains(id))
        .collect();
    assert!(unseen.is_empty(), "no fixture has {unseen:?}");
}
