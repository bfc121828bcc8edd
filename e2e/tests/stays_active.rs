//! What is used stays up: a stream that lasts a minute, and a request of 5 ms every ten seconds.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wakegate_e2e::autoscaler::{Event, ScaledObject};
use wakegate_e2e::client::{H1, get, read};
use wakegate_e2e::{Service, Stack, throughout};

const SOON: Duration = Duration::from_secs(20);
const A_MINUTE: Duration = Duration::from_mins(1);
const APART: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stream_of_a_minute_and_one_short_request_every_ten_seconds() -> Result<()> {
    let (long, rare) = (Service::new("long"), Service::new("rare"));
    let stack = Stack::of(&[&long, &rare]).await?;
    let second = Duration::from_secs(1);
    let objects = [
        ScaledObject::new(&long, stack.sample_app()).paced(second, second),
        // As KEDA comes by default to what Wakegate writes for it: less often than the requests.
        ScaledObject::new(&rare, stack.sample_app()).paced(Duration::from_secs(15), A_MINUTE),
    ];
    let autoscaler = stack.autoscale_all(objects.to_vec())?;
    let journal = autoscaler.journal();
    for service in ["long", "rare"] {
        journal
            .wait(SOON, 0, service, |event| *event == Event::StreamOpened)
            .await?;
    }

    let stream = async {
        let mut client = H1::open(stack.address()?).await?;
        // Silent for half a minute between two events: only the open stream is activity.
        let response = client.send(get(&long.url("/sse?n=3&ms=30000"))?).await?;
        let mark = journal.len();
        let answer = read(response).await?;
        let idle = |event: &Event| matches!(event, Event::Polled(false, _) | Event::Scaled(1, 0));
        let first = journal.find(mark, "long", idle).map(|entry| entry.event);
        ensure!(
            first.is_none(),
            "called idle under an open stream: {first:?}"
        );
        let n_polls = journal.count(mark, "long", |event| matches!(event, Event::Polled(..)));
        ensure!(n_polls >= 50, "polled {n_polls} times in a minute");
        ensure!(
            answer.text().matches("data: tick").count() == 3,
            "{}",
            answer.text()
        );
        Ok(())
    };
    let seldom = async {
        let begin = Instant::now();
        while begin.elapsed() < A_MINUTE {
            let answer = stack.get(&rare, "/slow?ms=5").await?;
            ensure!(answer.status == 200, "{}", answer.status);
            throughout(APART, async || Ok(())).await?;
        }
        // From the first poll after the first request on, every poll has seen one.
        let start = journal.find(0, "rare", |event| *event == Event::Scaled(0, 1));
        let mark = journal
            .entries()
            .iter()
            .position(|entry| start.as_ref().is_some_and(|start| entry.at >= start.at));
        let mark = mark.unwrap_or_default();
        let idle = |event: &Event| matches!(event, Event::Polled(false, _) | Event::Scaled(1, 0));
        let missed = journal.find(mark, "rare", idle);
        ensure!(
            missed.is_none(),
            "a poll missed them:\n{}",
            journal.text(mark)
        );
        let n_polls = journal.count(mark, "rare", |event| {
            matches!(event, Event::Polled(true, _))
        });
        ensure!(n_polls >= 3, "polled {n_polls} times in a minute");
        Ok(())
    };
    tokio::try_join!(stream, seldom)?;
    drop(autoscaler);
    stack.finish().await
}
