//! What all workers together report, as one scaler keeps it: the latest folded report of each worker, and
//! which keys each worker's table has.
//!
//! Every worker has a time line of its own, kept by its own clock, so that averages are exact whatever
//! the network does; the ledger's `now` only says how long ago a report came. What may be stored is
//! bounded here; what the numbers mean for KEDA is [`scale`](crate::scale())'s part.

mod answers;
mod count;
mod error;
mod known;
mod life;
mod merge;
mod page;
mod peers;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use self::{count::Count, known::Known, life::Life, life::Via};
use crate::{Instance, Key, Report};

pub use self::answers::InFlight;
pub use self::error::LedgerError;
pub use self::page::{Page, PageCount, Sample};
pub use self::peers::{PeerId, PeerLoss, Peers};

/// A worker that said nothing for so long is gone: ten times the time between two reports, and time
/// enough for a reconnect at the longest back-off (5 s).
const SILENCE: Duration = Duration::from_secs(10);

/// A new ledger hears the workers one after the other as they reconnect, after 5 s at most: before that,
/// that the first of them have nothing does not say that none has.
const SETTLING: Duration = Duration::from_secs(6);

/// The window of [`Ledger::mean`]: KEDA and the HPA ask every 15 s, so nothing falls between two answers.
const MEAN_WINDOW: Duration = Duration::from_secs(15);

/// What is remembered when nobody asks for more: the default window of a rate, and any activity window
/// of a ScaledObject with KEDA's default polling interval.
const MIN_HORIZON: Duration = Duration::from_mins(1);

/// What is remembered at most; a longer window is answered as this one.
pub(crate) const MAX_HORIZON: Duration = Duration::from_mins(10);

/// How often idle keys give their history back. Nothing depends on it but memory.
const SWEEP: Duration = Duration::from_secs(10);

/// The reports of all workers.
///
/// ```
/// # use std::time::Duration;
/// # use wakegate_core::{Instance, Key, KeyReport, Ledger, Report};
/// let mut ledger = Ledger::new(Duration::ZERO);
/// let worker = Instance { proxy: "edge-1".into(), worker: 0, boot_id: 1 };
/// let key = Key::service("shop", "web");
/// let count = KeyReport { key: key.clone(), held: 1, running: 2, started: 3, ended: 0, shed: 0, integral_ms: 40 };
/// let report = Report { sequence: 1, full: true, keys: vec![count], ..Report::default() };
/// let now = Duration::from_secs(1);
/// assert!(ledger.apply(now, &worker, report)?.taken);
/// assert_eq!(ledger.in_flight([&key], now).held, 1);
/// # Ok::<(), wakegate_core::LedgerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    since: Duration,
    settling: Duration,
    horizon: Duration,
    swept: Duration,
    ids: HashMap<Slot, u32>,
    next_id: u32,
    lives: HashMap<u32, Life>,
    counts: HashMap<Key, BTreeMap<u32, Count>>,
    n_counts: usize,
    known: Known,
    peers: Peers,
}

/// The place of a worker, whatever its life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Slot {
    proxy: std::sync::Arc<str>,
    worker: u32,
}

/// What became of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether it was news. A sequence number seen before is not.
    pub taken: bool,
    /// The ledger's number of the worker, for as long as it is not forgotten.
    pub worker: u32,
    /// The last sequence number of this worker's life that was taken in.
    pub sequence: u64,
    /// Whether the worker is to name the keys of its table in its next report.
    pub wants_keys: bool,
    /// Whether the worker's table became another one, so that what is idle may have changed.
    pub table_changed: bool,
    /// The keys of which this worker holds something and did not before.
    pub newly_held: Vec<Key>,
    /// The keys whose numbers may have changed.
    pub touched: Vec<Key>,
}

/// What [`Ledger::age`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aged {
    /// Workers that fell silent since the last time.
    pub n_silent: usize,
    /// The keys that they had numbers for.
    pub touched: Vec<Key>,
}

