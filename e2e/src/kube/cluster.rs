//! etcd, kube-apiserver, kube-controller-manager and KEDA's three programs, all real. The cluster lives on
//! threads of its own, so that it can outlast the runtime of the test that started it.

mod authority;
mod boot;
mod crds;
mod home;
mod kubectl;
mod layout;
mod objects;
mod program;
mod running;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::kube::{Api, Client};
use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use self::home::Home;
use self::layout::Layout;
use super::namespace::Namespace;
use super::node::Node;

pub use self::crds::Crds;
pub(crate) use self::kubectl::Kubectl;
pub use self::program::Program;
pub(crate) use self::program::kubectl as kubectl_program;
pub(crate) use self::running::{Running, client_of};

/// What a cluster has when it starts.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is there or not, whatever the others are"
)]
#[derive(Debug, Clone, Copy)]
pub struct ClusterOptions {
    /// KEDA: its CRDs and its programs.
    pub keda: bool,
    /// The Gateway API's CRDs.
    pub gateway_api: bool,
    /// The CRDs of the KEDA HTTP add-on, as Wakegate has them.
    pub http_add_on: bool,
    /// A node, on which pods run; without, they stay pending.
    pub node: bool,
    /// What Wakegate's daemons need of a cluster before they start.
    pub wakegate: bool,
}

impl ClusterOptions {
    /// An API server, for objects that nobody looks at.
    pub const BARE: Self = Self {
        keda: false,
        gateway_api: false,
        http_add_on: false,
        node: false,
        wakegate: false,
    };
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            keda: true,
            gateway_api: true,
            http_add_on: true,
            node: true,
            wakegate: true,
        }
    }
}

/// A cluster that runs. Without `finish`, its drop prints the logs: the test has failed.
#[derive(Debug)]
pub struct Cluster {
    running: Arc<Running>,
    kubectl: Kubectl,
    /// Before its threads, which it runs on.
    node: Option<Node>,
    home: Home,
    folder: Option<TempDir>,
    started_in: Duration,
    is_finished: bool,
}

