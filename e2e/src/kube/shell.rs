//! A user's shell: in the root of the repository, with the programs and the credentials that a user has.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time;

use super::cluster::{Cluster, kubectl_program};
use super::helm::Helm;
use crate::programs;

/// For one line; what it waits for has limits of its own, which are shorter.
const LIMIT: Duration = Duration::from_mins(6);
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Runs a line so that it fails as soon as a part of it does, with the variables of the lines before.
const RUN: &str = r#"
set -euo pipefail -o allexport
[ ! -e "$VARIABLES" ] || . "$VARIABLES"
eval "$1"
export -p > "$VARIABLES"
"#;

/// Runs one line after the other; what one of them assigns the next ones have.
#[derive(Debug)]
pub struct Shell {
    environment: Vec<(&'static str, PathBuf)>,
}

impl Shell {
    /// With `helm`, `kubectl` and `wakegate`, for one cluster.
    pub fn of(cluster: &Cluster, helm: &Helm) -> Result<Self> {
        let folder = cluster.folder().join("shell");
        let programs = folder.join("bin");
        fs::create_dir_all(&programs)?;
        symlink(helm.path(), programs.join("helm"))?;
        symlink(kubectl_program()?, programs.join("kubectl"))?;
        symlink(programs::ours("wakegate")?, programs.join("wakegate"))?;
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs].into_iter().chain(env::split_paths(&others)))?;
        let mut environment = helm.environment().to_vec();
        environment.push(("KUBECACHEDIR", folder.join("kubectl-cache")));
        environment.push(("VARIABLES", folder.join("variables")));
        environment.push(("PATH", path.into()));
        Ok(Self { environment })
    }

    /// What a line prints; an error with it when the line fails.
    pub async fn run(&self, line: &str) -> Result<String> {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-c", RUN, "bash", line]);
        command.envs(self.environment.clone()).current_dir(ROOT);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = time::timeout(LIMIT, command.output())
            .await
            .with_context(|| format!("not within {LIMIT:?}: {line}"))?
            .context("start bash")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{}: {line}\n{printed}{said}",
            output.status
        );
        Ok(printed)
    }
}
