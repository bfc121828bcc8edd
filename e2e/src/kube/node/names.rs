//! What the cluster's DNS would say of Services, as a file of hosts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Namespace and name.
type Name = (String, String);

/// The file, and what it says.
#[derive(Debug)]
pub(super) struct Names {
    path: PathBuf,
    written: String,
}

impl Names {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: String::new(),
        }
    }

    /// Says which addresses each Service has: its own, or those of its pods when it is headless.
    pub(super) fn set(&mut self, services: &BTreeMap<Name, Vec<Ipv4Addr>>) -> Result<()> {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for ((namespace, name), addresses) in services {
            for address in addresses {
                let short = format!("{name}.{namespace}");
                let whole = format!("{short}.svc.cluster.local");
                // With a dot at its end a name is looked for nowhere else, and a file of hosts knows nothing of that.
                writeln!(text, "{address} {short} {short}.svc {whole} {whole}.")?;
            }
        }
        if text != self.written {
            rewrite(&self.path, &text)?;
            self.written = text;
        }
        Ok(())
    }
}

/// Writes a file that is mounted by itself: never another one in its place.
fn rewrite(path: &Path, text: &str) -> Result<()> {
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let mut file = file.with_context(|| format!("open {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(())
}
