//! Replicas that tell each other what they hear come to the same numbers: whoever a worker reports to, and
//! however late or often the others are told.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use proptest::prelude::*;
use wakegate_core::{Instance, Key, KeyReport, Ledger, Page, PeerId, Report};

const N: usize = 3;

const KEYS: [&str; 3] = ["service/a/a", "service/a/b", "service/b/c"];

const BEGIN: Duration = Duration::from_hours(1);

/// A worker reports to a replica; then some replicas are told what waits for them.
#[derive(Clone, Debug)]
struct Event {
    worker: u32,
    home: usize,
    reboots: bool,
    pause_ms: u64,
    counts: Vec<(usize, u32, u64)>,
    /// Of each pair of replicas: what happens.
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
enum Link {
    /// What is under way stays so.
    Waits,
    /// All arrives.
    Arrives,
    /// All arrives, and some of it again.
    ArrivesTwice,
    /// What was under way is lost; the stream opens anew, and begins with the whole.
    Resyncs,
}

fn event() -> impl Strategy<Value = Event> {
    let counts = prop::collection::vec((0..KEYS.len(), 0..3_u32, 0..5_u64), 0..3);
    let link = prop_oneof![
        4 => Just(Link::Waits),
        2 => Just(Link::Arrives),
        1 => Just(Link::ArrivesTwice),
        1 => Just(Link::Resyncs),
    ];
    let links = prop::collection::vec(link, N * N);
    let who = (0..3_u32, 0..N, prop::bool::weighted(0.1));
    (who, 0..400_u64, counts, links).prop_map(
        |((worker, home, reboots), pause_ms, counts, links)| Event {
            worker,
            home,
            reboots,
            pause_ms,
            counts,
            links,
        },
    )
}

/// One worker, as it counts itself.
#[derive(Debug)]
struct Worker {
    home: usize,
    boot: Duration,
    sequence: u64,
    keys: HashMap<usize, (u32, u64, u64)>,
}

type Said = (Duration, Instance, Report);

/// Three replicas and what is under way between each two.
struct World {
    now: Duration,
    ledgers: Vec<Ledger>,
    peers: Vec<Vec<PeerId>>,
    under_way: Vec<VecDeque<Said>>,
    workers: HashMap<u32, Worker>,
    /// Hears everything at once.
    whole: Ledger,
}

impl World {
    fn new() -> Self {
        let mut ledgers = vec![Ledger::new(BEGIN); N];
        let add = |ledger: &mut Ledger| {
            let names = (0..N).map(|name| name.to_string());
            names
                .map(|name| ledger.peers_mut().add(BEGIN, &name))
                .collect()
        };
        let peers = ledgers.iter_mut().map(add).collect();
        Self {
            now: BEGIN,
            ledgers,
            peers,
            under_way: vec![VecDeque::new(); N * N],
            workers: HashMap::new(),
            whole: Ledger::new(BEGIN),
        }
    }

    fn happen(&mut self, event: &Event) {
        if event.reboots {
            // A VM takes longer to come back than a report is under way. Else the last report of the old life would
            // come after the first of the new one, and be refused: what started between the two is history that is lost.
            self.settle();
        }
        self.now += Duration::from_millis(event.pause_ms);
        let (now, home) = (self.now, event.home);
        for (ledger, peers) in self.ledgers.iter_mut().zip(&self.peers) {
            for peer in peers {
                ledger.peers_mut().heard(*peer, now);
            }
        }
        let report = self.report(event);
        let (instance, report) = report;
        let hear = |ledger: &mut Ledger| {
            let applied = ledger.apply(now, &instance, report.clone());
            applied.expect("a report of a worker that is well").taken
        };
        assert!(hear(&mut self.ledgers[home]) && hear(&mut self.whole));
        for to in (0..N).filter(|to| *to != home) {
            let said = (now, instance.clone(), report.clone());
            self.under_way[home * N + to].push_back(said);
        }
        for (at, link) in event.links.iter().enumerate() {
            self.carry(at / N, at % N, *link);
        }
    }

