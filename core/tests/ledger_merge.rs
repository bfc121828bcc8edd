//! Ledgers of several scalers become one, whoever asks whom, in whatever order and how often.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use wakegate_core::{Instance, Key, KeyReport, Ledger, LedgerError, Report};

/// What one worker says, and which of the ledgers hear it.
#[derive(Clone, Debug)]
struct Event {
    heard_by: u8,
    worker: u32,
    boot_id: u64,
    pause_ms: u64,
    full: bool,
    knows: bool,
    counts: Vec<(usize, u32, u64)>,
}

/// Late enough that workers of all ages can be there.
const START: Duration = Duration::from_secs(20);

const KEYS: [&str; 3] = ["service/a/a", "service/a/b", "service/b/c"];

fn event() -> impl Strategy<Value = Event> {
    let counts = prop::collection::vec((0..KEYS.len(), 0..3_u32, 0..5_u64), 0..3);
    let who = (0..8_u8, 0..2_u32, 0..2_u64);
    (who, 0..4_000_u64, any::<bool>(), any::<bool>(), counts).prop_map(
        |((heard_by, worker, boot_id), pause_ms, full, knows, counts)| {
            let (worker, boot_id) = (worker, boot_id * 10_000);
            Event {
                heard_by,
                worker,
                boot_id,
                pause_ms,
                full,
                knows,
                counts,
            }
        },
    )
}

/// What is said, with the time of each report.
type Said = (Duration, Instance, Report);

fn said(events: &[Event]) -> Vec<Said> {
    let mut now = START;
    let mut totals = HashMap::<_, (u64, u64)>::new();
    let mut said = Vec::new();
    for (sequence, event) in (1..).zip(events) {
        now += Duration::from_millis(event.pause_ms);
        let (worker, boot_id) = (event.worker, event.boot_id);
        let count = |(key, running, started): &(usize, u32, u64)| {
            let total = totals.entry((worker, boot_id, *key)).or_default();
            total.0 += started;
            total.1 += event.pause_ms;
            KeyReport {
                key: Key::from(KEYS[*key]),
                held: 0,
                running: *running,
                started: total.0,
                ended: 0,
                shed: 0,
                integral_ms: total.1,
            }
        };
        let table = [Key::from(KEYS[0])];
        let report = Report {
            sequence,
            full: event.full,
            now,
            known_digest: if event.knows { table[0].digest() } else { 0 },
            known_keys: event.knows.then(|| table.to_vec()),
            keys: event.counts.iter().map(count).collect(),
        };
        said.push((
            now,
            Instance {
                proxy: "edge".into(),
                worker,
                boot_id,
            },
            report,
        ));
    }
    said
}

fn hear(ledger: &mut Ledger, (now, worker, report): &Said) {
    match ledger.apply(*now, worker, report.clone()) {
        Ok(_) | Err(LedgerError::EarlierLife) => {}
        Err(refused) => panic!("{refused}"),
    }
    ledger.age(*now);
}

/// Three ledgers, each of which heard some of the events; and the time of the last.
fn ledgers(events: &[Event]) -> ([Ledger; 3], Duration) {
    let mut ledgers = [0, 1, 2].map(|second| Ledger::new(Duration::from_secs(second)));
    let said = said(events);
    for (event, said) in events.iter().zip(&said) {
        for (bit, ledger) in ledgers.iter_mut().enumerate() {
            if event.heard_by & (1 << bit) != 0 {
                hear(ledger, said);
            }
        }
    }
    (ledgers, said.last().map_or(START, |(now, ..)| *now))
}

fn merged(first: &Ledger, second: &Ledger) -> Ledger {
    let mut merged = first.clone();
    merged.merge(second);
    merged
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        events in prop::collection::vec(event(), 0..40),
    ) {
        let ([a, b, c], _) = ledgers(&events);
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &a), &a);
        let both = merged(&a, &b);
        prop_assert_eq!(&merged(&both, &b), &both);
    }

    #[test]
    fn answers_of_a_merged_ledger_do_not_depend_on_the_order(
        events in prop::collection::vec(event(), 0..40),
        window in 0..90_u64,
    ) {
        let ([a, b, c], now) = ledgers(&events);
        let one = merged(&merged(&a, &b), &c);
        let other = merged(&c, &merged(&b, &a));
        let keys = KEYS.map(Key::from);
        let window = Duration::from_secs(window);
        prop_assert_eq!(one.in_flight(&keys, now), other.in_flight(&keys, now));
        prop_assert_eq!(one.started(&keys, now, window), other.started(&keys, now, window));
        prop_assert_eq!(one.mean(&keys, now).to_bits(), other.mean(&keys, now).to_bits());
        prop_assert_eq!(one.knows(&keys[0], now), other.knows(&keys[0], now));
    }

    #[test]
    fn a_scaler_that_takes_over_continues_as_if_it_had_heard_all(
        events in prop::collection::vec(event(), 1..30),
        cut in 0..30_usize,
    ) {
        let said = said(&events);
        let mut whole = Ledger::new(Duration::ZERO);
        let mut first = whole.clone();
        let mut second = whole.clone();
        for (n, said) in said.iter().enumerate() {
            hear(&mut whole, said);
            if n < cut {
                hear(&mut first, said);
            }
            if n + 1 == cut {
                second.merge(&first);
            }
            if n >= cut {
                hear(&mut second, said);
            }
        }
        if cut <= said.len() {
            prop_assert_eq!(second, whole);
        }
    }
}
