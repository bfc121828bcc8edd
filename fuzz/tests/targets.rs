//! Every target over its corpus and some inputs more, the same in each run. For a longer one: `just fuzz`.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use wakegate_fuzz::{Budget, Engine, targets};

/// A few seconds in all, without optimisation.
fn check(name: &str, n_inputs: u64) {
    let target = targets::ALL.into_iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no {name}"));
    let engine = Engine::new(target, 1).unwrap_or_else(|error| panic!("{error}"));
    let corpus = target.corpus();
    assert!(corpus.is_dir(), "{} is checked in", corpus.display());
    match engine.run(Budget::Inputs(n_inputs)) {
        Ok(summary) => assert!(summary.n_kinds > 3, "{summary:?}"),
        Err(failure) => panic!("{}:\n{}", failure.reason, failure.input.escape_ascii()),
    }
}

#[test]
fn updates() {
    check("updates", 300);
}

#[test]
fn reports() {
    check("reports", 1_000);
}

#[test]
fn ledgers() {
    check("ledgers", 1_000);
}

#[test]
fn plugin() {
    check("plugin", 1_500);
}

#[test]
fn heads() {
    check("heads", 250);
}

#[test]
fn annotations() {
    check("annotations", 2_000);
}

#[test]
fn manifests() {
    check("manifests", 80);
}

#[test]
fn policies() {
    check("policies", 1_500);
}

#[test]
fn there_are_no_others() {
    assert_eq!(targets::ALL.len(), 8);
}
