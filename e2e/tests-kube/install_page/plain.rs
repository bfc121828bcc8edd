//! The page for a plain Envoy, which needs no cluster: here because its ports are fixed, and these tests have a network of
//! their own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use wakegate_e2e::{Process, eventually, programs, samples};

use super::in_place::{InPlace, Table};
use super::{page, said};

const PAGE: &str = "envoy-config/plain/README.md";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FILES: &str = "envoy-config/plain";
const SOON: Duration = Duration::from_secs(30);
/// Envoy's admin endpoint, as the page's files have it.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

const IN_PLACE: &[InPlace] = &[
    InPlace {
        line: "./justw wasm",
        run: "test -f target/wasm/wakegate_filter.wasm",
        why: "needs crates; it was made before",
    },
    InPlace {
        line: "cargo build -p wakegate-control-plane -p wakegate-scaler",
        run: "test -x target/debug/wakegate-control-plane -a -x target/debug/wakegate-scaler",
        why: "needs crates; both were built before",
    },
];

/// Where the lines are run: what they name of the repository, with a folder of this test in place of `/tmp`.
struct Reader {
    folder: PathBuf,
    table: Table,
    /// What is in a terminal of its own.
    terminals: Vec<Process>,
}

impl Reader {
    fn new(folder: &Path) -> Result<Self> {
        let root = folder.join("root");
        copy(&Path::new(ROOT).join(FILES), &root.join(FILES), folder)?;
        symlink(Path::new(ROOT).join("scripts"), root.join("scripts"))?;
        let daemon = programs::ours("wakegate-control-plane")?;
        let target = daemon.ancestors().nth(2).context("a target folder")?;
        symlink(target, root.join("target"))?;
        Ok(Self {
            folder: folder.to_owned(),
            table: Table::new(IN_PLACE, Vec::new()),
            terminals: Vec::new(),
        })
    }

    fn command(&mut self, line: &str) -> String {
        let line = self.table.run_for(line);
        line.replace("/tmp/", &format!("{}/", self.folder.display()))
    }

    fn shell(&mut self, line: &str) -> Command {
        let mut shell = Command::new("bash");
        let line = self.command(line);
        shell.args(["-euo", "pipefail", "-c", &line]);
        shell
            .current_dir(self.folder.join("root"))
            .kill_on_drop(true);
        shell
    }

    async fn run(&mut self, line: &str) -> Result<()> {
        let output = self.shell(line).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {said}");
        Ok(())
    }

    fn open_terminal(&mut self, line: &str) -> Result<()> {
        let root = self.folder.join("root").display().to_string();
        let line = self.command(line.trim_end_matches(" &"));
        let line = format!("cd {root} && exec {line}");
        let log = self.folder.join(format!("{}.log", self.terminals.len()));
        let process = Process::start(Path::new("/bin/bash"), ["-c", &line], &log)?;
        self.terminals.push(process);
        Ok(())
    }

    fn logs(&self) -> String {
        let tails = self.terminals.iter().map(|it| it.tail(5));
        tails.collect::<Vec<_>>().join("\n")
    }

    /// Three terminals, a request, and a pod, in the page's words.
    async fn sees_a_request_held(&mut self, lines: &Lines<'_>, daemons: &[String]) -> Result<()> {
        for line in daemons {
            self.open_terminal(line)?;
        }
        let has_table = async || {
            let samples = samples(ADMIN, "/stats/prometheus").await.ok()?;
            (samples.sum("wakegate_scaler_connected") >= 2.0).then_some(())
        };
        let both = eventually(SOON, "both workers reach the daemons", has_table).await;
        both.with_context(|| self.logs())?;
        let asked = self.shell(lines.ask).stdout(Stdio::piped()).spawn()?;
        let is_held = async || {
            let samples = samples(ADMIN, "/stats/prometheus").await.ok()?;
            (samples.sum("wakegate_held") > 0.0).then_some(())
        };
        eventually(SOON, "the request is held", is_held).await?;
        self.open_terminal(lines.pod)?;
        self.run(lines.ready).await?;
        let answer = asked.wait_with_output().await?;
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        said(lines.ask, &answer)
    }
}

/// What its reader does besides of starting the parts.
struct Lines<'a> {
    ask: &'a str,
    pod: &'a str,
    ready: &'a str,
}

#[tokio::test]
async fn every_line_for_a_plain_envoy_works() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut reader = Reader::new(folder.path())?;
    let lines = page::lines(PAGE)?;
    let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    // Four to begin with, three terminals; what is asked and done; three terminals without TLS.
    let [first @ .., ask, pod, ready, one, two, three] = lines.as_slice() else {
        anyhow::bail!("{PAGE} has other lines: {lines:#?}");
    };
    let (before, daemons) = first.split_at_checked(4).context("four to begin with")?;
    ensure!(daemons.len() == 3 && ask.starts_with("curl "), "{lines:#?}");
    for line in before {
        reader.run(line).await?;
    }
    let lines = Lines { ask, pod, ready };
    reader.sees_a_request_held(&lines, daemons).await?;

    // At a first look, without certificates.
    reader.terminals.clear();
    fs::remove_file(folder.path().join("manifests/endpoint.yaml"))?;
    let plain = [one, two, three].map(String::clone);
    reader.sees_a_request_held(&lines, &plain).await?;
    reader.table.is_used_up()
}

/// With the test's folder in place of `/tmp`.
fn copy(from: &Path, to: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place, folder)?;
            continue;
        }
        let text = fs::read_to_string(entry.path())?;
        let text = text.replace("/tmp/", &format!("{}/", folder.display()));
        fs::write(&place, text)?;
        fs::set_permissions(&place, entry.metadata()?.permissions())?;
    }
    Ok(())
}
