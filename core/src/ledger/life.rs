//! One life of one worker: whether a report is news, and where it lies on the worker's time line.

use std::{collections::HashSet, time::Duration};

use super::{
    Applied, Ledger, LedgerError, PeerId, SILENCE, Slot,
    count::{Count, Start},
    error::{MAX_COUNTS, MAX_INSTANCES, MAX_KEYS},
    millis,
};
use crate::{Instance, Key, KeyReport, Report};

/// A life that began so long ago by its own clock, or took the place of one heard so long ago, has its
/// numbers counted from zero. No window that asks for activity is shorter (polling interval + 5 s, and
/// ours poll every 15 s), so nothing counts that lies before the window.
const YOUNG: Duration = Duration::from_secs(20);

/// How far a worker's clock may go ahead of ours between two reports, or stay behind it. More than the
/// time that a report can be under way (a stream is given up after 3 s), less than most changes of a
/// clock.
const CLOCK_STEP: Duration = Duration::from_secs(5);

/// Where time lines begin: late enough that no window reaches below zero.
const EPOCH_MS: u64 = 3_600_000;

/// One life of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) slot: Slot,
    pub(super) boot_id: u64,
    pub(super) sequence: u64,
    /// When the last report came.
    pub(super) seen: Duration,
    /// The worker's clock in the last report.
    pub(super) clock: Duration,
    /// The worker's time line at the last report: its clock without the steps.
    pub(super) line: u64,
    /// Its silence was noticed.
    pub(super) silent: bool,
    /// Who heard the last report.
    pub(super) via: Via,
    /// What it has numbers for.
    pub(super) keys: HashSet<Key>,
}

/// Who heard a worker's last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// This replica.
    Here,
    /// Another, which says so itself.
    Peer(PeerId),
    /// Another, by what a third one says.
    Hearsay,
}

/// The part of a worker's time line that a report is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    /// The report before this one.
    pub(super) previous: u64,
    /// This report.
    pub(super) at: u64,
    /// The worker's clock made a step in between: its integrals cannot be relied on.
    pub(super) stepped: bool,
    /// Where a key that has no numbers yet starts from.
    start: Start,
}

impl Life {
    /// Whether the worker was heard within the last 10 s.
    pub(super) fn is_live(&self, now: Duration) -> bool {
        now.saturating_sub(self.seen) <= SILENCE
    }

    /// Where `now` lies on the worker's time line.
    pub(super) fn line_at(&self, now: Duration) -> u64 {
        self.line
            .saturating_add(millis(now.saturating_sub(self.seen)))
    }

    /// Whether the report was taken in before.
    ///
    /// # Errors
    /// When it is of an earlier life. Once the later one fell silent it is news again: a clock that was
    /// set back gives every restart an earlier boot.
    pub(super) fn has_heard(
        &self,
        now: Duration,
        instance: &Instance,
        report: &Report,
    ) -> Result<bool, LedgerError> {
        if instance.boot_id < self.boot_id && self.is_live(now) {
            return Err(LedgerError::EarlierLife);
        }
        Ok(instance.boot_id == self.boot_id && report.sequence <= self.sequence)
    }
}

impl Slot {
    pub(super) fn of(instance: &Instance) -> Self {
        Self {
            proxy: std::sync::Arc::clone(&instance.proxy),
            worker: instance.worker,
        }
    }
}

impl Ledger {
    /// Whether there is room for what the report brings.
    pub(super) fn check_room(&self, id: Option<u32>, report: &Report) -> Result<(), LedgerError> {
        let life = id.and_then(|id| self.lives.get(&id));
        if life.is_none() && self.lives.len() >= MAX_INSTANCES {
            return Err(LedgerError::TooManyInstances);
        }
        let is_new = |count: &&KeyReport| life.is_none_or(|life| !life.keys.contains(&count.key));
        let n_new = report.keys.iter().filter(is_new).count();
        let n_keys = n_new + life.map_or(0, |life| life.keys.len());
        if n_new > 0 && n_keys > MAX_KEYS {
            return Err(LedgerError::TooManyKeys(n_keys));
        }
        if n_new > 0 && self.n_counts + n_new > MAX_COUNTS {
            return Err(LedgerError::Full);
        }
        Ok(())
    }

