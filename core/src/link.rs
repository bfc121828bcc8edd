//! One gRPC stream of a worker: when to open it, and when to give it up.

use std::time::Duration;

/// The first pause before a new try. Doubled with every failure in a row, and jittered.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: a peer that is back is found again within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause after a stream that its server ended well: it drains, or wants its streams to be spread over
/// all replicas anew. Nothing failed, so there is nothing to wait for; but a replica that goes sends all of its
/// workers away at once. With a tick of 100 ms a worker is elsewhere within 200 ms.
const MOVE_PAUSE: Duration = Duration::from_millis(50);

/// Both servers send a heartbeat each second. Three that are missing mean a peer that hangs: Envoy would
/// go on queueing what is sent to it.
const SILENCE: Duration = Duration::from_secs(3);

/// The state of one stream.
#[derive(Clone, Debug)]
pub struct Link {
    state: State,
    /// Failures in a row.
    n_failures: u32,
    /// Streams that ended well.
    n_moves: u32,
    /// Spreads the workers of a fleet that all lost the same peer.
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { retry_at: Duration },
    Open { heard_at: Duration, is_proven: bool },
}

/// What the edge is to do with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAction {
    /// Open it, and say hello.
    Open,
    /// The peer is silent: cancel it. It counts as closed from here on.
    Cancel,
}

impl Link {
    /// A stream that is to be opened at once. `seed` differs from worker to worker.
    pub fn new(seed: u64) -> Self {
        Self {
            state: State::Closed {
                retry_at: Duration::ZERO,
            },
            n_failures: 0,
            n_moves: 0,
            seed,
        }
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Duration) -> Option<LinkAction> {
        match self.state {
            State::Closed { retry_at } => (now >= retry_at).then_some(LinkAction::Open),
            State::Open { heard_at, .. } => {
                let is_silent = now.saturating_sub(heard_at) >= SILENCE;
                is_silent.then(|| {
                    self.closed(now);
                    LinkAction::Cancel
                })
            }
        }
    }

    /// The stream was opened; nothing is known of the peer yet.
    pub fn opened(&mut self, now: Duration) {
        self.state = State::Open {
            heard_at: now,
            is_proven: false,
        };
    }

    /// A message came.
    pub fn heard(&mut self, now: Duration) {
        self.n_failures = 0;
        self.state = State::Open {
            heard_at: now,
            is_proven: true,
        };
    }

    /// The stream ended, or could not be opened.
    pub fn closed(&mut self, now: Duration) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.n_failures.min(10));
        let pause = doubled.min(LONGEST_PAUSE);
        self.n_failures = self.n_failures.saturating_add(1);
        // Half fixed, half by chance: no two workers keep in step, and none waits for nothing.
        let share = jitter(self.seed, self.n_failures);
        self.state = State::Closed {
            retry_at: now + pause / 2 + (pause / 2 * share) / 1_000,
        };
    }

    /// The server ended the stream and says that all is well: it is opened anew almost at once, wherever that leads.
    /// From a peer that has said nothing before, that is a failure like any other.
    pub fn ended_well(&mut self, now: Duration) {
        if !self.is_up() {
            self.closed(now);
            return;
        }
        self.n_moves = self.n_moves.wrapping_add(1);
        let share = jitter(self.seed, self.n_moves);
        self.state = State::Closed {
            retry_at: now + (MOVE_PAUSE * share) / 1_000,
        };
    }

    /// Whether the peer has said anything on this stream.
    pub fn is_up(&self) -> bool {
        matches!(
            self.state,
            State::Open {
                is_proven: true,
                ..
            }
        )
    }
}

/// 0 to 1,000, the same for the same worker and try: there is no randomness in a filter.
fn jitter(seed: u64, n: u32) -> u32 {
    let mixed = seed
        .wrapping_add(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    u32::try_from((mixed >> 33) % 1_001).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn opens_at_once_and_cancels_a_silent_peer() {
        let mut link = Link::new(1);
        assert_eq!(link.poll(Duration::ZERO), Some(LinkAction::Open));
        link.opened(Duration::ZERO);
        assert!(!link.is_up());
        link.heard(1_000 * MS);
        assert!(link.is_up());
        assert_eq!(link.poll(3_999 * MS), None);
        assert_eq!(link.poll(4_000 * MS), Some(LinkAction::Cancel));
        assert!(!link.is_up());
        assert_eq!(link.poll(4_000 * MS), None, "pauses before it tries again");
    }

    #[test]
    fn pauses_double_up_to_five_seconds_and_differ_between_workers() {
        let pauses = |seed| {
            let mut link = Link::new(seed);
            let mut pauses = Vec::new();
            for _ in 0..9 {
                link.closed(Duration::ZERO);
                let State::Closed { retry_at } = link.state else {
                    panic!("closed");
                };
                pauses.push(retry_at);
            }
            pauses
        };
        for (n, pause) in pauses(7).into_iter().enumerate() {
            let full = (FIRST_PAUSE * (1 << n)).min(LONGEST_PAUSE);
            assert!((full / 2..=full).contains(&pause), "{n}: {pause:?}");
        }
        assert_ne!(pauses(7), pauses(8));
    }

    #[test]
    fn a_stream_that_ended_well_is_opened_almost_at_once_and_counts_as_no_failure() {
        let ends: Vec<Duration> = (0..8)
            .map(|seed| {
                let mut link = Link::new(seed);
                for _ in 0..3 {
                    link.opened(Duration::ZERO);
                    link.heard(Duration::ZERO);
                    link.ended_well(Duration::ZERO);
                    assert!(!link.is_up());
                    assert_eq!(link.poll(MOVE_PAUSE), Some(LinkAction::Open));
                }
                assert_eq!(link.n_failures, 0);
                let State::Closed { retry_at } = link.state else {
                    panic!("closed");
                };
                retry_at
            })
            .collect();
        let differ: std::collections::BTreeSet<_> = ends.iter().collect();
        assert!(differ.len() > 4, "workers keep in step: {ends:?}");
    }

    #[test]
    fn a_good_end_of_a_peer_that_said_nothing_is_a_failure() {
        let mut link = Link::new(3);
        for n in 0..9 {
            link.opened(Duration::ZERO);
            link.ended_well(Duration::ZERO);
            assert_eq!(link.n_failures, n + 1);
        }
        assert_eq!(
            link.poll(LONGEST_PAUSE / 4),
            None,
            "it is not asked in a hurry"
        );
    }

    #[test]
    fn a_peer_that_answers_is_tried_again_soon() {
        let mut link = Link::new(3);
        for _ in 0..9 {
            link.closed(Duration::ZERO);
        }
        link.opened(Duration::ZERO);
        link.heard(Duration::ZERO);
        link.closed(Duration::ZERO);
        assert_eq!(link.poll(FIRST_PAUSE), Some(LinkAction::Open));
    }
}
