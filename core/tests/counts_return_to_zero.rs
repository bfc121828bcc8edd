//! After any sequence of starts and ends the counts are zero, and every number that was ever true
//! reaches the ledger, whatever is lost on the way.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use wakegate_core::{Demand, Key, KeyReport, Totals};

const KEYS: [&str; 3] = ["service/a/one", "service/a/two", "service/b/one"];

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass {
        us: u64,
    },
    StepBack {
        us: u64,
    },
    StartHeld(&'static str),
    StartRunning(&'static str),
    Release(&'static str),
    EndHeld(&'static str),
    EndRunning(&'static str),
    Shed(&'static str),
    Report {
        full: bool,
    },
    Acked,
    Unacked,
    /// The table has this key alone.
    Retain(&'static str),
    /// A route of the table names this key. What came by an earlier route keeps the key as it was.
    Place(&'static str),
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..3_000_000_u64).prop_map(|us| Event::Pass { us }),
        1 => (0..3_000_000_u64).prop_map(|us| Event::StepBack { us }),
        6 => key().prop_map(Event::StartHeld),
        6 => key().prop_map(Event::StartRunning),
        4 => key().prop_map(Event::Release),
        4 => key().prop_map(Event::EndHeld),
        8 => key().prop_map(Event::EndRunning),
        2 => key().prop_map(Event::Shed),
        6 => prop::bool::weighted(0.3).prop_map(|full| Event::Report { full }),
        4 => Just(Event::Acked),
        2 => Just(Event::Unacked),
        2 => key().prop_map(Event::Place),
    ]
}

/// With keys that leave the table.
fn event_or_retain() -> impl Strategy<Value = Event> {
    prop_oneof![20 => event(), 1 => key().prop_map(Event::Retain)]
}

/// The numbers of one key, counted naively.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive {
    held: u32,
    running: u32,
    started: u64,
    ended: u64,
    shed: u64,
    integral_us: u64,
}

struct Model {
    demand: Demand,
    now_us: u64,
    keys: HashMap<&'static str, Naive>,
    /// Each key as the last route that names it has it.
    placed: HashMap<&'static str, Key>,
    /// What a scaler knows: the last report of each key that arrived.
    ledger: HashMap<Key, KeyReport>,
    under_way: Vec<KeyReport>,
}

impl Model {
    fn new() -> Self {
        Self {
            demand: Demand::default(),
            now_us: 1_000_000_000,
            keys: KEYS.iter().map(|key| (*key, Naive::default())).collect(),
            placed: HashMap::new(),
            ledger: HashMap::new(),
            under_way: Vec::new(),
        }
    }

    fn placed(&self, name: &str) -> Key {
        let placed = self.placed.get(name).cloned();
        placed.unwrap_or_else(|| Key::from(name))
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.now_us)
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Pass { us } => {
                self.now_us += us;
                for key in self.keys.values_mut() {
                    key.integral_us += us * u64::from(key.held + key.running);
                }
            }
            Event::StepBack { us } => self.step_back(us),
            Event::StartHeld(key)
            | Event::StartRunning(key)
            | Event::Release(key)
            | Event::EndHeld(key)
            | Event::EndRunning(key)
            | Event::Shed(key) => self.on_request(event, key),
            Event::Report { full } => {
                self.under_way = self.demand.report(self.now(), full);
                assert!(!self.demand.has_news());
            }
            Event::Acked => {
                self.demand.acked();
                for report in self.under_way.drain(..) {
                    self.ledger.insert(report.key.clone(), report);
                }
            }
            Event::Unacked => {
                self.demand.unacked();
                self.under_way.clear();
            }
            Event::Retain(kept) => self.demand.retain(|key| key.as_str() == kept),
            Event::Place(name) => {
                let mut key = Key::from(name);
                self.demand.place(&mut key);
                self.placed.insert(name, key);
            }
        }
        let held = self.keys.values().map(|key| key.held).sum();
        let running = self.keys.values().map(|key| key.running).sum();
        assert_eq!(self.demand.totals(), Totals { held, running });
        for (key, naive) in &self.keys {
            assert_eq!(self.demand.held(&Key::from(*key)), naive.held);
            assert_eq!(self.demand.held(&self.placed(key)), naive.held);
        }
    }

    /// A key's time stands still until its next change meets the clock that stepped back, so each is
    /// made to meet it.
    fn step_back(&mut self, us: u64) {
        self.demand.report(self.now(), true);
        self.demand.unacked();
        self.under_way.clear();
        self.now_us -= us.min(self.now_us);
        self.demand.report(self.now(), true);
        self.demand.unacked();
    }

    /// An end without its start is as good as none.
    fn on_request(&mut self, event: Event, name: &'static str) {
        let (now, key, naive) = (
            self.now(),
            self.placed(name),
            self.keys.entry(name).or_default(),
        );
        match event {
            Event::StartHeld(_) => {
                (naive.started, naive.held) = (naive.started + 1, naive.held + 1);
                self.demand.start_held(now, &key);
            }
            Event::StartRunning(_) => {
                (naive.started, naive.running) = (naive.started + 1, naive.running + 1);
                self.demand.start_running(now, &key);
            }
            Event::Release(_) => {
                if naive.held > 0 {
                    (naive.held, naive.running) = (naive.held - 1, naive.running + 1);
                }
                self.demand.release(now, &key);
            }
            Event::EndHeld(_) => {
                if naive.held > 0 {
                    (naive.held, naive.ended) = (naive.held - 1, naive.ended + 1);
                }
                self.demand.end_held(now, &key);
            }
            Event::EndRunning(_) => {
                if naive.running > 0 {
                    (naive.running, naive.ended) = (naive.running - 1, naive.ended + 1);
                }
                self.demand.end_running(now, &key);
            }
            Event::Shed(_) => {
                naive.started += 1;
                (naive.ended, naive.shed) = (naive.ended + 1, naive.shed + 1);
                self.demand.shed(now, &key);
            }
            Event::Pass { .. }
            | Event::StepBack { .. }
            | Event::Report { .. }
            | Event::Acked
            | Event::Unacked
            | Event::Retain(_)
            | Event::Place(_) => {}
        }
    }

    /// Ends all that is under way.
    fn end_all(&mut self) {
        for name in KEYS {
            let naive = self.keys.entry(name).or_default().clone();
            for _ in 0..naive.held {
                self.on(Event::EndHeld(name));
            }
            for _ in 0..naive.running {
                self.on(Event::EndRunning(name));
            }
        }
    }

    /// A report that arrives.
    fn report(&mut self, full: bool) {
        self.on(Event::Report { full });
        self.on(Event::Acked);
    }
}

fn report_of(name: &str, naive: &Naive) -> KeyReport {
    KeyReport {
        key: Key::from(name),
        held: naive.held,
        running: naive.running,
        started: naive.started,
        ended: naive.ended,
        shed: naive.shed,
        integral_ms: naive.integral_us / 1_000,
    }
}

proptest! {
    #[test]
    fn counts_return_to_zero(events in prop::collection::vec(event_or_retain(), 0..200)) {
        let mut model = Model::new();
        for event in events {
            model.on(event);
        }
        model.end_all();
        prop_assert_eq!(model.demand.totals(), Totals::default());
        model.report(false);
        prop_assert!(!model.demand.has_news());
        // What is zero and known to the ledger is forgotten with its route.
        model.demand.retain(|_| false);
        prop_assert_eq!(model.demand.report(model.now(), true), []);
    }

    #[test]
    fn whatever_is_lost_the_ledger_catches_up_with_one_report(
        events in prop::collection::vec(event(), 0..200),
        full in any::<bool>(),
    ) {
        let mut model = Model::new();
        for event in events {
            model.on(event);
        }
        model.on(Event::Unacked);
        model.report(full);
        for (name, naive) in &model.keys {
            if *naive == Naive::default() {
                continue;
            }
            let known = model.ledger.get(&Key::from(*name)).cloned();
            let expected = report_of(name, naive);
            // With no change since, the ledger extrapolates the integral: what it was told is older.
            let told = known.clone().map(|known| KeyReport { integral_ms: 0, ..known });
            prop_assert_eq!(told, Some(KeyReport { integral_ms: 0, ..expected.clone() }));
            if full || expected.held + expected.running == 0 {
                prop_assert_eq!(known, Some(expected));
            }
        }
    }

    #[test]
    fn a_request_that_stays_is_no_news(us in 0..10_000_000_u64, name in key()) {
        let mut model = Model::new();
        model.on(Event::StartRunning(name));
        model.report(false);
        model.on(Event::Pass { us });
        prop_assert!(!model.demand.has_news());
        prop_assert_eq!(model.demand.report(model.now(), false), []);
        let naive = model.keys.entry(name).or_default().clone();
        prop_assert_eq!(model.demand.report(model.now(), true), [report_of(name, &naive)]);
    }
}

#[test]
fn a_request_of_5_ms_between_two_reports_is_told() {
    let mut model = Model::new();
    model.report(false);
    model.on(Event::StartRunning("service/a/one"));
    model.on(Event::Pass { us: 5_400 });
    model.on(Event::EndRunning("service/a/one"));
    model.on(Event::Pass { us: 900_000 });
    model.report(false);
    let report = model.ledger.get(&Key::from("service/a/one")).unwrap();
    assert_eq!((report.started, report.ended, report.running), (1, 1, 0));
    assert_eq!(report.integral_ms, 5);
}

#[test]
fn what_is_below_a_microsecond_is_not_cut_off() {
    let (mut demand, key) = (Demand::default(), Key::from("service/a/one"));
    demand.start_running(Duration::ZERO, &key);
    for tick in 1..=10_000_u64 {
        let now = Duration::from_nanos(tick * 999);
        demand.start_running(now, &key);
        demand.end_running(now, &key);
    }
    let report = demand.report(Duration::from_millis(10), true);
    assert_eq!(report.first().map(|report| report.integral_ms), Some(10));
}

#[test]
fn an_end_without_a_start_is_counted_as_such() {
    let (mut demand, key) = (Demand::default(), Key::from("service/a/one"));
    demand.end_running(Duration::ZERO, &key);
    demand.start_held(Duration::ZERO, &key);
    demand.end_running(Duration::ZERO, &key);
    assert_eq!(demand.n_unmatched(), 2);
    assert_eq!(
        demand.totals(),
        Totals {
            held: 1,
            running: 0
        }
    );
}

#[test]
fn a_key_that_left_the_table_is_forgotten_once_it_is_zero_and_told() {
    let (mut demand, key) = (Demand::default(), Key::from("service/a/one"));
    demand.start_running(Duration::ZERO, &key);
    demand.retain(|_| false);
    demand.end_running(Duration::from_secs(1), &key);
    let told = demand.report(Duration::from_secs(1), false);
    assert_eq!(told.first().map(|report| report.integral_ms), Some(1_000));
    demand.acked();
    demand.start_running(Duration::from_secs(2), &key);
    let anew = demand.report(Duration::from_secs(2), false);
    assert_eq!(anew.first().map(|report| report.started), Some(1));
}

#[test]
fn a_key_that_comes_back_to_the_table_in_time_goes_on_where_it_was() {
    let (mut demand, mut key) = (Demand::default(), Key::from("service/a/one"));
    demand.start_running(Duration::ZERO, &key);
    demand.retain(|_| false);
    demand.place(&mut key);
    demand.end_running(Duration::from_secs(1), &key);
    demand.report(Duration::from_secs(1), false);
    demand.acked();
    demand.start_running(Duration::from_secs(2), &key);
    let told = demand.report(Duration::from_secs(2), false);
    assert_eq!(told.first().map(|report| report.started), Some(2));
}