    /// Moves the worker's time line on to the report, in the life that the report is of.
    pub(super) fn turn(
        &mut self,
        now: Duration,
        slot: Slot,
        instance: &Instance,
        report: &Report,
    ) -> (u32, Interval) {
        let known = self.ids.get(&slot).copied();
        let id = known.unwrap_or_else(|| self.free_id());
        self.ids.insert(slot.clone(), id);
        let age = age(instance, report);
        let before = self.lives.get(&id).map(|life| (life.boot_id, life.seen));
        let life = self
            .lives
            .entry(id)
            .or_insert_with(|| Life::unheard(slot, instance, now, report));
        let ours = now.saturating_sub(life.seen);
        let is_same = before.is_some_and(|(boot_id, _)| boot_id == instance.boot_id);
        let span = if is_same {
            let theirs = report.now.checked_sub(life.clock);
            let theirs = theirs.filter(|theirs| theirs.abs_diff(ours) <= CLOCK_STEP);
            let at = life.line.saturating_add(millis(theirs.unwrap_or(ours)));
            Interval {
                previous: life.line,
                at,
                stepped: theirs.is_none(),
                start: Start::From(life.line),
            }
        } else {
            let took_place = before.is_some_and(|(_, seen)| now.saturating_sub(seen) <= YOUNG);
            let at = life.line.saturating_add(millis(ours));
            let start = match age {
                Some(age) if age > YOUNG && !took_place => Start::Unknown,
                age => Start::From(at.saturating_sub(millis(age.unwrap_or_default().min(YOUNG)))),
            };
            Interval {
                previous: life.line,
                at,
                stepped: false,
                start,
            }
        };
        life.boot_id = instance.boot_id;
        life.sequence = report.sequence;
        life.seen = now;
        life.clock = report.now;
        life.line = span.at;
        life.silent = false;
        if !is_same {
            self.rewind(id, span.previous);
        }
        (id, span)
    }

    /// Takes in the numbers, and notes which keys they are of.
    pub(super) fn count(&mut self, id: u32, span: Interval, report: Report, applied: &mut Applied) {
        if report.full {
            self.zero_unnamed(id, span.previous, &report, applied);
        }
        let horizon = millis(self.horizon);
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        for report in report.keys {
            let counts = self.counts.entry(report.key.clone()).or_default();
            let was_held = counts.get(&id).is_some_and(|count| count.held > 0);
            if let Some(count) = counts.get_mut(&id) {
                count.on(&span, &report, horizon);
            } else {
                counts.insert(id, Count::first(span.at, span.start, &report));
                life.keys.insert(report.key.clone());
                self.n_counts += 1;
            }
            if report.held > 0 && !was_held {
                applied.newly_held.push(report.key.clone());
            }
            applied.touched.push(report.key);
        }
    }

    /// What a full report does not name is zero.
    fn zero_unnamed(&mut self, id: u32, since: u64, report: &Report, applied: &mut Applied) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        let named: HashSet<&Key> = report.keys.iter().map(|count| &count.key).collect();
        for key in life.keys.iter().filter(|key| !named.contains(key)) {
            if let Some(count) = self.counts.get_mut(key).and_then(|of| of.get_mut(&id)) {
                count.rewind(since);
                applied.touched.push(key.clone());
            }
        }
    }

    /// Forgets a worker.
    pub(super) fn remove(&mut self, id: u32) {
        let Some(life) = self.lives.remove(&id) else {
            return;
        };
        self.ids.remove(&life.slot);
        self.known.release(id);
        for key in &life.keys {
            self.drop_count(key, id);
        }
    }

    /// Frees the history of what is idle, and what has no numbers at all.
    pub(super) fn sweep(&mut self, now: Duration) {
        let horizon = millis(self.horizon);
        let mut zero = Vec::new();
        for (key, counts) in &mut self.counts {
            for (id, count) in counts {
                let Some(life) = self.lives.get(id) else {
                    continue;
                };
                let now = self.peers.clock(life.via, now);
                if count.sweep(life.line_at(now), horizon) {
                    zero.push((key.clone(), *id));
                }
            }
        }
        for (key, id) in zero {
            self.drop_count(&key, id);
            if let Some(life) = self.lives.get_mut(&id) {
                life.keys.remove(&key);
            }
        }
    }

    /// Starts a new life in the place of an old one: what is under way is gone, what was, was.
    fn rewind(&mut self, id: u32, at: u64) {
        let Some(life) = self.lives.get(&id) else {
            return;
        };
        for key in &life.keys {
            if let Some(count) = self.counts.get_mut(key).and_then(|of| of.get_mut(&id)) {
                count.rewind(at);
            }
        }
    }

    fn drop_count(&mut self, key: &Key, id: u32) {
        let Some(counts) = self.counts.get_mut(key) else {
            return;
        };
        if counts.remove(&id).is_some() {
            self.n_counts -= 1;
        }
        if counts.is_empty() {
            self.counts.remove(key);
        }
    }

    pub(super) fn free_id(&mut self) -> u32 {
        while self.lives.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        self.next_id
    }
}

impl Life {
    fn unheard(slot: Slot, instance: &Instance, now: Duration, report: &Report) -> Self {
        Self {
            slot,
            boot_id: instance.boot_id,
            sequence: report.sequence,
            seen: now,
            clock: report.now,
            line: EPOCH_MS,
            silent: false,
            via: Via::Here,
            keys: HashSet::new(),
        }
    }
}

/// How long ago the life began by its own clock; none when that clock was set back since.
fn age(instance: &Instance, report: &Report) -> Option<Duration> {
    report
        .now
        .checked_sub(Duration::from_millis(instance.boot_id))
}
