//! What goes wrong: each fault begins, lasts and ends while the traffic runs.

pub(crate) mod configuration;
mod daemons;
mod network;
mod odd;
mod pods;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use tokio::time;
use wakegate_e2e::Conduct;

use crate::scene::Scene;
use configuration::Change;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL; what was killed is started again after the span.
    Kill(Part),
    /// SIGSTOP, and SIGCONT after the span.
    Stop(Part),
    /// What the network to a part does.
    Network(Part, Conduct),
    /// The app answers everything with 503.
    OwnErrors,
    /// Nothing but time: the scene itself is what is wrong.
    Lasts,
    /// The filter's configuration changes by ECDS, and back.
    Extension(Change),
    /// The listener changes by LDS.
    Listener(Change),
    /// Requests that are rare.
    Odd,
    /// The daemons' clock is set to this offset, and back.
    Clock(&'static str),
}

/// What can be hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    ControlPlane,
    Scaler,
    /// The apps of `shaky` and of what sleeps in turns.
    Pods,
    /// The apps of everything.
    AllPods,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ControlPlane => "the control plane",
            Self::Scaler => "the scaler",
            Self::Pods => "some pods",
            Self::AllPods => "all pods",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(part) => write!(formatter, "SIGKILL of {part}"),
            Self::Stop(part) => write!(formatter, "SIGSTOP of {part}"),
            Self::Network(part, Conduct::Pass) => write!(formatter, "no fault before {part}"),
            Self::Network(part, Conduct::Delay(delay)) => {
                write!(formatter, "{} ms before {part}", delay.as_millis())
            }
            Self::Network(part, Conduct::Stall) => write!(formatter, "no packet to {part}"),
            Self::Network(part, Conduct::Cut) => write!(formatter, "resets before {part}"),
            Self::OwnErrors => formatter.write_str("503 of some pods"),
            Self::Lasts => formatter.write_str("time"),
            Self::Extension(Change::Settings) => formatter.write_str("ECDS with other settings"),
            Self::Extension(Change::Version) => formatter.write_str("ECDS with another version"),
            Self::Listener(_) => formatter.write_str("LDS"),
            Self::Odd => formatter.write_str("odd requests"),
            Self::Clock(offset) => write!(formatter, "clock {offset}"),
        }
    }
}

impl Fault {
    /// From its begin to its end.
    pub(crate) async fn strike(self, scene: &mut Scene, span: Duration) -> Result<()> {
        match self {
            Self::Kill(Part::ControlPlane) => {
                daemons::kill(&mut scene.stack.control_plane, span).await
            }
            Self::Kill(Part::Scaler) => daemons::kill(&mut scene.stack.scaler, span).await,
            Self::Kill(Part::Pods | Part::AllPods) => pods::kill(scene, span).await,
            Self::Stop(Part::ControlPlane) => daemons::stop(&scene.stack.control_plane, span).await,
            Self::Stop(Part::Scaler) => daemons::stop(&scene.stack.scaler, span).await,
            Self::Stop(Part::Pods | Part::AllPods) => pods::stop(scene, span).await,
            Self::Network(part, conduct) => network::suffer(scene, part, conduct, span).await,
            Self::OwnErrors => pods::fail(scene, span).await,
            Self::Lasts => {
                time::sleep(span).await;
                Ok(())
            }
            Self::Extension(change) => configuration::by_extension(scene, change, span).await,
            Self::Listener(change) => configuration::by_listener(scene, change, span).await,
            Self::Odd => odd::ask(scene).await,
            Self::Clock(offset) => daemons::step_clock(scene, offset, span).await,
        }
    }

    /// Whether requests may be answered with an app's or a connection's failure meanwhile.
    pub(crate) fn hits_apps(self) -> bool {
        match self {
            Self::Kill(part) | Self::Stop(part) | Self::Network(part, _) => {
                matches!(part, Part::Pods | Part::AllPods)
            }
            Self::OwnErrors => true,
            Self::Lasts | Self::Extension(_) | Self::Listener(_) | Self::Odd | Self::Clock(_) => {
                false
            }
        }
    }
}
