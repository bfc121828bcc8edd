//! What the control plane is to write: a ScaledObject for each workload, and the status of each WakePolicy,
//! InterceptorRoute and HTTPScaledObject.
//! The index says what, the writers say when.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use wakegate_api::wake_policy::TargetRef;
use wakegate_wire::v1;

use crate::{index::Origin, object::Kind};

/// A ScaledObject as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedScaledObject {
    /// The id of the workload in the table, `namespace/Kind/name`.
    pub workload: Arc<str>,
    /// The namespace of both.
    pub namespace: Arc<str>,
    /// Its own name, of at most 54 characters and unlike that of every other workload.
    pub name: String,
    /// What it scales.
    pub target: Target,
    /// The objects of its namespace that it is there for: Services, or the HTTPScaledObject that it is of.
    pub owners: Vec<Owner>,
    /// Replicas that always stay.
    pub min_replicas: u32,
    /// The most replicas.
    pub max_replicas: u32,
    /// How long without demand before zero.
    pub cooldown: Duration,
    /// The same, after it was made.
    pub initial_cooldown: Duration,
    /// How its trigger names the workload.
    pub trigger: Trigger,
    /// Labels beside the one that says whose it is.
    pub labels: BTreeMap<String, String>,
    /// The annotations by which KEDA pauses; of an HTTPScaledObject all that it has.
    pub annotations: BTreeMap<String, String>,
    /// What of the add-on's operator is taken over.
    pub takes_over: Takeover,
    /// Whether it is to stay, and to be nobody's: an HTTPScaledObject lets it go.
    pub is_let_go: bool,
    /// Where the routes belong that lead to it: whose workers are to know it before it is written.
    pub origins: Vec<Arc<Origin>>,
}

/// What is taken over that the add-on's operator wrote, which must be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing.
    Nothing,
    /// One that it made, with all of its fields.
    Whole,
    /// What it wrote into one of ours, where it was here again for a while.
    Fields,
}

/// A workload as a ScaledObject names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `group/version`.
    pub api_version: String,
    /// Its kind, which has a `scale` subresource.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// How a trigger names what the scaler counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// The workload that is scaled, with what one replica is to serve.
    Workload(v1::Targets),
    /// An object that says so itself.
    Object {
        /// The key of the trigger's metadata.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

/// What owns a ScaledObject. An HTTPScaledObject is its controller as well, as it is with the add-on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its uid; empty where it is not known, as in a file.
    pub uid: String,
}

/// What became of one WakePolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyVerdict {
    /// The generation that was read.
    pub generation: i64,
    /// For each target, at most 16.
    pub ancestors: Vec<AncestorVerdict>,
}

/// What became of a WakePolicy for one target.
#[derive(Clone, Debug, PartialEq)]
pub struct AncestorVerdict {
    /// The target.
    pub target: TargetRef,
    /// Whether it is in force there.
    pub accepted: Result<(), Refusal>,
    /// Whether all that it names is there.
    pub resolved_refs: Result<(), Refusal>,
    /// Why some of its requests are lost, whatever the filters have.
    pub loses: Option<Refusal>,
    /// Where the routes belong that it is in force for: whose workers are to have them before it is
    /// programmed.
    pub origins: Vec<Arc<Origin>>,
}

/// What became of an InterceptorRoute or HTTPScaledObject.
#[derive(Clone, Debug, PartialEq)]
pub struct AddOnVerdict {
    /// The generation that was read.
    pub generation: i64,
    /// Whether it is all there; none where the add-on's operator runs, whose word that is.
    pub ready: Option<Result<(), Refusal>>,
    /// The fields that cannot be in force, and why.
    pub not_in_force: BTreeMap<String, String>,
    /// Where its routes belong: whose workers are to have them before it is ready.
    pub origins: Vec<Arc<Origin>>,
}

/// Why a condition is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In CamelCase.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl WantedScaledObject {
    /// What its trigger says of the workload, in the scaler's words; the address of the scaler is the
    /// writer's to add.
    pub fn trigger_metadata(&self, polling_interval: Duration) -> BTreeMap<String, String> {
        let interval = polling_interval.as_secs().max(1).to_string();
        let mut metadata = BTreeMap::from([("pollingInterval".to_owned(), interval)]);
        let targets = match &self.trigger {
            Trigger::Object { kind, name } => {
                metadata.insert((*kind).to_owned(), name.clone());
                return metadata;
            }
            Trigger::Workload(targets) => targets,
        };
        let Target { kind, name, .. } = &self.target;
        metadata.insert("workload".to_owned(), format!("{kind}/{name}"));
        let v1::Targets {
            concurrency,
            rate,
            rate_window_ms,
            rate_granularity_ms,
        } = *targets;
        let numbers = [("targetConcurrency", concurrency), ("targetRate", rate)];
        for (field, number) in numbers.into_iter().filter(|(_, number)| *number > 0.0) {
            metadata.insert(field.to_owned(), number.to_string());
        }
        let times = [
            ("rateWindow", rate_window_ms),
            ("rateGranularity", rate_granularity_ms),
        ];
        for (field, ms) in times.into_iter().filter(|(_, ms)| *ms > 0 && rate > 0.0) {
            metadata.insert(field.to_owned(), format!("{ms}ms"));
        }
        metadata
    }
}
