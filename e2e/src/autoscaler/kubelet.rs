//! Deployment controller, kubelet and endpoints controller in one: as many pods as
//! `spec.replicas` says, each an app process, and an EndpointSlice of those that answer.

use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;

use super::ScaledObject;
use super::journal::{Event, Pen};
use crate::app::{App, AppCommand};
use crate::manifests::{Manifests, Service};

/// What a pod gets between SIGTERM and KILL.
const GRACE: Duration = Duration::from_secs(10);

/// The pods of one Deployment: none or one.
#[derive(Debug)]
pub(super) struct Pods {
    service: Service,
    command: AppCommand,
    manifests: Manifests,
    journal: Pen,
    app: Option<App>,
    n_started: u32,
}

impl Pods {
    pub(super) fn new(object: &ScaledObject, manifests: Manifests, journal: Pen) -> Self {
        Self {
            service: object.service.clone(),
            command: object.command.clone(),
            manifests,
            journal,
            app: None,
            n_started: 0,
        }
    }

    async fn scale_to(&mut self, replicas: u32) -> Result<()> {
        self.manifests.put_replicas(&self.service, replicas)?;
        match (replicas, self.app.take()) {
            (0, Some(app)) => self.stop(app).await,
            (0, None) => Ok(()),
            (_, None) => self.start().await,
            (_, Some(app)) => {
                self.app = Some(app);
                Ok(())
            }
        }
    }

    async fn start(&mut self) -> Result<()> {
        self.n_started += 1;
        let name = format!("{}-{}", self.service.name, self.n_started);
        let app = self.command.start(&name).await?;
        self.journal.write(Event::AppStarted(app.address()));
        self.manifests
            .put_endpoint(&self.service, Some(app.address()))?;
        self.journal.write(Event::EndpointReady(app.address()));
        self.app = Some(app);
        Ok(())
    }

    /// The endpoint goes first, as a terminating pod's does.
    async fn stop(&mut self, app: App) -> Result<()> {
        self.manifests.put_endpoint(&self.service, None)?;
        app.stop(GRACE).await?;
        self.journal.write(Event::AppStopped);
        Ok(())
    }
}

/// Follows `spec.replicas` until nobody decides them any more.
pub(super) async fn run(mut pods: Pods, mut replicas: watch::Receiver<u32>) {
    replicas.mark_changed();
    while replicas.changed().await.is_ok() {
        let wanted = *replicas.borrow_and_update();
        if let Err(error) = pods.scale_to(wanted).await {
            pods.journal.write(Event::Failed(format!("{error:#}")));
        }
    }
}
