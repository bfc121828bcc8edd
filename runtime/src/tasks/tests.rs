use futures::FutureExt as _;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

async fn outcome_of(tasks: Tasks) -> String {
    match tasks.run(LIMIT).await {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

fn with_server() -> Tasks {
    let tasks = Tasks::default();
    let shutdown = tasks.shutdown_token();
    tasks.spawn("server", async move {
        shutdown.cancelled().await;
        Ok(())
    });
    tasks
}

#[tokio::test]
async fn an_end_too_early_shuts_everything_down() {
    let tasks = with_server();
    tasks.spawn("push", async { Ok(()) });
    assert_eq!(
        outcome_of(tasks).await,
        "task push ended before the shutdown"
    );
}

#[tokio::test]
async fn a_failure_carries_its_cause() {
    let tasks = with_server();
    tasks.spawn("push", async {
        Err(anyhow::anyhow!("no such port").context("bind"))
    });
    assert_eq!(outcome_of(tasks).await, "task push: bind: no such port");
}

#[tokio::test]
async fn a_panic_is_news_in_every_kind_of_task() {
    let tasks = with_server();
    tasks.spawn("push", async { panic!("as meant") });
    assert_eq!(outcome_of(tasks).await, "task push panicked");

    let tasks = with_server();
    tasks.spawn_short("connection", async { panic!("as meant") });
    assert_eq!(outcome_of(tasks).await, "task connection panicked");
}

#[tokio::test]
async fn a_short_task_may_end() {
    let tasks = with_server();
    let shutdown = tasks.shutdown_token();
    let (done, ended) = tokio::sync::oneshot::channel();
    tasks.spawn_short("connection", async move {
        done.send(()).unwrap();
    });
    ended.await.unwrap();
    assert!(!shutdown.is_cancelled());
    shutdown.cancel();
    assert_eq!(outcome_of(tasks).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_up_at_its_deadline_and_says_on_whom() {
    let tasks = with_server();
    tasks.spawn("stuck", std::future::pending());
    tasks.shutdown_token().cancel();
    let outcome = outcome_of(tasks).await;
    assert_eq!(outcome, "gave up after 5s on tasks that did not end: stuck");
}

/// How long it takes from the first of `told` to the shutdown, where each comes a second after the one before.
async fn drains_for(told: &[Told]) -> Duration {
    let tasks = Tasks::with_drain_delay(Duration::from_secs(4));
    let (drain, shutdown) = (tasks.drain_token(), tasks.shutdown_token());
    let mut left = told.iter().copied();
    let signals = async move || match left.next() {
        Some(told) => {
            sleep(Duration::from_secs(1)).await;
            told
        }
        None => std::future::pending().await,
    };
    // What ends with the drain, before the shutdown, has done what it was there for.
    tasks.spawn("lease", drain.clone().cancelled_owned().map(Ok));
    let watching = async {
        drain.cancelled().await;
        let begin = tokio::time::Instant::now();
        shutdown.cancelled().await;
        begin.elapsed()
    };
    let (outcome, took) = tokio::join!(tasks.clone().run_until(signals, LIMIT), watching);
    outcome.unwrap();
    took
}

#[tokio::test(start_paused = true)]
async fn after_sigterm_it_goes_on_for_the_delay_and_after_sigint_or_a_second_signal_it_does_not() {
    use Told::{Interrupt, Terminate};
    let secs = Duration::from_secs;
    assert_eq!(drains_for(&[Terminate]).await, secs(4));
    assert_eq!(drains_for(&[Interrupt]).await, secs(0));
    assert_eq!(drains_for(&[Terminate, Terminate]).await, secs(1));
    assert_eq!(drains_for(&[Terminate, Interrupt]).await, secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_wait_for_the_delay() {
    let tasks = Tasks::with_drain_delay(Duration::from_secs(4));
    let begin = tokio::time::Instant::now();
    tasks.spawn("push", async { Ok(()) });
    let outcome = outcome_of(tasks).await;
    assert_eq!(outcome, "task push ended before the shutdown");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}
