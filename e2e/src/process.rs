//! One child process: its log in a file, its end with ours.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::eventually::until;

/// Where util-linux puts the program that ties a child's life to its parent's.
const SETPRIV: &str = "/usr/bin/setpriv";

/// A program that runs, and that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with `args`; what it prints goes to the end of `log`.
    pub fn start<A: AsRef<std::ffi::OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        Self::start_with(program, args, Vec::new(), log)
    }

    /// Starts it with more variables in its environment.
    pub fn start_with<A: AsRef<std::ffi::OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        environment: Vec<(&str, OsString)>,
        log: &Path,
    ) -> Result<Self> {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .context("open its log")?;
        let mut command = if Path::new(SETPRIV).exists() {
            // Drop does not run when a test runner is killed: then the kernel ends the child.
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args).envs(environment).stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        // Ctrl-C is for us alone: we end the others in order.
        command.process_group(0);
        let child = command
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// The file name of the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Where its log is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look after a process")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = kill_process(pid.context("a process has an id")?, signal);
        sent.with_context(|| format!("send {signal:?} to {}", self.name))
    }

    /// Asks it to end with SIGTERM, without waiting.
    pub fn ask_to_end(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it with SIGTERM and returns how it went; an error when it does not end in time.
    pub async fn terminate(mut self, deadline: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.ask_to_end()?;
        let what = format!("{} ends after SIGTERM", self.name);
        until(deadline, &what, || self.ended().ok().flatten()).await
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context("kill a process")?;
        self.child.wait().context("wait for a killed process")?;
        Ok(())
    }

    /// Waits for the address in `file`; fails early when the process ends instead.
    pub async fn address(&mut self, file: &Path, deadline: Duration) -> Result<String> {
        let what = format!("{} writes {}", self.name, file.display());
        let found = until(deadline, &what, || match std::fs::read_to_string(file) {
            Ok(text) if !text.is_empty() => Some(Ok(text)),
            Ok(_) | Err(_) => self.ended().ok().flatten().map(Err),
        });
        match found.await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(status)) => bail!("{} ended with {status}:\n{}", self.name, self.tail(30)),
            Err(error) => Err(error.context(self.tail(30))),
        }
    }

    /// The last lines of its log.
    pub fn tail(&self, n_lines: usize) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(n_lines)..)
            .unwrap_or_default();
        format!(
            "--- {} ({})\n{}",
            self.name,
            self.log.display(),
            tail.join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address of the loopback device that nobody listens on now.
pub fn free_address() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("bind a free port")?;
    listener.local_addr().context("ask for the bound address")
}