impl Cluster {
    /// A cluster for one test.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        let began = Instant::now();
        let folder = TempDir::with_prefix("cluster-").context("make a folder")?;
        let layout = Layout::new(folder.path().to_owned())?;
        let mut cluster = Self {
            kubectl: Kubectl::new(&layout)?,
            running: Arc::new(Running::new(layout)),
            node: None,
            home: Home::new()?,
            folder: Some(folder),
            started_in: Duration::ZERO,
            is_finished: false,
        };
        let (running, kubectl) = (Arc::clone(&cluster.running), cluster.kubectl.clone());
        let start = async move { boot::start(&running, &kubectl, options).await };
        cluster.node = cluster.home.run(start).await?;
        cluster.started_in = began.elapsed();
        Ok(cluster)
    }

    /// The cluster that the tests of this program share; the first to ask starts it. Tests that stop one
    /// of its programs start a cluster of their own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();
        let start = async || {
            let cluster = Self::start(ClusterOptions::default()).await;
            cluster.map_err(|error| format!("{error:#}"))
        };
        // The failure is kept as well: each test would wait for another.
        let cluster = SHARED.get_or_init(start).await;
        cluster
            .as_ref()
            .map_err(|error| anyhow!("the shared cluster did not start: {error}"))
    }

    /// How long it took until everything was ready.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The folder of configuration and logs.
    pub fn folder(&self) -> &Path {
        &self.running.layout.folder
    }

    /// The first three bytes of the addresses of its pods.
    pub fn pod_subnet(&self) -> [u8; 3] {
        self.running.layout.pod_subnet()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.running.layout.kubeconfig(layout::ADMIN)
    }

    /// An administrator's client. It belongs to the runtime of whoever asks, so it is made anew each time.
    pub async fn client(&self) -> Result<Client> {
        self.running.client().await
    }

    /// Runs kubectl as administrator and returns what it prints.
    pub async fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Result<String> {
        self.kubectl.run(args, stdin).await
    }

    /// Applies YAML as a user does; the error is kubectl's.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        let args = ["apply", "--filename", "-"];
        self.kubectl.run(&args, Some(yaml)).await.map(drop)
    }

    /// A fresh namespace whose name tells the test.
    pub async fn namespace(&self, test: &str) -> Result<Namespace> {
        let client = self.client().await?;
        let running = Arc::clone(&self.running);
        Namespace::create(running, self.kubectl.clone(), client, test).await
    }

    /// Applies the Gateway API's CRDs, and a class of Gateways, to a cluster that was started without.
    pub async fn apply_gateway_api(&self) -> Result<()> {
        objects::apply_gateway_api(&self.kubectl).await?;
        self.established().await?;
        objects::apply_gateway_class(&self.kubectl).await
    }

    /// Applies CRDs of others.
    pub async fn apply_crds(&self, crds: Crds) -> Result<()> {
        crds::apply(&self.kubectl, crds).await?;
        self.established().await
    }

    /// Applies the KEDA HTTP add-on's CRDs to a cluster that was started without.
    pub async fn apply_http_add_on(&self) -> Result<()> {
        objects::apply_http_add_on(&self.kubectl).await?;
        self.established().await
    }

    /// Installs KEDA's CRDs on a cluster that was started without KEDA, and nothing that looks at their objects.
    pub async fn install_keda_crds(&self) -> Result<()> {
        objects::apply_keda_crds(&self.kubectl).await?;
        self.established().await
    }

    /// Installs KEDA on a cluster that was started without, and waits until it answers.
    pub async fn install_keda(&self) -> Result<()> {
        objects::apply_keda(&self.kubectl, &self.running.layout).await?;
        self.established().await?;
        objects::apply_wakegate_for_keda(&self.kubectl).await?;
        let running = Arc::clone(&self.running);
        let start = async move { boot::start_keda(&running).await };
        self.home.run(start).await
    }

    /// Starts a program that was stopped and waits until it answers.
    pub async fn start_program(&self, program: Program) -> Result<()> {
        let running = Arc::clone(&self.running);
        let start = async move { running.start_ready(program).await };
        self.home.run(start).await
    }

    /// Ends a program at once, as a crash would.
    pub fn kill(&self, program: Program) -> Result<()> {
        self.running.kill(program)
    }

    /// Stalls a program: its connections stay open, and nobody answers.
    pub fn pause(&self, program: Program) -> Result<()> {
        self.running.signal(program, Signal::STOP)
    }

    /// Lets a paused program go on.
    pub fn resume(&self, program: Program) -> Result<()> {
        self.running.signal(program, Signal::CONT)
    }

    /// Restarts KEDA's operator as a rollout does, and waits until it answers.
    pub async fn restart_keda(&self) -> Result<()> {
        self.running.terminate(Program::KedaOperator).await?;
        self.start_program(Program::KedaOperator).await
    }

    /// A kubeconfig with a token of a service account, for a program that runs as that account.
    pub async fn kubeconfig_for(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec::default()),
            ..TokenRequest::default()
        };
        let what = || format!("ask for a token of {namespace}/{account}");
        let answer = accounts
            .create_token_request(account, &PostParams::default(), &request)
            .await
            .with_context(what)?;
        let token = answer.status.and_then(|status| status.token);
        let token = token.with_context(what)?;
        let layout = &self.running.layout;
        let path = layout.kubeconfig(&format!("{namespace}.{account}"));
        layout.write_kubeconfig(&path, account, &token)?;
        Ok(path)
    }

    /// A client that is a service account.
    pub async fn client_for(&self, namespace: &str, account: &str) -> Result<Client> {
        let kubeconfig = self.kubeconfig_for(namespace, account).await?;
        client_of(&kubeconfig).await
    }

    /// Runs `work` on the cluster's threads: a process that it starts outlasts the test.
    pub(crate) async fn at_home<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.home.run(work).await
    }

    /// What a program logged, over all its lives.
    pub fn log(&self, program: Program) -> String {
        std::fs::read_to_string(self.log_path(program)).unwrap_or_default()
    }

    /// Where a program's log is.
    pub fn log_path(&self, program: Program) -> PathBuf {
        self.running.layout.log(program.name())
    }

    /// An error when a program has ended by itself.
    pub fn is_well(&self) -> Result<()> {
        self.running.are_well()
    }

    /// The end of a test that has passed.
    pub fn finish(mut self) -> Result<()> {
        self.is_well()?;
        self.is_finished = true;
        Ok(())
    }

    async fn established(&self) -> Result<()> {
        boot::established(&self.running).await
    }
}

impl Drop for Cluster {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    fn drop(&mut self) {
        drop(self.node.take());
        self.running.kill_all();
        if self.is_finished {
            return;
        }
        let n_lines = 30;
        eprintln!(
            "the cluster ended early; the last {n_lines} lines of each log:\n{}",
            self.running.tails(n_lines, None)
        );
        let kept = self.folder.take().map(TempDir::keep);
        eprintln!("all of it is in {}", kept.unwrap_or_default().display());
    }
}
