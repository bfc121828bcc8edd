//! When a `StreamIsActive` says `true`, and when it ends so that KEDA opens it anew.

use std::time::Duration;

use super::{Scale, Workload};
use crate::InFlight;

/// The first repeat of a `true` that woke nothing; each further one takes twice as long.
const FIRST_REPEAT: Duration = Duration::from_secs(1);

/// The longest time between two repeats.
const LAST_REPEAT: Duration = Duration::from_secs(30);

/// `true`s that may follow each other at once, and then one each second. KEDA writes a status for every
/// one: a workload that goes up and down must not take its client from the others.
const BURST: u32 = 10;

/// After so long a stream of a workload that is up ends once. Nobody misses it for the 2 s that KEDA takes
/// to return: polling keeps the workload up.
const END_WHEN_AWAKE: Duration = Duration::from_secs(30);

/// After so long a stream of a sleeping workload ends once. A request in the 2 s that follow waits for
/// them; that is rarer and cheaper than KEDA's back-off of up to 60 s after a later crash.
const END_WHEN_ASLEEP: Duration = Duration::from_mins(5);

/// What a stream goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Whether the workload is active.
    pub is_active: bool,
    /// What is held and running.
    pub in_flight: InFlight,
    /// Whether it has no replica.
    pub is_asleep: bool,
}

/// What the stream does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Nothing.
    Nothing,
    /// Says `true`.
    True,
    /// Ends with OK.
    End,
}

/// One open `StreamIsActive`.
///
/// It says `true` when the workload becomes active, when something is held that was not, and, while
/// something is held and there is no replica, again after 1, 2, 4 … 30 s. It never says `false`: KEDA
/// ignores it. And it ends once with OK, at a time when nothing is held, because only an OK makes KEDA
/// forget how often it had to come back before.
#[derive(Clone, Debug)]
pub struct Push {
    window: Duration,
    was: View,
    /// When the next repeat is due, and how long the one after it takes.
    repeat: Option<(Duration, Duration)>,
    tokens: u32,
    refilled: Duration,
    end: Option<Duration>,
    asleep_end: Option<Duration>,
    /// Said nothing though there was something to say.
    owes: bool,
}

impl View {
    /// What a stream goes by.
    pub fn of(workload: &Workload, scale: &Scale) -> Self {
        let (is_active, held, running) = match scale {
            Scale::Unknown(_) => (false, 0, 0),
            Scale::Idle(reading) => (false, reading.held, reading.running),
            Scale::Active(reading) => (true, reading.held, reading.running),
        };
        Self {
            is_active,
            in_flight: InFlight { held, running },
            is_asleep: workload.is_asleep(),
        }
    }

    fn is_held(self) -> bool {
        self.in_flight.held > 0
    }
}

impl Push {
    /// A stream that opens now, of a ScaledObject for which a start is activity for `window`. If it
    /// `ends_once`, it does so after a time that `jitter` in 0..1 spreads over twice its least.
    pub fn open(now: Duration, window: Duration, ends_once: bool, jitter: f64) -> Self {
        let spread = |least: Duration| now + least.mul_f64(1.0 + jitter.clamp(0.0, 1.0));
        Self {
            window,
            was: View::default(),
            repeat: None,
            tokens: BURST,
            refilled: now,
            end: ends_once.then(|| spread(END_WHEN_AWAKE)),
            asleep_end: ends_once.then(|| spread(END_WHEN_ASLEEP)),
            owes: false,
        }
    }

    /// Decides what to do; to be asked whenever something changed, and at [`Push::again_at`]. `jitter` in
    /// 0..1 makes the next repeat up to a quarter earlier or later.
    pub fn on(&mut self, now: Duration, view: View, jitter: f64) -> Say {
        let is_news =
            (view.is_active && !self.was.is_active) || (view.is_held() && !self.was.is_held());
        self.was = view;
        let is_due = self.turn_repeat(now, view, jitter);
        self.owes = view.is_active && (self.owes || is_news || is_due);
        self.refill(now);
        if self.owes && self.tokens > 0 {
            self.tokens -= 1;
            self.owes = false;
            return Say::True;
        }
        let end = if view.is_asleep {
            self.asleep_end
        } else {
            self.end
        };
        if !view.is_held() && end.is_some_and(|end| end <= now) {
            return Say::End;
        }
        Say::Nothing
    }

    /// When to ask again even if nothing changes.
    pub fn again_at(&self, now: Duration) -> Option<Duration> {
        // Active and nothing under way: it ends by itself, and the next start is news then.
        let closing = (self.was.is_active && self.was.in_flight == InFlight::default())
            .then(|| now + self.window);
        let repeat = self.repeat.map(|(due, _)| due);
        let owed = self.owes.then(|| self.refilled + FIRST_REPEAT);
        let end = if self.was.is_asleep {
            self.asleep_end
        } else {
            self.end
        };
        // Past its end, and held: what is held tells when it goes.
        let end = end.filter(|end| *end > now);
        [closing, repeat, owed, end].into_iter().flatten().min()
    }

    /// Keeps the time of the next repeat, and says whether one is due.
    fn turn_repeat(&mut self, now: Duration, view: View, jitter: f64) -> bool {
        if !(view.is_held() && view.is_asleep) {
            self.repeat = None;
            return false;
        }
        let (due, pause) = self.repeat.unwrap_or((now, FIRST_REPEAT));
        if due > now {
            return false;
        }
        let is_first = self.repeat.is_none();
        let next = now + pause.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0);
        self.repeat = Some((next, (pause * 2).min(LAST_REPEAT)));
        !is_first
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.refilled).as_secs();
        let n_new = u32::try_from(passed).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(n_new).min(BURST);
        self.refilled += Duration::from_secs(passed);
    }
}
