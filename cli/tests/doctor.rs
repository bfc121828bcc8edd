//! `wakegate doctor`: objects as YAML in, the report out: `doctor/<name>/*.yaml` against `report.txt` and `report.json`
//! beside them. After a change that is meant, run with `WAKEGATE_BLESS=1` and read the difference.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use clap::Parser as _;
use serde_json::Value;
use wakegate_cli::{
    DoctorArgs,
    doctor::{self, objects::Objects, report::Report, rules::GROUPS},
};

/// With the exit status of each, and whether its files are all that a cluster has.
const FIXTURES: [(&str, u8, bool); 11] = [
    ("healthy-envoy-gateway", 0, true),
    ("healthy-istio", 0, true),
    ("envoy-gateway", 2, false),
    ("istio", 2, true),
    ("routes", 2, false),
    ("cluster", 2, true),
    ("parts", 2, true),
    ("certificates", 2, true),
    ("ingress", 2, true),
    ("ingress-without-filter", 2, true),
    ("mesh", 2, true),
];

/// What only an API server can say.
const ASKED_OF_A_SERVER: [&str; 3] = ["keda-missing", "crd-missing", "certificate-not-seen"];

/// When clusters are looked at, in seconds since 1970: noon of the 1st of June 2026.
const NOW: i64 = 1_780_315_200;

/// The command line after `wakegate`.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: DoctorArgs,
}

async fn report_of(fixture: &str, is_cluster: bool) -> Report {
    let dir = format!("tests/doctor/{fixture}");
    if is_cluster {
        let mut objects = Objects::of_whole_cluster();
        let text = fs::read_to_string(format!("{dir}/objects.yaml")).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for document in documents {
            objects.add(document, None);
        }
        return doctor::report(&objects, NOW);
    }
    let Line { args } = Line::parse_from(["doctor", "-f", &dir]);
    doctor::read(&args).await.unwrap()
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
    for (fixture, status, is_cluster) in FIXTURES {
        let report = report_of(fixture, is_cluster).await;
        let dir = Path::new("tests/doctor").join(fixture);
        check(&dir.join("report.txt"), &report.to_string());
        check(&dir.join("report.json"), &report.json().unwrap());
        assert_eq!(report.status(), status, "{fixture}:\n{report}");
    }
}

#[tokio::test]
async fn of_what_is_well_nothing_is_said() {
    for fixture in ["healthy-envoy-gateway", "healthy-istio"] {
        for is_cluster in [true, false] {
            let report = report_of(fixture, is_cluster).await;
            assert!(
                report.cluster.is_empty() && report.objects.is_empty(),
                "{report}"
            );
        }
    }
}

/// What comes with Wakegate to attach it, as users apply it.
#[tokio::test]
async fn of_the_configurations_that_come_along_nothing_is_said() {
    let line = [
        "doctor",
        "-f",
        "../envoy-config/envoy-gateway",
        "tests/doctor/route",
    ];
    let report = doctor::read(&Line::parse_from(line).args).await.unwrap();
    assert!(report.n_read > 3 && report.objects.is_empty(), "{report}");
    // The route is one of ours: without the rest it would be said.
    let files = ["gateway.yaml", "gateway-class.yaml"];
    let files = files.map(|name| format!("../envoy-config/envoy-gateway/{name}"));
    let line = [
        &["doctor", "-f", "tests/doctor/route"][..],
        &files.each_ref().map(String::as_str),
    ];
    let report = doctor::read(&Line::parse_from(line.concat()).args)
        .await
        .unwrap();
    assert_eq!(report.status(), 2, "{report}");
}

/// The same at Istio, where what comes along needs the daemons as the chart runs them.
#[tokio::test]
async fn of_the_configurations_for_istio_nothing_is_said() {
    let files = ["destination-rules.yaml", "wasm-plugin.yaml"];
    let files = files.map(|name| format!("../envoy-config/istio/{name}"));
    let line = [
        &[
            "doctor",
            "-f",
            "tests/doctor/route",
            "tests/doctor/mesh-daemons",
        ][..],
        &files.each_ref().map(String::as_str),
    ];
    let report = doctor::read(&Line::parse_from(line.concat()).args)
        .await
        .unwrap();
    assert!(report.n_read > 5 && report.objects.is_empty(), "{report}");
}

#[tokio::test]
async fn each_rule_is_there_for_something_and_nothing_is_left_to_fill_in() {
    let mut seen = BTreeSet::new();
    for (fixture, _, is_cluster) in FIXTURES {
        let report = report_of(fixture, is_cluster).await;
        let of_objects = report.objects.iter().flat_map(|it| &it.findings);
        for finding in report.cluster.iter().chain(of_objects) {
            seen.insert(finding.rule.id);
            let text = format!("{finding}");
            assert!(!text.contains('<'), "{fixture}: {text}");
        }
    }
    let rules = GROUPS.iter().flat_map(|group| group.rules);
    let ids: Vec<_> = rules.map(|rule| rule.id).collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "two rules have one name");
    let unseen: Vec<_> = ids
        .into_iter()
        .filter(|id| !seen.contains(id) && !ASKED_OF_A_SERVER.contains(id))
        .collect();
    assert!(unseen.is_empty(), "no fixture has {unseen:?}");
}
