//! The admin server:
//!
//! - `/live`: 200 while the process answers.
//! - `/ready`: 200 while the daemon is ready, else 503 and what is missing.
//! - `/metrics`: the registry as text for Prometheus.

mod readiness;

use std::{io, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::readiness::{Condition, Latch, Readiness};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
    match readiness.missing() {
        None => "ready\n".into_response(),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")).into_response(),
    }
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
