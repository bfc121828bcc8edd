//! The program itself: what it exits with, and what it says where.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Away from any kubeconfig of whoever runs the tests.
fn wakegate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wakegate"));
    command.args(args).env_clear().env("HOME", "/nonexistent");
    command
}

#[track_caller]
fn check(args: &[&str], status: i32, says: &str) -> Output {
    let output = wakegate(args).output().unwrap();
    let all = [output.stdout.clone(), output.stderr.clone()].concat();
    let all = String::from_utf8(all).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {all}");
    assert!(all.contains(says), "{args:?}: {all}");
    output
}

#[test]
fn what_has_to_be_done_is_the_status() {
    check(
        &["migrate", "-f", "tests/fixtures/nothing"],
        0,
        "Nothing of",
    );
    check(&["migrate", "-f", "tests/fixtures/moved"], 0, "0 changes");
    check(
        &["migrate", "-f", "tests/fixtures/environment"],
        1,
        " changes",
    );
    check(
        &["migrate", "-f", "tests/fixtures/cannot-work"],
        2,
        " problems",
    );
    let both = [
        "migrate",
        "-f",
        "tests/fixtures/moved",
        "tests/fixtures/cannot-work",
        "-o",
        "json",
    ];
    check(&both, 2, "\"status\": 2");
}

#[test]
fn what_cannot_be_read_is_three_and_the_rest_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    check(&["migrate", "-f", path], 3, "no file that ends in .yaml");
    check(
        &["migrate", "-f", "tests/fixtures/none-of-this-name"],
        3,
        "none-of-this-name",
    );
    let moved = fs::read_to_string("tests/fixtures/moved/objects.yaml").unwrap();
    fs::write(dir.path().join("good.yaml"), moved).unwrap();
    fs::write(
        dir.path().join("template.yaml"),
        "kind: {{ .Values.kind }}\n",
    )
    .unwrap();
    let output = check(&["migrate", "-f", path], 3, "Not read: ");
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("InterceptorRoute shop/web"), "{report}");
    check(
        &["migrate"],
        3,
        "set KUBECONFIG, or read files with -f PATH",
    );
    check(
        &["migrate", "--context", "none"],
        3,
        "context none of the kubeconfig",
    );
}

#[test]
fn a_command_line_that_is_not_understood_is_no_report() {
    check(&["migrate", "--no-such-flag"], 64, "--no-such-flag");
    check(
        &["migrate", "-f", "a.yaml", "-n", "shop"],
        64,
        "cannot be used with",
    );
    check(&[], 64, "Usage");
    check(&["--help"], 0, "Usage");
    check(&["migrate", "--help"], 0, "Exit status: 0 nothing to do");
    check(
        &["--version"],
        0,
        concat!("wakegate ", env!("CARGO_PKG_VERSION")),
    );
}

#[test]
fn standard_input_is_a_file() {
    let mut child = wakegate(&["migrate", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let objects = fs::read("tests/fixtures/moved/objects.yaml").unwrap();
    child.stdin.take().unwrap().write_all(&objects).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(
        report.starts_with("InterceptorRoute shop/web (-)"),
        "{report}"
    );
}
