//! `wakegate uninstall`: takes away what the control plane wrote, in an order in which no workload stays at zero.
//!
//! KEDA has to run: it scales a workload whose ScaledObject goes back to the replicas of before, and without it the
//! ScaledObjects could not even be deleted, because of its finalizer.

mod scaled_object;

use std::{future::Future, time::Duration};

use anyhow::Context as _;
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Secret};
use kube::{
    Api, Client, Resource as _,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use self::scaled_object::ScaledObjects;
use crate::{
    UNREAD, UninstallArgs,
    cluster::{connect, say},
};

/// The Deployment of the control plane, and the Lease by which its replicas lead.
const CONTROL_PLANE: &str = "wakegate-control-plane";

/// What marks a Secret as one of the own authority's.
const GENERATED: &str = "wakegate.dev/generated";

/// The Secrets of the own authority in Wakegate's namespace.
const SECRETS: [&str; 4] = [
    "wakegate-ca",
    "wakegate-control-plane-tls",
    "wakegate-scaler-tls",
    "wakegate-filter-tls",
];

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(500);

/// How long whoever waits is left without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// Until when is waited, over all steps.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

/// What could not be done, besides what was.
#[derive(Debug, Default)]
struct Left {
    /// Workloads without a replica.
    at_zero: Vec<String>,
    /// Objects, with the reason.
    not_deleted: Vec<String>,
}

/// The words to print, and the exit status.
///
/// # Errors
/// There is no cluster, or the control plane cannot be stopped: it would write anew what is taken away.
pub(crate) async fn run(args: &UninstallArgs) -> anyhow::Result<(String, u8)> {
    let client = connect(args.context.as_deref()).await?;
    let deadline = Deadline(Instant::now() + Duration::from_secs(args.timeout_secs));
    stop_control_plane(&client, &args.namespace, deadline).await?;
    let mut left = Left::default();
    let n_deleted = ScaledObjects::of(&client)
        .let_go(deadline, &mut left)
        .await?;
    let ours = SECRETS.iter().map(|name| (args.namespace.as_str(), *name));
    let others = args
        .secret
        .iter()
        .map(|(namespace, name)| (namespace.as_str(), name.as_str()));
    for (namespace, name) in ours.chain(others) {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        left.note(
            &format!("Secret {namespace}/{name}"),
            delete_generated(&secrets, name).await,
        );
    }
    let leases: Api<Lease> = Api::namespaced(client, &args.namespace);
    let deleted = leases.delete(CONTROL_PLANE, &DeleteParams::default()).await;
    left.note(
        &format!("Lease {}/{CONTROL_PLANE}", args.namespace),
        deleted.map(drop),
    );
    Ok((left.told(n_deleted), left.status()))
}

/// Nobody leads any more once its pods are gone.
async fn stop_control_plane(
    client: &Client,
    namespace: &str,
    deadline: Deadline,
) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    match deployments
        .patch_scale(CONTROL_PLANE, &PatchParams::default(), &none)
        .await
    {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(error) => return Err(error).context("stop the control plane"),
    }
    let is_gone = async || {
        let deployment = deployments.get_opt(CONTROL_PLANE).await?;
        let status = deployment.and_then(|it| it.status);
        let replicas = status.and_then(|status| status.replicas);
        let updated = replicas.unwrap_or(0) == 0;
        Ok(updated)
    };
    let is_gone = deadline.until("the control plane to end", is_gone).await?;
    anyhow::ensure!(is_gone, "the control plane does not end");
    Ok(())
}

async fn delete_generated(secrets: &Api<Secret>, name: &str) -> kube::Result<()> {
    let Some(secret) = secrets.get_opt(name).await? else {
        return Ok(());
    };
    if secret
        .meta()
        .annotations
        .as_ref()
        .is_some_and(|it| it.contains_key(GENERATED))
    {
        secrets.delete(name, &DeleteParams::default()).await?;
    }
    Ok(())
}

impl Deadline {
    /// Looks again and again; false when it was never so.
    async fn until<F>(self, what: &str, mut look: impl FnMut() -> F) -> anyhow::Result<bool>
    where
        F: Future<Output = kube::Result<bool>>,
    {
        let mut said = Instant::now();
        loop {
            if look().await.with_context(|| format!("wait for {what}"))? {
                return Ok(true);
            }
            if Instant::now() >= self.0 {
                return Ok(false);
            }
            if said.elapsed() >= SILENCE {
                say(&format!("waiting for {what}"));
                said = Instant::now();
            }
            sleep(PAUSE).await;
        }
    }
}

impl Left {
    /// What is not there is gone.
    fn note(&mut self, what: &str, deleted: kube::Result<()>) {
        match deleted {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.not_deleted.push(format!("{what}: {error}")),
        }
    }

    fn told(&self, n_deleted: usize) -> String {
        let gone = format!("{n_deleted} ScaledObjects are gone, with what belongs to them.\n");
        let at_zero = self.at_zero.iter();
        let at_zero = at_zero.map(|it| format!("at zero: {it}: kubectl scale brings it back\n"));
        let left = self.not_deleted.iter().map(|it| format!("left: {it}\n"));
        [gone].into_iter().chain(at_zero).chain(left).collect()
    }

    fn status(&self) -> u8 {
        match (self.not_deleted.is_empty(), self.at_zero.is_empty()) {
            (false, _) => UNREAD,
            (true, false) => 1,
            (true, true) => 0,
        }
    }
}
