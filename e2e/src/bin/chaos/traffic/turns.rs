//! Services that sleep and wake in turns, by their endpoints alone: the app behind them runs all the time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time;
use wakegate_e2e::{Background, EnvoyConfig, Manifests, Service};

/// From a wake to the next sleep.
const AWAKE: Duration = Duration::from_secs(2);

/// Where endpoints are published: for the control plane, and for Envoy where it learns them elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    pub(crate) manifests: Manifests,
    /// How Envoy's own files are written, and how much later. `None`: it asks the control plane.
    pub(crate) late: Option<(EnvoyConfig, Duration)>,
}

impl Board {
    /// Returns when everybody was told, not when everybody knows.
    pub(crate) async fn put(&self, service: &Service, address: Option<SocketAddr>) -> Result<()> {
        self.manifests.put_endpoint(service, address)?;
        tracing::debug!(service = service.name, ?address, "endpoint published");
        if let Some((config, later)) = &self.late {
            time::sleep(*later).await;
            config.write_endpoint(service, address)?;
        }
        Ok(())
    }
}

/// One of the services.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) service: Arc<Service>,
    awake: watch::Receiver<bool>,
    _turning: Background,
}

impl Turn {
    /// Starts the one that is `n`-th of `n_turns`. While it wakes, `seat` says where its app is.
    pub(crate) fn start(
        service: Arc<Service>,
        (n, n_turns): (u32, u32),
        board: Board,
        seat: watch::Receiver<Option<SocketAddr>>,
    ) -> Self {
        let (said, awake) = watch::channel(false);
        let asleep = AWAKE * n_turns.saturating_sub(1);
        let of = Arc::clone(&service);
        let turning = Background::start(async move {
            time::sleep(AWAKE * n).await;
            loop {
                if let Err(error) = wake(&of, &board, seat.clone(), &said).await {
                    tracing::error!(service = of.name, %error, "turn missed");
                }
                time::sleep(asleep).await;
            }
        });
        Self {
            service,
            awake,
            _turning: turning,
        }
    }

    /// Whether it should be awake. What Envoy believes comes later.
    pub(crate) fn awake(&self) -> watch::Receiver<bool> {
        self.awake.clone()
    }
}

/// One wake, and the sleep that follows. An app that goes meanwhile, or is there again, is published.
async fn wake(
    service: &Service,
    board: &Board,
    mut seat: watch::Receiver<Option<SocketAddr>>,
    said: &watch::Sender<bool>,
) -> Result<()> {
    let address = *seat.borrow_and_update();
    board.put(service, address).await?;
    said.send_replace(true);
    let over = time::sleep(AWAKE);
    let mut over = std::pin::pin!(over);
    loop {
        tokio::select! {
            () = over.as_mut() => break,
            changed = seat.changed() => {
                changed?;
                let address = *seat.borrow_and_update();
                board.put(service, address).await?;
            }
        }
    }
    said.send_replace(false);
    board.put(service, None).await
}