impl Ledger {
    /// An empty ledger, which knows that it has heard nobody before `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            since: now,
            settling: SETTLING,
            horizon: MIN_HORIZON,
            swept: now,
            ids: HashMap::new(),
            next_id: 0,
            lives: HashMap::new(),
            counts: HashMap::new(),
            n_counts: 0,
            known: Known::default(),
            peers: Peers::default(),
        }
    }

    /// Changes how long a new ledger calls nothing idle. The default suits workers that reconnect within
    /// 5 s.
    #[must_use]
    pub fn with_settling(mut self, settling: Duration) -> Self {
        self.settling = settling;
        self
    }

    /// Takes in a report.
    ///
    /// Where the numbers start from is the one thing that a report does not say:
    /// - of a life that was heard before: from the last report, so every start counts, once;
    /// - of a life that began within the last 20 s by its own clock, or took the place of one heard
    ///   within them: from zero, so that the first request of a new worker counts;
    /// - of an older life that this ledger never heard (the *scaler* is the new one): from here. The
    ///   totals are old news, but what is held or running counts as started now, and as having run for
    ///   the whole of the mean's window, so that a restart of the scaler makes no dip.
    ///
    /// # Errors
    /// When the report asks to store more than one worker may, or contradicts itself. Then nothing of it
    /// is taken in.
    pub fn apply(
        &mut self,
        now: Duration,
        instance: &Instance,
        report: Report,
    ) -> Result<Applied, LedgerError> {
        self.apply_from(now, Via::Here, instance, report)
    }

    /// Takes in a report that another replica heard.
    ///
    /// # Errors
    /// As [`Ledger::apply`].
    pub fn apply_relayed(
        &mut self,
        now: Duration,
        peer: PeerId,
        instance: &Instance,
        report: Report,
    ) -> Result<Applied, LedgerError> {
        self.apply_from(now, Via::Peer(peer), instance, report)
    }

    fn apply_from(
        &mut self,
        now: Duration,
        via: Via,
        instance: &Instance,
        report: Report,
    ) -> Result<Applied, LedgerError> {
        error::check(instance, &report)?;
        let slot = Slot::of(instance);
        let id = self.ids.get(&slot).copied();
        let known = id.and_then(|id| Some((id, self.lives.get(&id)?)));
        if let Some((worker, life)) = known
            && life.has_heard(now, instance, &report)?
        {
            return Ok(Applied {
                worker,
                sequence: life.sequence,
                ..Applied::default()
            });
        }
        self.check_room(id, &report)?;
        if let Some(keys) = &report.known_keys {
            self.known.learn(report.known_digest, keys)?;
        }
        let (id, span) = self.turn(now, slot, instance, &report);
        if let Some(life) = self.lives.get_mut(&id) {
            life.via = via;
        }
        let mut applied = Applied {
            taken: true,
            worker: id,
            sequence: report.sequence,
            // Nobody here can ask a worker that reports elsewhere.
            wants_keys: via == Via::Here && self.known.wants(now, report.known_digest),
            table_changed: self.known.refer(id, report.known_digest),
            ..Applied::default()
        };
        applied.table_changed |= report.known_keys.is_some();
        self.count(id, span, report, &mut applied);
        Ok(applied)
    }

    /// The other replicas.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The other replicas, to say who is heard.
    pub fn peers_mut(&mut self) -> &mut Peers {
        &mut self.peers
    }

    /// Forgets who said nothing for so long that nothing of it can be asked for; to be called each second.
    pub fn age(&mut self, now: Duration) -> Aged {
        let mut aged = Aged::default();
        let mut gone = Vec::new();
        for (id, life) in &mut self.lives {
            let silence = self.peers.clock(life.via, now).saturating_sub(life.seen);
            if silence > SILENCE && !life.silent {
                life.silent = true;
                self.known.release(*id);
                aged.n_silent += 1;
                aged.touched.extend(life.keys.iter().cloned());
            }
            if silence > SILENCE && silence > self.horizon {
                gone.push(*id);
            }
        }
        for id in gone {
            self.remove(id);
        }
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.sweep(now);
        }
        self.known.prune();
        aged
    }

    /// Names the keys of a table before a worker does, so that no worker that has this table is asked.
    pub fn expect_table<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        self.known.expect(keys);
    }

    /// Asks for a memory of at least `window`, from now on.
    pub fn remember(&mut self, window: Duration) {
        self.horizon = self.horizon.max(window).min(MAX_HORIZON);
    }
}

/// Whole milliseconds; 2^64 of them are for ever.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
