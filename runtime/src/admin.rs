//! The admin server:
//!
//! - `/live`: 200 while the process answers.
//! - `/ready`: 200 once every latch is released, else 503 and the latches that are closed.
//! - `/metrics`: the registry as text for Prometheus.

use std::{io, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether the daemon is ready: it is when every latch is released. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    closed: Arc<Mutex<Vec<&'static str>>>,
}

/// One condition of being ready. Dropped without [`release`](Self::release), it stays closed.
#[must_use = "a latch that is dropped keeps the daemon unready for ever"]
#[derive(Debug)]
pub struct Latch {
    name: &'static str,
    readiness: Readiness,
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Readiness {
    /// Adds a condition under a name that tells an operator what is waited for.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.closed.lock().push(name);
        Latch {
            name,
            readiness: self.clone(),
        }
    }

    /// Whether every latch is released.
    pub fn is_ready(&self) -> bool {
        self.closed.lock().is_empty()
    }

    /// The latches that are closed.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        self.closed.lock().clone()
    }
}

impl Latch {
    /// Says that the condition is met, for good.
    pub fn release(self) {
        let mut closed = self.readiness.closed.lock();
        if let Some(at) = closed.iter().position(|name| *name == self.name) {
            closed.remove(at);
        }
        if closed.is_empty() {
            tracing::info!("ready");
        }
    }
}

/// The endpoints that every daemon has. Others can be merged in.
pub fn router(registry: Registry, readiness: Readiness) -> Router {
    let registry = Arc::new(registry);
    Router::new()
        .route("/live", get(async || "live\n"))
        .route("/ready", get(async move || ready(&readiness)))
        .route("/metrics", get(async move || metrics(&registry)))
}

/// Serves `router` until the shutdown.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

fn ready(readiness: &Readiness) -> Response {
    let waiting_for = readiness.waiting_for();
    if waiting_for.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("waiting for: {}\n", waiting_for.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;
