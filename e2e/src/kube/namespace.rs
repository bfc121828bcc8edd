//! A namespace for one test.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use ::kube::api::{DeleteParams, PostParams};
use ::kube::{Api, Client, Resource};
use anyhow::{Context, Result};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1;
use rand::RngExt;
use serde::de::DeserializeOwned;

use super::cluster::{Kubectl, Running};
use crate::eventually::eventually;

/// For the controllers to notice a new namespace.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(30);

/// What is shown of a namespace whose test has failed.
const SHOWN: &str = "deployments,statefulsets,replicasets,pods,services,endpointslices,scaledobjects,horizontalpodautoscalers";

/// A namespace. Without `finish`, its drop prints what is in it: the test has failed.
pub struct Namespace {
    running: Arc<Running>,
    kubectl: Kubectl,
    client: Client,
    name: String,
    is_finished: bool,
}

impl Namespace {
    /// A fresh one, with its default service account.
    pub(super) async fn create(
        running: Arc<Running>,
        kubectl: Kubectl,
        client: Client,
        test: &str,
    ) -> Result<Self> {
        let suffix: u32 = rand::rng().random();
        // A label of DNS has at most 63 characters.
        let test: String = test.replace('_', "-").chars().take(50).collect();
        let name = format!("{test}-{suffix:08x}");
        let mut object = v1::Namespace::default();
        object.metadata.name = Some(name.clone());
        let namespaces: Api<v1::Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("create the namespace {name}"))?;
        let accounts: Api<v1::ServiceAccount> = Api::namespaced(client.clone(), &name);
        let what = format!("{name} has a default service account");
        let look = async || accounts.get("default").await.ok();
        eventually(ACCOUNT_LIMIT, &what, look).await?;
        Ok(Self {
            running,
            kubectl,
            client,
            name,
            is_finished: false,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of one kind in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Runs kubectl in it and returns what it prints.
    pub async fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Result<String> {
        let args = [&["--namespace", &self.name], args].concat();
        self.kubectl.run(&args, stdin).await
    }

    /// Applies YAML into it as a user does; the error is kubectl's.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        let args = ["apply", "--filename", "-"];
        self.kubectl(&args, Some(yaml)).await.map(drop)
    }

    /// The end of a test that has passed: all programs are well; the namespace is deleted, which goes on
    /// by itself.
    pub async fn finish(mut self) -> Result<()> {
        self.running.are_well()?;
        self.is_finished = true;
        let namespaces: Api<v1::Namespace> = Api::all(self.client.clone());
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await
            .context("delete the namespace")?;
        Ok(())
    }
}

impl Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Namespace").field(&self.name).finish()
    }
}

impl Drop for Namespace {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let name = self.name.as_str();
        let n_lines = 40;
        let show = |args: &[&str]| {
            let args = [&["--namespace", name], args].concat();
            self.kubectl.run_blocking(&args)
        };
        eprintln!(
            "the test in {name} ended early; its objects:\n{}\nits events:\n{}\nthe last {n_lines} lines of each log that name it:\n{}",
            show(&["get", SHOWN, "--output=wide"]),
            show(&["get", "events", "--sort-by=.lastTimestamp"]),
            self.running.tails(n_lines, Some(name)),
        );
    }
}
