//! The pages on the commands are what the program says today: their tables are those of the code, and their examples
//! are run. `just gen` sets `WAKEGATE_GEN` and rewrites both.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::{Display, Write as _},
    fs,
    path::Path,
    process::Command,
};

use wakegate_cli::{
    doctor, migrate,
    rule::{Group, Rule},
};

const END: &str = "<!-- end of rules -->\n";

/// As Markdown has it: what is filled in stays recognisable, and no star makes words lean.
fn cell(text: &str) -> String {
    let text = text.replace("<nearest?>", "");
    let text = text.replace('<', "\\<").replace('*', "\\*");
    text.replace('|', "\\|")
}

fn row<S: Display>(rule: &Rule<S>) -> String {
    let Rule {
        id,
        severity,
        field,
        text,
        fix,
    } = rule;
    let (field, text, fix) = (cell(field), cell(text), cell(fix));
    format!("| `{id}` | {severity} | {field} | {text} | {fix} |")
}

fn tables<S: Display>(groups: &[Group<S>]) -> String {
    let mut text = String::new();
    for group in groups {
        writeln!(text, "### {}\n", group.title).unwrap();
        writeln!(
            text,
            "| rule | severity | field | what is so | what to do |"
        )
        .unwrap();
        writeln!(text, "|---|---|---|---|---|").unwrap();
        for rule in group.rules {
            writeln!(text, "{}", row(rule)).unwrap();
        }
        writeln!(text).unwrap();
    }
    text
}

fn with_tables<S: Display>(page: &str, command: &str, groups: &[Group<S>]) -> String {
    let begin = format!("<!-- rules: written by `just gen` from cli/src/{command}/rules -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{begin}\n{}{END}{after}", tables(groups))
}

/// Writes each YAML block that begins with a comment of its name into `dir`, runs each console block there, and
/// gives the page with what came out.
fn with_examples(page: &str, dir: &Path) -> String {
    let mut fresh = String::new();
    let (mut fence, mut block) = (None, String::new());
    let mut n_run = 0;
    for line in page.split_inclusive('\n') {
        match (fence, line.trim_end()) {
            (None, "```yaml" | "```console") => fence = Some(line.trim_end()),
            (Some(kind), "```") => {
                if kind == "```console" {
                    let (text, n) = run(&block, dir);
                    n_run += n;
                    fresh += &text;
                } else {
                    if let Some(name) = block.lines().next().and_then(|it| it.strip_prefix("# ")) {
                        fs::write(dir.join(name), &block).unwrap();
                    }
                    fresh += &block;
                }
                (fence, block) = (None, String::new());
            }
            (Some(_), _) => {
                block += line;
                continue;
            }
            (None, _) => {}
        }
        fresh += line;
    }
    assert!(n_run > 1, "the page has no examples");
    fresh
}

/// The lines that begin with `$ wakegate` are run; `$ echo $?` is the status of the one before. Others stand as they are.
fn run(block: &str, dir: &Path) -> (String, usize) {
    if !block.starts_with("$ wakegate") {
        return (block.to_owned(), 0);
    }
    let (mut text, mut status, mut n_run) = (String::new(), None, 0);
    for line in block.lines().filter(|line| line.starts_with("$ ")) {
        writeln!(text, "{line}").unwrap();
        if line == "$ echo $?" {
            let status: i32 = status.unwrap();
            writeln!(text, "{status}").unwrap();
            continue;
        }
        let args = line.strip_prefix("$ wakegate ").unwrap().split(' ');
        let mut command = Command::new(env!("CARGO_BIN_EXE_wakegate"));
        let output = command.args(args).current_dir(dir).output().unwrap();
        text += &String::from_utf8(output.stdout).unwrap();
        text += &String::from_utf8(output.stderr).unwrap();
        status = output.status.code();
        n_run += 1;
    }
    (text, n_run)
}

#[expect(clippy::disallowed_methods, reason = "a test has no Args")]
fn check<S: Display>(path: &str, command: &str, groups: &[Group<S>]) {
    let page = fs::read_to_string(path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let fresh = with_examples(&with_tables(&page, command, groups), dir.path());
    if std::env::var("WAKEGATE_GEN").is_ok() {
        fs::write(path, fresh).unwrap();
    } else {
        assert_eq!(page, fresh, "{path} is stale: run `just gen`");
    }
}

#[test]
fn the_page_on_migrate_is_current() {
    let page = "../docs/migrate-from-http-add-on.md";
    check(page, "migrate", &migrate::rules::GROUPS);
}

#[test]
fn the_page_on_doctor_is_current() {
    check("../docs/doctor.md", "doctor", &doctor::rules::GROUPS);
}
