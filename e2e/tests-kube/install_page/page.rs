//! The lines that a page tells its reader to run.

use std::path::Path;

use anyhow::{Context, Result, bail};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A line that begins with `$ ` in a block of the language `console`, with what it is continued by.
#[derive(Debug)]
pub(super) struct Line {
    /// The last heading before it.
    pub(super) section: String,
    pub(super) text: String,
}

/// All of a page, in its order. What such a block holds beside of lines to run is an error: nobody would check it.
pub(super) fn lines(page: &str) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(Path::new(ROOT).join(page)).context(page.to_owned())?;
    parse(&text).with_context(|| page.to_owned())
}

fn parse(text: &str) -> Result<Vec<Line>> {
    let mut found: Vec<Line> = Vec::new();
    let mut section = String::new();
    // The language of the block, and whether the line before goes on.
    let mut block = None;
    let mut goes_on = false;
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(language)) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, None) if line.trim_start().starts_with("```") => {
                bail!("a block is indented: {line}")
            }
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    heading.clone_into(&mut section);
                }
            }
            (Some("console"), None) if goes_on => {
                let last = found.last_mut().context("a line goes on")?;
                last.text.push('\n');
                last.text.push_str(line);
                goes_on = line.ends_with('\\');
            }
            (Some("console"), None) => {
                let line = line.strip_prefix("$ ");
                let line = line.context("a block has a line that is not run")?;
                goes_on = line.ends_with('\\');
                found.push(Line {
                    section: section.clone(),
                    text: line.to_owned(),
                });
            }
            (Some("" | "sh" | "bash" | "shell"), None) => {
                bail!("a block of commands is no `console`: {line}")
            }
            (Some(_), None) => {}
        }
    }
    Ok(found)
}

#[test]
fn lines_are_found_with_their_sections_and_what_continues_them() -> Result<()> {
    let text = "## One\n```console\n$ a \\\n    --b\n$ c\n```\n$ d\n```yaml\ne: f\n```\n## Two\n```console\n$ g\n```\n";
    let found = parse(text)?;
    let found: Vec<_> = found
        .iter()
        .map(|line| (line.section.as_str(), line.text.as_str()))
        .collect();
    assert_eq!(
        found,
        [("One", "a \\\n    --b"), ("One", "c"), ("Two", "g")]
    );
    for wrong in [
        "```console\na\n```\n",
        "```sh\na\n```\n",
        "- a\n  ```console\n",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    Ok(())
}