    /// What the worker says: on a new stream everything, else what changed.
    fn report(&mut self, event: &Event) -> (Instance, Report) {
        let now = self.now;
        let mut is_new = false;
        let worker = self.workers.entry(event.worker).or_insert_with(|| {
            is_new = true;
            Worker {
                home: event.home,
                boot: now,
                sequence: 0,
                keys: HashMap::new(),
            }
        });
        if event.reboots && worker.boot < now {
            (worker.boot, worker.sequence, is_new) = (now, 0, true);
            worker.keys.clear();
        }
        let full = is_new || worker.home != event.home;
        (worker.home, worker.sequence) = (event.home, worker.sequence + 1);
        for count in worker.keys.values_mut() {
            count.2 += u64::from(count.0) * event.pause_ms;
        }
        for (key, running, started) in &event.counts {
            let count = worker.keys.entry(*key).or_default();
            (count.0, count.1) = (*running, count.1 + started);
        }
        let is_said = |key: &usize| full || event.counts.iter().any(|(named, ..)| named == key);
        let keys = worker.keys.iter().filter(|(key, _)| is_said(key));
        let keys = keys.map(|(key, (running, started, integral_ms))| KeyReport {
            key: Key::from(KEYS[*key]),
            held: 0,
            running: *running,
            started: *started,
            ended: 0,
            shed: 0,
            integral_ms: *integral_ms,
        });
        let report = Report {
            sequence: worker.sequence,
            full,
            now,
            keys: keys.collect(),
            ..Report::default()
        };
        let instance = Instance {
            proxy: "edge".into(),
            worker: event.worker,
            boot_id: u64::try_from(worker.boot.as_millis()).expect("a short time"),
        };
        (instance, report)
    }

    fn carry(&mut self, from: usize, to: usize, link: Link) {
        if from == to || matches!(link, Link::Waits) {
            return;
        }
        let peer = self.peers[to][from];
        let said = std::mem::take(&mut self.under_way[from * N + to]);
        if matches!(link, Link::Resyncs) {
            let pages = pages(&self.ledgers[from], self.now);
            for page in pages {
                let imported = self.ledgers[to].import(self.now, peer, page);
                imported.expect("a page of a ledger that is well");
            }
            return;
        }
        let again = matches!(link, Link::ArrivesTwice);
        for (now, instance, report) in said.iter().chain(said.iter().filter(|_| again)) {
            // What is of an earlier life is refused.
            drop(self.ledgers[to].apply_relayed(*now, peer, instance, report.clone()));
        }
    }

    fn settle(&mut self) {
        for at in 0..N * N {
            self.carry(at / N, at % N, Link::Arrives);
        }
    }
}

fn pages(ledger: &Ledger, now: Duration) -> Vec<Page> {
    let pages = ledger.workers().map(|worker| ledger.page(worker, now));
    pages.map(|page| page.expect("its page")).collect()
}

proptest! {
    #[test]
    fn replicas_agree_with_one_that_heard_everything(
        events in prop::collection::vec(event(), 0..40),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.settle();
        let (keys, now) = (KEYS.map(Key::from), world.now);
        let window = Duration::from_mins(10);
        for ledger in &world.ledgers {
            for key in &keys {
                let whole = world.whole.in_flight([key], now);
                prop_assert_eq!(ledger.in_flight([key], now), whole);
                let whole = world.whole.started([key], now, window);
                prop_assert_eq!(ledger.started([key], now, window), whole);
            }
        }
        // Each worker is counted where it reports, once.
        let here = world.ledgers.iter().map(|ledger| ledger.n_here(now));
        prop_assert_eq!(here.sum::<usize>(), world.workers.len());
    }

    #[test]
    fn a_replica_that_is_told_at_once_has_the_same_ledger(
        events in prop::collection::vec(event(), 0..40),
    ) {
        let mut world = World::new();
        for event in &events {
            let links = vec![Link::ArrivesTwice; N * N];
            world.happen(&Event { links, ..event.clone() });
        }
        for ledger in &world.ledgers {
            prop_assert_eq!(ledger, &world.whole);
        }
    }

    #[test]
    fn pages_that_are_taken_in_are_a_merge(
        events in prop::collection::vec(event(), 0..40),
        order in any::<bool>(),
    ) {
        let mut world = World::new();
        for event in &events {
            let links = vec![Link::Waits; N * N];
            world.happen(&Event { links, ..event.clone() });
        }
        let (mine, theirs) = (&world.ledgers[0], &world.ledgers[1]);
        let mut merged = mine.clone();
        merged.merge(theirs);
        let mut imported = mine.clone();
        let mut pages = pages(theirs, world.now);
        if order {
            pages.reverse();
        }
        for page in pages.iter().chain(&pages) {
            prop_assert!(imported.import(world.now, world.peers[0][1], page.clone()).is_ok());
        }
        prop_assert_eq!(&imported, &merged);
        let mut newcomer = Ledger::new(world.now);
        for page in pages {
            prop_assert!(newcomer.import(world.now, world.peers[0][1], page).is_ok());
        }
        newcomer.adopt(world.now, theirs.heard_for(world.now), theirs.horizon());
        prop_assert_eq!(&newcomer, theirs);
    }
}
