//! What one test has: a namespace, an Envoy with the filter, and a Wakegate on a cluster, which it mostly
//! shares with others.

mod sees;

use std::fmt::{self, Debug, Formatter};
use std::time::{Duration, Instant};

use ::kube::Client;
use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::try_join;

use super::cluster::Cluster;
use super::namespace::Namespace;
use super::objects::{Object, list};
use super::proxy::{self, Host};
use super::wakegate::Wakegate;
use crate::client::{Answer, Version, fetch, get};
use crate::envoy::Envoy;

pub use sees::Told;

/// For what takes no pod to start: an object that follows another, a condition, an event.
pub const SOON: Duration = Duration::from_secs(20);
/// From a request at zero to its answer, and from the last request to zero, at the intervals of a test and
/// with three other tests on the machine.
pub const WAKE: Duration = Duration::from_secs(30);

/// The fixture. Without `finish`, its drop prints what is known: the test has failed.
pub struct Scene<'a> {
    cluster: &'a Cluster,
    wakegate: &'a Wakegate,
    client: Client,
    namespaces: Vec<Namespace>,
    envoy: Option<Envoy>,
    /// What Envoy serves.
    hosts: Vec<Host>,
    folder: Option<TempDir>,
    began: Instant,
    is_finished: bool,
}

impl Scene<'static> {
    /// On the shared cluster: objects applied, and an Envoy that serves `hosts`.
    pub async fn shared(test: &str, objects: &[Object], hosts: &[Host]) -> Result<Self> {
        let cluster = Cluster::shared().await?;
        let wakegate = Wakegate::shared().await?;
        let mut scene = Self::open(cluster, wakegate, &[test]).await?;
        scene.set(objects, hosts).await?;
        Ok(scene)
    }
}

impl<'a> Scene<'a> {
    /// Fresh namespaces, the test's own the first, with nothing in them and no Envoy.
    pub async fn open(
        cluster: &'a Cluster,
        wakegate: &'a Wakegate,
        namespaces: &[&str],
    ) -> Result<Self> {
        let mut fresh = Vec::new();
        for name in namespaces {
            fresh.push(cluster.namespace(name).await?);
        }
        Self::open_in(cluster, wakegate, fresh).await
    }

    /// The same in namespaces that are there already.
    pub async fn open_in(
        cluster: &'a Cluster,
        wakegate: &'a Wakegate,
        namespaces: Vec<Namespace>,
    ) -> Result<Self> {
        Ok(Self {
            cluster,
            wakegate,
            client: cluster.client().await?,
            namespaces,
            envoy: None,
            hosts: Vec::new(),
            folder: Some(TempDir::with_prefix("scene-").context("make a folder")?),
            began: Instant::now(),
            is_finished: false,
        })
    }

    /// Applies objects, and starts an Envoy that serves `hosts`.
    pub async fn set(&mut self, objects: &[Object], hosts: &[Host]) -> Result<()> {
        let ((), envoy) = try_join!(self.apply(objects), self.start_envoy(hosts))?;
        self.envoy = Some(envoy);
        self.hosts = hosts.to_vec();
        Ok(())
    }

    /// Starts an Envoy that serves `hosts`, whatever is applied later.
    pub async fn serve(&mut self, hosts: &[Host]) -> Result<()> {
        self.envoy = Some(self.start_envoy(hosts).await?);
        self.hosts = hosts.to_vec();
        Ok(())
    }

    async fn start_envoy(&self, hosts: &[Host]) -> Result<Envoy> {
        let folder = self.folder.as_ref().context("it has not ended")?.path();
        let namespaces: Vec<_> = self.namespaces.iter().map(Namespace::name).collect();
        let config = proxy::config(self.namespace()?, self.wakegate, &namespaces, hosts)?;
        proxy::start(&config, folder).await
    }

    /// The cluster.
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Our daemons.
    pub fn wakegate(&self) -> &'a Wakegate {
        self.wakegate
    }

    /// A client of the API server as administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The name of the test's own namespace.
    pub fn namespace(&self) -> Result<&str> {
        self.namespace_at(0)
    }

    /// The name of another of its namespaces.
    pub fn namespace_at(&self, at: usize) -> Result<&str> {
        self.place(at).map(Namespace::name)
    }

    /// The Envoy.
    pub fn envoy(&self) -> Result<&Envoy> {
        self.envoy.as_ref().context("Envoy runs")
    }

    /// Applies objects into the test's own namespace as a user does.
    pub async fn apply(&self, objects: &[Object]) -> Result<()> {
        self.apply_at(0, objects).await
    }

    /// Applies objects into another of its namespaces.
    pub async fn apply_at(&self, at: usize, objects: &[Object]) -> Result<()> {
        self.place(at)?.apply(&list(objects)).await
    }

    /// Applies any manifest into the test's own namespace.
    pub async fn apply_text(&self, yaml: &str) -> Result<()> {
        self.place(0)?.apply(yaml).await
    }

    /// Runs kubectl in the test's own namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_at(0, args).await
    }

    /// Runs kubectl in the test's own namespace with an input.
    pub async fn kubectl_with(&self, args: &[&str], stdin: &str) -> Result<String> {
        self.place(0)?.kubectl(args, Some(stdin)).await
    }

    /// Runs kubectl in another of its namespaces.
    pub async fn kubectl_at(&self, at: usize, args: &[&str]) -> Result<String> {
        self.place(at)?.kubectl(args, None).await
    }

    /// A GET through Envoy, on a connection of its own.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        fetch(Version::H1, self.envoy()?.address(), get(url)?).await
    }

    /// Says what has happened, and when: shown with a failed test.
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    pub fn note(&self, what: &str) {
        let namespace = self.namespace().unwrap_or_default();
        eprintln!("{:8.3?} {namespace}: {what}", self.began.elapsed());
    }

    /// Ends Envoy; its requests are lost.
    pub fn kill_envoy(&mut self) -> Result<()> {
        self.envoy.take().context("Envoy runs")?.kill()
    }

    /// The end of a test that has passed. The namespaces go by themselves.
    pub async fn finish(mut self) -> Result<()> {
        self.wakegate.is_well().await?;
        if let Some(envoy) = self.envoy.take() {
            envoy.is_well()?;
            envoy.kill()?;
        }
        self.is_finished = true;
        for namespace in std::mem::take(&mut self.namespaces) {
            namespace.finish().await?;
        }
        Ok(())
    }

    fn place(&self, at: usize) -> Result<&Namespace> {
        let namespace = self.namespaces.get(at);
        namespace.with_context(|| format!("no namespace {at} in this scene"))
    }

    /// What Envoy and our daemons said. The namespaces print the rest when they are dropped.
    fn logs(&self, n_lines: usize) -> String {
        let envoy = self.envoy.as_ref();
        let envoy = envoy.map(|envoy| envoy.process().tail(n_lines));
        let names = self.namespaces.iter().map(Namespace::name);
        let daemons = names.map(|name| self.wakegate.tails(n_lines, Some(name)));
        envoy.into_iter().chain(daemons).collect()
    }
}

impl Debug for Scene<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Scene");
        shown.field("namespaces", &self.namespaces);
        shown.finish_non_exhaustive()
    }
}

impl Drop for Scene<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let n_lines = 40;
        eprintln!(
            "the scene ended early; the last {n_lines} lines of Envoy's log, and of each daemon's that name its namespaces:\n{}",
            self.logs(n_lines)
        );
        let kept = self.folder.take().map(TempDir::keep);
        eprintln!(
            "Envoy's files are in {}",
            kept.unwrap_or_default().display()
        );
    }
}
