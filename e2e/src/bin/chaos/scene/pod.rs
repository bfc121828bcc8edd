//! One app with the network before it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::{App, AppCommand, Conduct, Relay};

/// An app that runs or was killed.
#[derive(Debug)]
pub(crate) struct Pod {
    name: &'static str,
    command: AppCommand,
    app: Option<App>,
    /// `None`: it is reached directly.
    relay: Option<Relay>,
    is_relayed: bool,
}

impl Pod {
    pub(crate) async fn start(
        name: &'static str,
        command: AppCommand,
        is_relayed: bool,
    ) -> Result<Self> {
        let mut pod = Self {
            name,
            command,
            app: None,
            relay: None,
            is_relayed,
        };
        pod.start_again().await?;
        Ok(pod)
    }

    /// As another process at another address.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        ensure!(self.app.is_none(), "{} runs already", self.name);
        let app = self.command.start(self.name).await?;
        if self.is_relayed {
            self.relay = Some(Relay::start(app.address()).await?);
        }
        self.app = Some(app);
        Ok(())
    }

    /// Where Envoy finds it; `None` while it does not run.
    pub(crate) fn endpoint(&self) -> Option<SocketAddr> {
        let app = self.app.as_ref()?;
        Some(self.relay.as_ref().map_or(app.address(), Relay::address))
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.app.take().context("it runs")?.kill()
    }

    pub(crate) fn pause(&self) -> Result<()> {
        self.app.as_ref().context("it runs")?.pause()
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.app.as_ref().context("it runs")?.resume()
    }

    /// What the network before it does from now on.
    pub(crate) fn conduct(&self, conduct: Conduct) -> Result<()> {
        let relay = self.relay.as_ref().context("it is relayed")?;
        relay.conduct(conduct);
        Ok(())
    }

    /// Answers everything with 503 for so long.
    pub(crate) async fn fail(&self, span: Duration) -> Result<()> {
        let app = self.app.as_ref().context("it runs")?;
        let url = format!("http://localhost/fail?ms={}", span.as_millis());
        let answer = fetch(Version::H1, app.address(), get(&url)?).await?;
        ensure!(answer.status == 200, "/fail: {}", answer.status);
        Ok(())
    }

    /// An error when it has ended by itself.
    pub(crate) fn is_well(&mut self) -> Result<()> {
        let is_well = self.app.as_mut().is_none_or(App::is_running);
        ensure!(is_well, "the app {} ended by itself", self.name);
        Ok(())
    }
}
