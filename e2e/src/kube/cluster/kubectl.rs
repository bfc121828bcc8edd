//! kubectl, as a user runs it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time;

use super::layout::{ADMIN, Layout};
use super::program;

/// For one call. kubectl itself would wait for an API server that is gone for as long as it takes.
const LIMIT: Duration = Duration::from_mins(1);

/// kubectl with the administrator's credentials.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    path: PathBuf,
    common: [String; 2],
}

impl Kubectl {
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let kubeconfig = layout.kubeconfig(ADMIN);
        // Apart from the user's: what another cluster on this port served would be believed for hours.
        let cache = layout.folder.join("kubectl-cache");
        Ok(Self {
            path: program::kubectl()?,
            common: [
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--cache-dir={}", cache.display()),
            ],
        })
    }

    /// What it prints on its standard output; an error with what it says when it fails.
    pub(crate) async fn run(&self, args: &[&str], stdin: Option<&str>) -> Result<String> {
        let line = format!("kubectl {}", args.join(" "));
        let mut command = Command::new(&self.path);
        command.args(&self.common).args(args).kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("start kubectl")?;
        let mut input = child.stdin.take().context("kubectl has an input")?;
        let text = stdin.unwrap_or_default().as_bytes();
        let work = async {
            // It fails when kubectl ends without reading, which then says why.
            drop(input.write_all(text).await);
            drop(input);
            child.wait_with_output().await
        };
        let output = time::timeout(LIMIT, work)
            .await
            .with_context(|| format!("not within {LIMIT:?}: {line}"))?
            .context("wait for kubectl")?;
        ensure!(
            output.status.success(),
            "{line}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same for where nobody can wait: while a test fails.
    pub(crate) fn run_blocking(&self, args: &[&str]) -> String {
        let mut command = std::process::Command::new(&self.path);
        command.args(&self.common).args(args);
        command.arg("--request-timeout=5s").stdin(Stdio::null());
        match command.output() {
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&said).into_owned()
            }
            Err(error) => format!("kubectl: {error}"),
        }
    }
}
