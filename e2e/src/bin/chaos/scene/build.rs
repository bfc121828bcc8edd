//! Putting a scene together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use wakegate_e2e::autoscaler::{Autoscaler, Contract, ScaledObject};
use wakegate_e2e::{
    Addresses, Admin, Envoy, EnvoyConfig, Relay, Service, Stack, StackBuilder, eventually_is,
    free_address, programs,
};

use super::{Links, Pod, Scene, Services};
use crate::traffic::turns::{Board, Turn};

/// From an endpoint that is published to Envoy's workers.
const SOON: Duration = Duration::from_secs(20);
/// As many as make two hundred held requests while one of them is awake.
const N_TURNS: u32 = 5;
/// The hold of what never wakes.
const SHORT_HOLD: Duration = Duration::from_secs(3);
/// The hold of what KEDA wakes. A scaler that was killed is called again after 2, 4, 8 s.
pub(crate) const WOKEN_HOLD: Duration = Duration::from_secs(30);
/// An app of KEDA's takes so long to start.
const START_DELAY: &str = "--start-delay-ms=800";

/// What is special about the scene of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Relays stand between Envoy and everything else.
    pub(crate) is_relayed: bool,
    /// Envoy learns of endpoints so much later than the control plane.
    pub(crate) endpoints_late: Option<Duration>,
    /// How the filter comes into Envoy.
    pub(crate) configuration: Configuration,
    /// The daemons' clock can be stepped.
    pub(crate) has_own_clock: bool,
    /// The hold of what wakes in turns.
    pub(crate) hold: Duration,
}

/// How the filter comes into Envoy, and how it can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// With the bootstrap, for good.
    Fixed,
    /// By ECDS.
    Extension,
    /// With the listener, by LDS. Its old connections are closed after this.
    Listener(Duration),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            is_relayed: false,
            endpoints_late: None,
            configuration: Configuration::Fixed,
            has_own_clock: false,
            hold: Duration::from_secs(12),
        }
    }
}

/// The file that says what the daemons' clock shows.
pub(crate) fn clock_file(folder: &Path) -> std::path::PathBuf {
    folder.join("clock")
}

impl Setup {
    fn services(&self) -> Services {
        let hold = format!("{}ms", self.hold.as_millis());
        let service = |name: &str| Arc::new(Service::new(name).with("hold-timeout", &hold));
        let short = format!("{}ms", SHORT_HOLD.as_millis());
        let woken = format!("{}ms", WOKEN_HOLD.as_millis());
        Services {
            calm: service("calm"),
            shaky: service("shaky"),
            turns: (0..N_TURNS)
                .map(|n| service(&format!("turn-{n}")))
                .collect(),
            never: Arc::new(Service::new("never").with("hold-timeout", &short)),
            woken: Arc::new(Service::new("woken").with("hold-timeout", &woken)),
            odd: service("odd"),
        }
    }

