//! Which stream speaks for which worker: one at a time.
//!
//! A worker that opens a new stream has given its old one up, which ends here soon after. A stranger that calls
//! itself as a living worker is found out by that one's next report.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use wakegate_core::Instance;

/// A worker gives a stream up after 3 s of silence, and so is its stream given up here.
const SILENCE: Duration = Duration::from_secs(3);

/// Between two looks whether the place is free.
const PAUSE: Duration = Duration::from_millis(100);

/// Which stream speaks for which worker.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    by_worker: Mutex<HashMap<Worker, Speaker>>,
    last_stream: AtomicU64,
}

type Worker = (Arc<str>, u32);

#[derive(Debug)]
struct Speaker {
    stream: u64,
    heard: Instant,
}

/// A stream's right to speak for a worker; it is given up on drop.
#[derive(Debug)]
pub(super) struct Voice {
    speakers: Arc<Speakers>,
    worker: Worker,
    stream: u64,
}

/// Another stream speaks for the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken;

impl Speakers {
    /// The right to speak for a worker, once the stream that has it has ended or is silent.
    ///
    /// # Errors
    /// The stream that has it spoke meanwhile.
    pub(super) async fn claim(self: &Arc<Self>, instance: &Instance) -> Result<Voice, Spoken> {
        let asked = Instant::now();
        let worker = (Arc::clone(&instance.proxy), instance.worker);
        let stream = self.last_stream.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.take(&worker, stream) {
                None => break,
                Some(heard) if heard > asked => return Err(Spoken),
                Some(_) => sleep(PAUSE).await,
            }
        }
        Ok(Voice {
            speakers: Arc::clone(self),
            worker,
            stream,
        })
    }

    /// Takes a place that is free; when it is not, says when its stream was heard last.
    fn take(&self, worker: &Worker, stream: u64) -> Option<Instant> {
        let heard = Instant::now();
        let mut by_worker = self.by_worker.lock();
        if let Some(speaker) = by_worker.get(worker)
            && heard.duration_since(speaker.heard) < SILENCE
        {
            return Some(speaker.heard);
        }
        by_worker.insert(worker.clone(), Speaker { stream, heard });
        None
    }
}

impl Voice {
    /// Notes that the stream spoke.
    ///
    /// # Errors
    /// It was silent for so long that another has its place.
    pub(super) fn speak(&self) -> Result<(), Spoken> {
        let mut by_worker = self.speakers.by_worker.lock();
        let speaker = by_worker.get_mut(&self.worker);
        let speaker = speaker.filter(|speaker| speaker.stream == self.stream);
        let speaker = speaker.ok_or(Spoken)?;
        speaker.heard = Instant::now();
        Ok(())
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let mut by_worker = self.speakers.by_worker.lock();
        if by_worker
            .get(&self.worker)
            .is_some_and(|speaker| speaker.stream == self.stream)
        {
            by_worker.remove(&self.worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(boot_id: u64) -> Instance {
        Instance {
            proxy: "edge-1".into(),
            worker: 0,
            boot_id,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_waits_until_the_worker_speaks_and_is_refused() {
        let speakers = Arc::new(Speakers::default());
        let voice = speakers.claim(&worker(1)).await.unwrap();
        let other_life = worker(2);
        let stranger = speakers.claim(&other_life);
        let worker = async {
            sleep(Duration::from_secs(1)).await;
            voice.speak()
        };
        let (stranger, worker) = tokio::join!(stranger, worker);
        assert_eq!((stranger.unwrap_err(), worker), (Spoken, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_comes_back_waits_for_the_end_of_its_stream_or_for_its_silence() {
        let speakers = Arc::new(Speakers::default());
        let old = speakers.claim(&worker(1)).await.unwrap();
        let ends = async {
            sleep(Duration::from_secs(1)).await;
            drop(old);
        };
        let before = Instant::now();
        let again = worker(1);
        let (stuck, ()) = tokio::join!(speakers.claim(&again), ends);
        let stuck = stuck.unwrap();
        assert!(before.elapsed() < SILENCE);
        let _new = speakers.claim(&worker(1)).await.unwrap();
        assert_eq!(stuck.speak(), Err(Spoken));
        drop(stuck);
        assert_eq!(
            speakers.by_worker.lock().len(),
            1,
            "the place of the new one"
        );
    }
}
