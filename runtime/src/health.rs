//! Readiness as gRPC says it (`grpc.health.v1`), and its end when the daemon is told to end.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{Readiness, Tasks};

/// Says of `services` what `readiness` says, from now on. From the drain on nothing is ready; the shutdown ends what
/// clients watch here, which would hold the server open.
pub async fn follow(
    tasks: &Tasks,
    readiness: &Readiness,
    health: HealthReporter,
    services: &'static [&'static str],
) {
    say(&health, services, readiness.is_ready()).await;
    let (drain, draining) = (tasks.drain_token(), readiness.condition("draining"));
    tasks.spawn_short("draining", async move {
        drain.cancelled().await;
        draining.fails("it was told to end".to_owned(), Instant::now());
    });
    let (readiness, shutdown) = (readiness.clone(), tasks.shutdown_token());
    tasks.spawn_short("health", tell(readiness, health, services, shutdown));
}

async fn tell(
    readiness: Readiness,
    mut health: HealthReporter,
    services: &'static [&'static str],
    shutdown: CancellationToken,
) {
    let mut changed = readiness.changed();
    loop {
        let is_ready = *changed.borrow_and_update();
        say(&health, services, is_ready).await;
        let changed = shutdown.run_until_cancelled(changed.changed()).await;
        if !matches!(changed, Some(Ok(()))) {
            break;
        }
    }
    for service in services {
        health.clear_service_status(service).await;
    }
}

async fn say(health: &HealthReporter, services: &[&str], is_ready: bool) {
    let status = if is_ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in services {
        health.set_service_status(*service, status).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;
    use tonic::Request;
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus as Said, health_server::Health,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clients_are_told_of_each_change_and_of_the_drain_before_the_shutdown() {
        let tasks = Tasks::with_drain_delay(Duration::from_secs(4));
        let readiness = Readiness::default();
        let latch = readiness.latch("first load");
        let watches = readiness.condition("watches are lost");
        let health = tonic_health::server::health_reporter().0;
        let service = tonic_health::server::HealthService::from_health_reporter(health.clone());
        follow(&tasks, &readiness, health, &[""]).await;
        let request = HealthCheckRequest::default();
        let mut said = service.watch(Request::new(request)).await.unwrap();
        let mut said = async || said.get_mut().next().await.map(|it| it.unwrap().status());
        assert_eq!(said().await, Some(Said::NotServing));
        latch.release();
        assert_eq!(said().await, Some(Said::Serving));
        watches.fails("Service".to_owned(), Instant::now());
        assert_eq!(said().await, Some(Said::NotServing));
        watches.holds();
        assert_eq!(said().await, Some(Said::Serving));
        tasks.drain_token().cancel();
        assert_eq!(said().await, Some(Said::NotServing));
        assert_eq!(
            readiness.missing().unwrap(),
            "draining, since 0 s: it was told to end"
        );
        tasks.shutdown_token().cancel();
        assert_eq!(said().await, None);
    }
}
