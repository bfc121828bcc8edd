//! KEDA's part without Kubernetes: asks the scaler exactly as KEDA does, and scales a Deployment
//! whose pods are processes.
//!
//! What is KEDA's behaviour and what is ours is named where it matters; the facts are those of
//! KEDA 2.21. Scaling from one to many is the HPA's part and is not played here.

mod contract;
mod executor;
mod journal;
mod keda;
mod kubelet;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use wakegate_wire::externalscaler::ScaledObjectRef;
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;

use crate::app::AppCommand;
use crate::background::Background;
use crate::manifests::{Manifests, NAMESPACE, Service};
use crate::tls::Link;

use executor::Executor;

pub use contract::Contract;
pub use journal::{Entry, Event, Journal};

/// A ScaledObject with one trigger of type `external-push`, and the Deployment that it scales.
#[derive(Debug, Clone)]
pub struct ScaledObject {
    /// What is scaled.
    pub service: Service,
    /// The trigger's metadata; by default the Service's name.
    pub trigger: HashMap<String, String>,
    /// KEDA asks this often.
    pub polling_interval: Duration,
    /// From the last activity to zero.
    pub cooldown: Duration,
    /// How its pods are started.
    pub command: AppCommand,
}

/// Polls, listens and scales until it is dropped; the apps end with it.
#[derive(Debug)]
pub struct Autoscaler {
    journal: Journal,
    _loops: Vec<Background>,
}

impl ScaledObject {
    /// For a Service, with intervals short enough for a test.
    pub fn new(service: &Service, command: AppCommand) -> Self {
        let trigger = HashMap::from([("service".to_owned(), service.name.clone())]);
        Self {
            service: service.clone(),
            trigger,
            polling_interval: Duration::from_secs(1),
            cooldown: Duration::from_secs(3),
            command,
        }
    }

    /// Sets the polling interval and the cooldown.
    #[must_use]
    pub fn paced(mut self, polling_interval: Duration, cooldown: Duration) -> Self {
        self.polling_interval = polling_interval;
        self.cooldown = cooldown;
        self
    }

    /// The scaler's answers for this object, asked one by one.
    pub fn contract(&self, scaler: impl Into<Link>) -> Result<Contract> {
        let scaler = scaler.into();
        let client = ExternalScalerClient::new(scaler.channel()?);
        Ok(Contract::new(client, self.reference(&scaler)))
    }

    /// As KEDA names it in each call. All metadata of the trigger goes along, the scaler's address
    /// included.
    fn reference(&self, scaler: &Link) -> ScaledObjectRef {
        let mut metadata = self.trigger.clone();
        metadata.insert("scalerAddress".to_owned(), scaler.address().to_string());
        // The trigger is all that a scaler sees of its ScaledObject: those that Wakegate writes repeat
        // the interval there.
        let polling_secs = self.polling_interval.as_secs().max(1);
        metadata.insert("pollingInterval".to_owned(), polling_secs.to_string());
        ScaledObjectRef {
            name: self.service.name.clone(),
            namespace: NAMESPACE.to_owned(),
            scaler_metadata: metadata,
        }
    }
}

impl Autoscaler {
    /// Starts a loop for each object; all share one connection, as in KEDA.
    pub fn start(
        scaler: impl Into<Link>,
        manifests: &Manifests,
        objects: Vec<ScaledObject>,
    ) -> Result<Self> {
        let scaler = scaler.into();
        let client = ExternalScalerClient::new(scaler.channel()?);
        let journal = Journal::default();
        let mut loops = Vec::new();
        for object in objects {
            let reference = object.reference(&scaler);
            let journal = journal.of(&object.service.name);
            let executor = Arc::new(Executor::new(object.cooldown, journal.clone()));
            let pods = kubelet::Pods::new(&object, manifests.clone(), journal);
            loops.push(Background::start(kubelet::run(pods, executor.replicas())));
            let polling_interval = object.polling_interval;
            let contract = Contract::new(client.clone(), reference);
            let keda = keda::ScaleLoop::new(contract, polling_interval, executor);
            loops.push(Background::start(keda.run()));
        }
        Ok(Self {
            journal,
            _loops: loops,
        })
    }

    /// What happened so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
