//! Holds, cancels, time-outs, wakes and changes of routes for minutes: Envoy's memory stays where it is, and
//! every count comes back to zero.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use tonic::transport::Endpoint;
use wakegate_e2e::stats::{median, slope};
use wakegate_e2e::{NAMESPACE, Service, Stack, eventually};
use wakegate_wire::externalscaler::ScaledObjectRef;
use wakegate_wire::externalscaler::external_scaler_client::ExternalScalerClient;

use crate::backend::Backend;
use crate::crowd::Crowd;
use crate::line::Line;
use wakegate_e2e::resources;

const N_SERVICES: usize = 20;
/// Held in each cycle, half of which leave.
const N_HELD: usize = 100;
const RATE: u32 = 5_000;
const LIMIT: Duration = Duration::from_secs(30);
/// The scaler counts a key as active for some time after its last request.
const IDLE_LIMIT: Duration = Duration::from_mins(2);
/// What memory may grow over the last two thirds, as a share: allocators are never quite still.
const GROWTH: f64 = 0.03;

pub(crate) async fn measure(span: Duration) -> Result<Vec<Line>> {
    let services: Vec<_> = (0..N_SERVICES)
        .map(|index| service(&format!("app-{index}"), "10m"))
        .collect();
    let stack = services
        .iter()
        .cloned()
        .fold(Stack::builder(), wakegate_e2e::StackBuilder::serve)
        .stream_idle_timeout(Duration::from_mins(15))
        .start()
        .await?;
    let backend = Backend::start(RATE).await?;
    let pid = stack.envoy()?.process().pid();
    let began = Instant::now();
    let mut points = Vec::new();
    let mut n_bad = 0;
    for (number, service) in services.iter().cycle().enumerate() {
        if began.elapsed() >= span {
            break;
        }
        n_bad += cycle(&stack, &backend, (number, service)).await?;
        let seconds = began.elapsed().as_secs_f64();
        points.push((seconds, resources::resident_bytes(pid)?));
    }
    stack.held_is(0, LIMIT).await?;
    let n_active = n_active(&stack, &services).await?;
    stack.finish().await?;
    let line = memory(&points, span)?
        .count("answered wrongly", n_bad)
        .count("keys active at the end", n_active)
        .must_be_zero("answered wrongly")
        .must_be_zero("keys active at the end");
    Ok(vec![line])
}

/// Some are held, half of them leave, and the others wake or time out. Returns how many were not answered
/// as they should have been.
async fn cycle(
    stack: &Stack,
    backend: &Backend,
    (number, service): (usize, &Service),
) -> Result<usize> {
    let one = [service.clone()];
    let staying = Crowd::hold(stack, &one, N_HELD / 2).await?;
    let leaving = Crowd::ask(stack.address()?, &one, N_HELD / 2).await?;
    stack.held_is(N_HELD, LIMIT).await?;
    drop(leaving);
    stack.held_is(N_HELD / 2, LIMIT).await?;
    let wakes = number % 2 == 0;
    if wakes {
        stack
            .manifests
            .put_endpoint(service, Some(backend.address()))?;
    } else {
        let impatient = self::service(&service.name, "1ms");
        stack.manifests.put_route(&impatient)?;
    }
    let answers = staying.answers(LIMIT).await;
    if wakes {
        stack.manifests.put_endpoint(service, None)?;
    } else {
        stack.manifests.remove_route(service)?;
        stack.manifests.put_route(service)?;
    }
    // What follows must not meet the table of before.
    Box::pin(asleep(stack, service)).await?;
    Ok(answers.n_other_than(if wakes { 200 } else { 504 }))
}

/// Waits until a request is held again: the table is what it was.
async fn asleep(stack: &Stack, service: &Service) -> Result<()> {
    let connection = wakegate_e2e::client::H2::open(stack.address()?).await?;
    let url = service.url("/probe");
    drop(connection.send_until_held(&url, LIMIT).await?);
    drop(connection);
    stack.held_is(0, LIMIT).await
}

/// What the last two thirds say, when everything has found its size.
fn memory(points: &[(f64, f64)], span: Duration) -> Result<Line> {
    let start = span.as_secs_f64() / 3.0;
    let late: Vec<_> = points
        .iter()
        .copied()
        .filter(|(seconds, _)| *seconds >= start)
        .collect();
    ensure!(late.len() >= 3, "the soak is long enough for some cycles");
    let mut bytes: Vec<_> = late.iter().map(|(_, bytes)| *bytes).collect();
    bytes.sort_by(f64::total_cmp);
    let resident = median(&bytes);
    let growth = slope(&late) * (span.as_secs_f64() - start) / resident;
    let what = format!(
        "soak of {:.0} min: {} cycles of holds, cancels, wakes, time-outs and route changes",
        span.as_secs_f64() / 60.0,
        points.len()
    );
    Ok(Line::new("soak", what)
        .figure("growth of Envoy over the last two thirds", growth, "")
        .figure("resident", resident / 1e6, "MB")
        .at_most("growth of Envoy over the last two thirds", GROWTH))
}

/// How many of the keys the scaler still counts as active once all of them had the time to become idle.
async fn n_active(stack: &Stack, services: &[Service]) -> Result<usize> {
    let uri = format!("http://{}", stack.scaler.addresses().grpc);
    let client = ExternalScalerClient::new(Endpoint::from_shared(uri)?.connect_lazy());
    let mut n_active = services.len();
    let idle = eventually(IDLE_LIMIT, "all keys are idle", async || {
        n_active = 0;
        for service in services {
            let object = ScaledObjectRef {
                name: service.name.clone(),
                namespace: NAMESPACE.to_owned(),
                scaler_metadata: [("service".to_owned(), service.name.clone())].into(),
            };
            let answer = client.clone().is_active(object).await.ok()?;
            n_active += usize::from(answer.into_inner().result);
        }
        (n_active == 0).then_some(())
    });
    // Those that are left are what is reported.
    drop(idle.await);
    Ok(n_active)
}

fn service(name: &str, hold_timeout: &str) -> Service {
    Service::new(name).with("hold-timeout", hold_timeout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Verdict;

    fn points(bytes: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..600)
            .map(f64::from)
            .map(|second| (second, bytes(second)))
            .collect()
    }

    #[test]
    fn memory_that_finds_its_size_early_is_flat() {
        let points = points(|second| 100e6 + 20e6 * (second / 100.0).min(1.0));
        let line = memory(&points, Duration::from_mins(10)).unwrap();
        assert_eq!(line.verdict(), Some(Verdict::Met));
    }

    #[test]
    fn memory_that_grows_slowly_all_the_time_is_not() {
        let points = points(|second| 100e6 + 0.01e6 * second);
        let line = memory(&points, Duration::from_mins(10)).unwrap();
        assert_eq!(line.verdict(), Some(Verdict::Missed));
    }
}
