//! What is woken by demand alone: asked for when a fault begins, so that the wake has to come in spite of
//! it or after it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use tokio::time::Instant;

use crate::ask::{Asked, once, within};
use crate::scene::{Scene, WOKEN_HOLD};
use crate::tally::{Sums, Tally};

const N_REQUESTS: u64 = 5;
/// Beyond the hold.
const SLACK: Duration = Duration::from_secs(5);

/// Sends the requests when it is first polled; none where nobody plays KEDA.
pub(crate) fn by_demand(scene: &Scene) -> Result<impl Future<Output = Sums> + use<>> {
    let address = scene.stack.address()?;
    let is_played = scene.keda.is_some();
    let service = is_played.then(|| Arc::clone(&scene.services.woken));
    Ok(async move {
        let tally = Tally::default();
        let begin = Instant::now();
        let asked = service.iter().flat_map(|service| {
            let asked = (0..N_REQUESTS).map(|id| Asked::get(service, id));
            asked.map(async |asked| {
                let outcome = within(WOKEN_HOLD + SLACK, once(address, &asked)).await;
                tally.record(outcome, begin.elapsed());
            })
        });
        join_all(asked).await;
        tally.sums()
    })
}
