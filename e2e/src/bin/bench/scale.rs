//! Ten thousand routes and thousands of workers: what the parts that measure our daemons at their limits
//! have in common. Workers are simulated: each is a client of the real protocol with a connection of its own,
//! as each worker of an Envoy has one, and all of them are tasks of this one program. Neither a table nor a
//! filter is behind them, so that what is measured is the daemon.

pub(crate) mod fan_out;
pub(crate) mod first_sync;
pub(crate) mod replicas;
pub(crate) mod scaler;

mod keda;
mod reporters;
mod usage;
mod watchers;
mod world;

/// The sizes of the design, or a tenth of them for a first look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// How many routes, each with a Service of its own, which is a key of its own.
    pub(crate) routes: usize,
    /// Workers that watch the control plane.
    pub(crate) watchers: usize,
    /// Workers that report to the scaler.
    pub(crate) reporters: usize,
    /// ScaledObjects that KEDA asks for.
    pub(crate) scaled_objects: usize,
}

impl Sizes {
    pub(crate) fn of(quick: bool) -> Self {
        if quick {
            Self {
                routes: 1_000,
                watchers: 40,
                reporters: 400,
                scaled_objects: 100,
            }
        } else {
            Self {
                routes: 10_000,
                watchers: 400,
                reporters: 4_000,
                scaled_objects: 1_000,
            }
        }
    }
}
