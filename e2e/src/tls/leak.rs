//! Whether a key got into a log.

use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// How every private key begins in PEM, whatever its kind.
const LABEL: &str = "PRIVATE KEY";

/// What to look for: the lines of a key's PEM.
pub(super) struct Key {
    lines: Vec<String>,
}

impl Key {
    pub(super) fn of(pem: &str) -> Self {
        let lines = pem.lines().filter(|line| !line.contains("-----"));
        let lines = lines.filter(|line| !line.is_empty());
        Self {
            lines: lines.map(str::to_owned).collect(),
        }
    }

    fn is_in(&self, text: &str) -> bool {
        self.lines.iter().any(|line| text.contains(line))
    }
}

impl Debug for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// The files that end in `.log` in a folder and those below it, and that have one of the keys in them, or any that is
/// called one.
pub(super) fn logs_with(keys: &[Key], folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).context("list a folder")? {
            let entry = entry.context("list a folder")?;
            let path = entry.path();
            if entry.file_type().context("look at a file")?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "log") {
                let bytes = fs::read(&path).context("read a log")?;
                let text = String::from_utf8_lossy(&bytes);
                if text.contains(LABEL) || keys.iter().any(|key| key.is_in(&text)) {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Authority, Role};

    #[test]
    fn a_key_is_found_whole_and_in_part() {
        let pem = Authority::new().unwrap().issue(Role::Filter).unwrap().key;
        let keys = [Key::of(&pem)];
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        let line = pem.lines().nth(1).unwrap();
        for (text, is_found) in [
            ("nothing of it".to_owned(), false),
            (pem.clone(), true),
            (pem.replace('\n', "\\n"), true),
            (format!("key={line} and more"), true),
            ("-----BEGIN EC PRIVATE KEY-----".to_owned(), true),
        ] {
            let log = below.join("a.log");
            fs::write(&log, &text).unwrap();
            fs::write(below.join("tls.key"), &pem).unwrap();
            let found = logs_with(&keys, folder.path()).unwrap();
            assert_eq!(found.contains(&log), is_found, "{text}");
        }
    }
}
