//! Waiting for a condition instead of for a time.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{self, Instant};

/// Between two looks. Short against what is waited for, long against what a look costs.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `look`, which need not wait itself, gives `Some`.
///
/// Apart from `eventually` because the futures of async closures are not known to be `Send`.
pub async fn until<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("not within {deadline:?}: {what}");
        }
        time::sleep(PAUSE).await;
    }
}

/// Waits until `look` gives `Some`; at the deadline, fails with what was waited for.
pub async fn eventually<T, F>(deadline: Duration, what: &str, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("not within {deadline:?}: {what}");
        }
        time::sleep(PAUSE).await;
    }
}

/// Waits until `look` gives `expected`; at the deadline, fails with the last value seen.
pub async fn eventually_is<T, F>(
    deadline: Duration,
    what: &str,
    expected: T,
    mut look: F,
) -> Result<()>
where
    T: PartialEq + Debug,
    F: AsyncFnMut() -> Result<T>,
{
    let end = Instant::now() + deadline;
    loop {
        let seen = look().await;
        if seen.as_ref().is_ok_and(|seen| *seen == expected) {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("not within {deadline:?}: {what} = {expected:?}, last seen {seen:?}");
        }
        time::sleep(PAUSE).await;
    }
}

/// Holds a condition for a while: fails as soon as `look` fails.
pub async fn throughout<F, Fut>(span: Duration, mut look: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let end = Instant::now() + span;
    while Instant::now() < end {
        look().await?;
        time::sleep(PAUSE).await;
    }
    Ok(())
}
