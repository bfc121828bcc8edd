//! Files, and directories of them with what is below.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Unread, each};

/// What aliases may stand for, all together. Nobody writes more by hand, and ten lines can mean more than any memory
/// holds.
const MAX_ALIASED: usize = 10_000;

/// What manifests are called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Hands on each object with its file. What is no YAML is told apart: the rest of a report counts nevertheless.
///
/// # Errors
/// A path that was named is not there, or a directory that was has no manifest.
pub(crate) fn read(
    paths: &[PathBuf],
    mut add: impl FnMut(Value, &str),
) -> anyhow::Result<Vec<Unread>> {
    let mut unread = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let is_stdin = path.as_os_str() == "-";
        let is_dir = !is_stdin && fs::metadata(path).with_context(|| shown(path))?.is_dir();
        let files = if is_dir {
            below(path).with_context(|| shown(path))?
        } else {
            vec![path.clone()]
        };
        if files.is_empty() {
            bail!("{}: no file that ends in .yaml, .yml or .json", shown(path));
        }
        for file in files {
            if !seen.insert(file.clone()) {
                continue;
            }
            let text = if is_stdin {
                stdin()
            } else {
                fs::read_to_string(&file)
            };
            let name = if is_stdin { "-".into() } else { shown(&file) };
            let values = text.map_err(anyhow::Error::from);
            match values.and_then(|text| documents(&text)) {
                Ok(values) => {
                    for value in values {
                        each(value, &mut |object| add(object, &name));
                    }
                }
                Err(error) => unread.push(Unread {
                    what: name,
                    reason: format!("{error:#}"),
                }),
            }
        }
    }
    Ok(unread)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn stdin() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// The manifests below a directory, by name. Hidden ones are not meant.
fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Of a link to a directory nobody knows where it ends.
        if entry.file_type()?.is_dir() {
            files.extend(below(&path)?);
        } else if path.is_file() && is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    EXTENSIONS
        .iter()
        .any(|it| extension.eq_ignore_ascii_case(it))
}

/// JSON is YAML as well.
fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    options.alias_limits.max_total_replayed_events = MAX_ALIASED;
    if let Some(budget) = &mut options.budget {
        // All of a cluster may be in one file. Without aliases what is read is no larger than the file; how deep it may
        // be stays bounded.
        budget.max_documents = usize::MAX;
        budget.max_events = usize::MAX;
        budget.max_nodes = usize::MAX;
        budget.max_total_scalar_bytes = usize::MAX;
    }
    match serde_saphyr::from_multiple_with_options(text, options) {
        Ok(values) => Ok(values),
        Err(error) => bail!("{}", error.to_string().replace('\n', "; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_parted_and_empty_ones_are_none() {
        let documents = |text| documents(text).unwrap();
        assert_eq!(documents("a: 1\n---\n# nothing\n---\nb: 2\n").len(), 2);
        assert_eq!(documents("{\"a\": 1}").len(), 1);
        assert!(documents("").is_empty());
        assert!(super::documents("a: {{ .Values.a }}\n").is_err());
    }

    #[test]
    fn a_file_may_be_large_but_neither_deep_nor_more_than_it_says() {
        assert_eq!(
            documents(&"a: 1\n---\n".repeat(5_000)).unwrap().len(),
            5_000
        );
        let list = format!("items: [{}]\n", "{a: 1}, ".repeat(200_000));
        assert!(documents(&list).is_ok());
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        assert!(documents(&deep).is_err());
        let laughs = (1..8).map(|n| {
            let inner = format!("*a{}, ", n - 1).repeat(10);
            format!("a{n}: &a{n} [{inner}]\n")
        });
        let laughs: String = laughs.collect();
        assert!(documents(&format!("a0: &a0 [x, x, x]\n{laughs}")).is_err());
    }

    #[test]
    fn directories_are_read_with_what_is_below() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        for name in ["b.yaml", "inner/a.YML", "notes.md", ".git/c.yaml"] {
            fs::write(dir.path().join(name), "a: 1\n").unwrap();
        }
        let found = below(dir.path()).unwrap();
        assert_eq!(found, [dir.path().join("b.yaml"), inner.join("a.YML")]);
    }
}