    fn stack(&self, services: &Services, folder: &Path) -> Result<StackBuilder> {
        let all = services.all().map(|service| service.as_ref().clone());
        let mut builder = all.fold(Stack::builder(), StackBuilder::serve);
        builder = builder.folder(folder).accepts_connect();
        if self.endpoints_late.is_some() {
            builder = builder.endpoints_by_file();
        }
        if self.has_own_clock {
            let file = clock_file(folder);
            std::fs::write(&file, "+0").context("write the clock's file")?;
            builder = builder.environment(vec![
                ("LD_PRELOAD", programs::faketime()?.into()),
                ("FAKETIME_TIMESTAMP_FILE", file.into()),
                ("FAKETIME_NO_CACHE", "1".into()),
                // A clock that is stepped leaves this one alone.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ]);
        }
        Ok(match self.configuration {
            Configuration::Fixed => builder,
            Configuration::Extension => builder.discovered(),
            Configuration::Listener(drain_time) => builder.listener_discovered(drain_time),
        })
    }

    /// Of one daemon. A relay has to know them before the daemon is there.
    fn addresses(&self) -> Result<Addresses> {
        if !self.is_relayed {
            return Ok(Addresses::ANY);
        }
        Ok(Addresses {
            grpc: free_address()?,
            admin: free_address()?,
            module: None,
        })
    }

    /// Starts all of it in `folder`; returns when every filter VM has the table.
    pub(crate) async fn start(self, folder: &Path) -> Result<Scene> {
        let services = self.services();
        let (control_plane, scaler) = (self.addresses()?, self.addresses()?);
        let links = Links {
            control_plane: Relay::start(control_plane.grpc).await?,
            scaler: Relay::start(scaler.grpc).await?,
        };
        let mut builder = self
            .stack(&services, folder)?
            .daemons(control_plane, scaler);
        if self.is_relayed {
            builder = builder.reached_at(links.control_plane.address(), links.scaler.address());
        }
        if matches!(self.configuration, Configuration::Listener(_)) {
            // A listener that is written anew has to name the port that it has.
            builder = builder.listen(free_address()?, free_address()?);
        }
        let stack = builder.start().await?;
        let (bare, bare_config) = bare_envoy(&stack).await?;
        let board = Board {
            manifests: stack.manifests.clone(),
            late: self
                .endpoints_late
                .map(|later| (stack.envoy_config().clone(), later)),
        };
        let pod = |name| Pod::start(name, stack.sample_app(), self.is_relayed);
        let (calm, shaky, sleepers) = tokio::try_join!(pod("calm"), pod("shaky"), pod("sleepers"))?;
        tokio::try_join!(
            board.put(&services.calm, calm.endpoint()),
            board.put(&services.shaky, shaky.endpoint())
        )?;
        for admin in [stack.envoy()?.admin(), bare.admin()] {
            has_endpoints(admin, &services).await?;
        }
        let seat = watch::Sender::new(sleepers.endpoint());
        Ok(Scene {
            turns: start_turns(&services, &board, &seat),
            // It would tell the control plane of endpoints, and nobody Envoy.
            keda: match self.endpoints_late {
                None => Some(start_keda(&stack, &services)?),
                Some(_) => None,
            },
            contracts: contracts(&stack, &services)?,
            stack,
            bare,
            bare_config,
            links,
            board,
            services,
            calm,
            shaky,
            sleepers,
            seat,
        })
    }
}

/// Waits until this Envoy knows where what is always awake is.
async fn has_endpoints(admin: Admin, services: &Services) -> Result<()> {
    for service in [&services.calm, &services.shaky] {
        let n_healthy = async || admin.n_healthy(&service.backend()).await;
        eventually_is(SOON, "Envoy's endpoints", 1, n_healthy).await?;
    }
    Ok(())
}

/// Another Envoy, that serves the same without the filter.
async fn bare_envoy(stack: &Stack) -> Result<(Envoy, EnvoyConfig)> {
    let folder = stack.folder().join("bare");
    std::fs::create_dir_all(&folder).context("make a folder")?;
    let ours = stack.envoy_config();
    let mut config = EnvoyConfig {
        node_id: "bare".to_owned(),
        filter: None,
        listener_from: ours
            .listener_from
            .as_ref()
            .map(|_| folder.join("listener.json")),
        ..ours.clone()
    };
    if config.listener_from.is_some() {
        (config.listen, config.admin) = (free_address()?, free_address()?);
    }
    Ok((Envoy::start(&config, &folder).await?, config))
}

fn start_turns(
    services: &Services,
    board: &Board,
    seat: &watch::Sender<Option<SocketAddr>>,
) -> Vec<Turn> {
    let turns = (0..N_TURNS).zip(&services.turns);
    let start = |(n, service): (u32, &Arc<Service>)| {
        let place = (n, N_TURNS);
        Turn::start(Arc::clone(service), place, board.clone(), seat.subscribe())
    };
    turns.map(start).collect()
}

fn start_keda(stack: &Stack, services: &Services) -> Result<Autoscaler> {
    let app = stack.sample_app().args(&[START_DELAY]);
    let object = ScaledObject::new(&services.woken, app);
    stack.autoscale_all(vec![
        object.paced(Duration::from_secs(1), Duration::from_secs(1)),
    ])
}

fn contracts(stack: &Stack, services: &Services) -> Result<Vec<(String, Contract)>> {
    let scaler = stack.scaler.addresses().grpc;
    let contract = |service: &Arc<Service>| {
        let object = ScaledObject::new(service, stack.sample_app());
        Ok((service.name.clone(), object.contract(scaler)?))
    };
    services.all().map(contract).collect()
}
