//! Many holds that end together: the moment in which a filter VM does the most at once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use wakegate_e2e::{Service, Stack, eventually, free_address, until};

use crate::backend::Backend;
use crate::crowd::Crowd;
use crate::line::Line;

const PART: &str = "mass endings";

/// Time for all answers, beyond the hold time-out.
const LIMIT: Duration = Duration::from_mins(1);
/// Longer than it takes to ask.
const LONG_HOLD: &str = "10m";
/// The backend that dies is as fast as it can be, and dies after so many answers.
const RATE: u32 = 5_000;
const N_BEFORE_DEATH: usize = 500;
/// More connections than either of two workers takes by chance.
const N_AFTER: usize = 16;

/// A time-out that is shortened while they are held is over for all of them in the same moment.
pub(crate) async fn time_out(n: usize) -> Result<Vec<Line>> {
    let service = service(n, LONG_HOLD);
    let mut stack = stack(&service).await?;
    let crowd = Crowd::hold(&stack, std::slice::from_ref(&service), n).await?;
    stack.manifests.put_route(&self::service(n, "1ms"))?;
    let answers = crowd.answers(LIMIT).await;
    works_on(&mut stack, &service).await?;
    stack.finish().await?;
    let line = Line::new(PART, format!("{n} holds time out in the same moment"));
    let line = answers.onto(line);
    let line = line
        .count("other than 504", answers.n_other_than(504))
        .must_be_zero("unanswered")
        .must_be_zero("other than 504");
    Ok(vec![line])
}

/// The endpoint is there for the control plane and for Envoy, and nobody listens.
pub(crate) async fn find_nobody(n: usize) -> Result<Vec<Line>> {
    let service = service(n, hold(n));
    let mut stack = stack(&service).await?;
    let crowd = Crowd::hold(&stack, std::slice::from_ref(&service), n).await?;
    let nobody = free_address()?;
    stack.manifests.put_endpoint(&service, Some(nobody))?;
    let answers = crowd.answers(LIMIT).await;
    works_on(&mut stack, &service).await?;
    stack.finish().await?;
    let line = Line::new(PART, format!("{n} released to a backend that is gone"));
    Ok(vec![answers.onto(line).must_be_zero("unanswered")])
}

/// The backend answers the probe and some requests, and dies with the others on their way.
pub(crate) async fn find_the_dying(n: usize) -> Result<Vec<Line>> {
    let service = service(n, hold(n));
    let mut stack = stack(&service).await?;
    let crowd = Crowd::hold(&stack, std::slice::from_ref(&service), n).await?;
    let backend = Backend::start(RATE).await?;
    stack
        .manifests
        .put_endpoint(&service, Some(backend.address()))?;
    let death = async {
        let so_many = || (backend.n_arrived() >= N_BEFORE_DEATH.min(n / 2)).then_some(());
        let seen = until(LIMIT, "the thaw has begun", so_many).await;
        drop(backend);
        seen
    };
    let (answers, died) = tokio::join!(crowd.answers(LIMIT), death);
    died?;
    works_on(&mut stack, &service).await?;
    stack.finish().await?;
    let line = Line::new(PART, format!("{n} released to a backend that dies of it"));
    Ok(vec![answers.onto(line).must_be_zero("unanswered")])
}

/// Long enough that all are held before the first gives up, on a busy machine as well.
fn hold(n: usize) -> &'static str {
    if n > 1_000 { "20s" } else { "5s" }
}

fn service(n: usize, hold_timeout: &str) -> Service {
    Service::new("shop")
        .with("max-held", &n.to_string())
        .with("hold-timeout", hold_timeout)
}

async fn stack(service: &Service) -> Result<Stack> {
    Stack::builder()
        .serve(service.clone())
        .stream_idle_timeout(Duration::from_mins(15))
        .start()
        .await
}

/// No filter VM has died, nothing is held, and every worker serves.
async fn works_on(stack: &mut Stack, service: &Service) -> Result<()> {
    stack.held_is(0, LIMIT).await?;
    stack.is_well()?;
    let backend = Backend::start(RATE).await?;
    let address: SocketAddr = backend.address();
    stack.manifests.put_endpoint(service, Some(address))?;
    eventually(LIMIT, "answers on all connections", async || {
        for _ in 0..N_AFTER {
            let answer = stack.get(service, "/").await.ok()?;
            if answer.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await?;
    ensure!(backend.n_arrived() >= N_AFTER, "the backend was asked");
    Ok(())
}
