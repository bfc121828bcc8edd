use std::time::Duration;

use super::*;
use crate::KeyReport;

const BOOT_MS: u64 = 1_000_000;

/// A worker, the ledger that hears it, and a clock that both go by.
struct Bench {
    ledger: Ledger,
    now: Duration,
    sequence: u64,
    worker: Instance,
}

impl Bench {
    /// A worker of this age meets a ledger that has listened for an hour.
    fn with_age(age: Duration) -> Self {
        let now = Duration::from_millis(BOOT_MS) + age;
        let ledger = Ledger::new(now.saturating_sub(secs(3_600)));
        let worker = Instance {
            proxy: "edge".into(),
            worker: 0,
            boot_id: BOOT_MS,
        };
        Self {
            ledger,
            now,
            sequence: 0,
            worker,
        }
    }

    fn young() -> Self {
        Self::with_age(Duration::ZERO)
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn report(&mut self, full: bool, keys: &[KeyReport]) -> Applied {
        self.sequence += 1;
        let report = Report {
            sequence: self.sequence,
            full,
            now: self.now,
            keys: keys.to_vec(),
            ..Report::default()
        };
        self.ledger.apply(self.now, &self.worker, report).unwrap()
    }

    fn started(&self, window: u64) -> u64 {
        self.ledger.started([&key()], self.now, secs(window))
    }

    fn mean(&self) -> f64 {
        self.ledger.mean([&key()], self.now)
    }

    fn in_flight(&self) -> (u64, u64) {
        let InFlight { held, running } = self.ledger.in_flight([&key()], self.now);
        (held, running)
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn key() -> Key {
    Key::service("shop", "web")
}

fn count(held: u32, running: u32, started: u64, integral_ms: u64) -> KeyReport {
    let ended = started - u64::from(held + running);
    KeyReport {
        key: key(),
        held,
        running,
        started,
        ended,
        shed: 0,
        integral_ms,
    }
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn the_first_request_of_a_new_worker_counts() {
    let mut bench = Bench::young();
    let applied = bench.pass(ms(700)).report(true, &[count(1, 0, 1, 5)]);
    assert_eq!(
        (applied.newly_held, applied.touched),
        (vec![key()], vec![key()])
    );
    assert_eq!(bench.in_flight(), (1, 0));
    assert_eq!(bench.started(20), 1);
}

#[test]
fn totals_of_an_old_worker_are_no_burst_for_a_new_scaler() {
    let mut bench = Bench::with_age(secs(3_600));
    bench.report(true, &[count(0, 0, 50_000, 1_000_000)]);
    assert_eq!(bench.started(60), 0);
    close(bench.mean(), 0.0);
    bench
        .pass(secs(1))
        .report(false, &[count(0, 0, 50_003, 1_000_015)]);
    assert_eq!(bench.started(60), 3);
    close(bench.mean(), 0.001);
}

#[test]
fn what_an_old_worker_has_under_way_makes_no_dip_for_a_new_scaler() {
    let mut bench = Bench::with_age(secs(3_600));
    bench.report(true, &[count(0, 4, 50_000, 1_000_000)]);
    assert_eq!(bench.started(20), 4);
    close(bench.mean(), 4.0);
}

#[test]
fn a_request_of_five_milliseconds_between_two_reports_is_seen_and_weighed() {
    let mut bench = Bench::young();
    bench.report(true, &[]);
    bench.pass(secs(500)).report(false, &[]);
    bench.pass(secs(1)).report(false, &[count(0, 0, 1, 5)]);
    assert_eq!(bench.in_flight(), (0, 0));
    assert_eq!(bench.started(20), 1);
    close(bench.mean(), 5.0 / 15_000.0);
    bench.pass(secs(8)).report(false, &[]);
    bench.pass(secs(8)).report(false, &[]);
    close(bench.mean(), 0.0);
    assert_eq!(bench.started(20), 1);
    bench.pass(secs(5)).report(false, &[]);
    assert_eq!(bench.started(20), 0);
}

#[test]
fn a_key_that_is_not_named_goes_on_as_it_was() {
    let mut bench = Bench::young();
    bench.report(true, &[count(0, 3, 3, 0)]);
    for _ in 0..40 {
        bench.pass(secs(1)).report(false, &[]);
    }
    close(bench.mean(), 3.0);
    assert_eq!(bench.started(20), 0);
    // In the last second one of them ended after 400 ms.
    bench
        .pass(secs(1))
        .report(false, &[count(0, 2, 3, 40 * 3_000 + 2_400)]);
    close(bench.mean(), (14.0 * 3.0 + 2.4) / 15.0);
}

#[test]
fn a_sequence_number_seen_before_changes_nothing() {
    let mut bench = Bench::young();
    bench.report(true, &[count(1, 0, 1, 0)]);
    bench.report(false, &[count(2, 0, 2, 10)]);
    let before = bench.ledger.clone();
    for sequence in [2, 1] {
        let report = Report {
            sequence,
            full: true,
            now: bench.now,
            keys: vec![],
            ..Report::default()
        };
        let applied = bench
            .ledger
            .apply(bench.now, &bench.worker, report)
            .unwrap();
        assert_eq!(
            applied,
            Applied {
                sequence: 2,
                ..Applied::default()
            }
        );
    }
    assert_eq!(bench.ledger, before);
}

#[test]
fn what_a_full_report_does_not_name_is_zero() {
    let mut bench = Bench::young();
    bench.report(true, &[count(1, 1, 2, 0)]);
    let applied = bench.pass(secs(1)).report(true, &[]);
    assert_eq!(applied.touched, [key()]);
    assert_eq!(bench.in_flight(), (0, 0));
    assert_eq!(bench.started(20), 2, "what started, started");
}

#[test]
fn a_new_boot_starts_fresh_and_its_first_starts_count() {
    let mut bench = Bench::young();
    bench.report(true, &[count(7, 0, 7, 0)]);
    bench.pass(secs(2));
    bench.worker.boot_id += 2_000;
    bench.sequence = 0;
    bench.report(true, &[count(1, 0, 1, 0)]);
    assert_eq!(bench.in_flight(), (1, 0));
    assert_eq!(bench.started(20), 8);
}

#[test]
fn an_earlier_boot_is_not_news_before_the_later_one_is_silent() {
    let mut bench = Bench::young();
    bench.report(true, &[count(1, 0, 1, 0)]);
    bench.worker.boot_id -= 1;
    let earlier = Report {
        sequence: 9,
        full: true,
        now: bench.now,
        ..Report::default()
    };
    let refused = bench.ledger.apply(bench.now, &bench.worker, earlier);
    assert_eq!(refused, Err(LedgerError::EarlierLife));
    bench.pass(secs(11));
    bench.ledger.age(bench.now);
    assert!(bench.report(true, &[count(2, 0, 2, 0)]).taken);
    assert_eq!(bench.in_flight(), (2, 0));
}

#[test]
fn a_silent_worker_ages_out_but_its_starts_stay_for_the_window() {
    let mut bench = Bench::young();
    bench.report(true, &[count(1, 0, 1, 0)]);
    bench.pass(secs(10));
    assert_eq!(bench.ledger.age(bench.now), Aged::default());
    assert_eq!(bench.in_flight(), (1, 0));
    bench.pass(ms(1));
    let aged = bench.ledger.age(bench.now);
    assert_eq!(
        aged,
        Aged {
            n_silent: 1,
            touched: vec![key()]
        }
    );
    assert_eq!(bench.in_flight(), (0, 0));
    assert_eq!(bench.ledger.n_live(bench.now), 0);
    assert_eq!(bench.started(20), 1);
    bench.pass(secs(60));
    bench.ledger.age(bench.now);
    assert_eq!(
        bench.ledger,
        Ledger::new(bench.ledger.since),
        "nothing of it is left"
    );
}

#[test]
fn a_worker_that_returns_with_the_same_boot_continues() {
    let mut bench = Bench::young();
    bench.report(true, &[count(0, 1, 1, 0)]);
    bench.pass(secs(12));
    bench.ledger.age(bench.now);
    assert_eq!(bench.in_flight(), (0, 0));
    bench.report(true, &[count(0, 1, 4, 13_000)]);
    assert_eq!(bench.in_flight(), (0, 1));
    assert_eq!(bench.started(20), 4);
    close(bench.mean(), 13.0 / 15.0);
}

#[test]
fn a_step_of_the_workers_clock_does_not_spoil_the_mean() {
    let mut bench = Bench::young();
    bench.report(true, &[count(0, 2, 2, 0)]);
    for hours_off in [1, 0] {
        bench.pass(secs(1));
        bench.sequence += 1;
        let report = Report {
            sequence: bench.sequence,
            now: bench.now + secs(3_600 * hours_off),
            keys: vec![count(0, 2, 2, 7_200_000)],
            ..Report::default()
        };
        bench
            .ledger
            .apply(bench.now, &bench.worker, report)
            .unwrap();
    }
    close(bench.mean(), 2.0 * 2.0 / 15.0);
}

#[test]
fn a_key_is_known_when_a_live_workers_table_has_it() {
    let mut bench = Bench::young();
    let digest = key().digest();
    let with = |bench: &mut Bench, known_keys: Option<Vec<Key>>| {
        bench.sequence += 1;
        let (sequence, now) = (bench.sequence, bench.now);
        let report = Report {
            sequence,
            now,
            known_digest: digest,
            known_keys,
            ..Report::default()
        };
        bench.ledger.apply(now, &bench.worker, report)
    };
    assert!(with(&mut bench, None).unwrap().wants_keys);
    assert!(
        !with(&mut bench, None).unwrap().wants_keys,
        "asked a moment ago"
    );
    assert!(!bench.ledger.knows(&key(), bench.now));
    let lie = vec![Key::service("shop", "other")];
    assert_eq!(with(&mut bench, Some(lie)), Err(LedgerError::WrongDigest));
    assert!(with(&mut bench, Some(vec![key()])).unwrap().table_changed);
    assert!(bench.ledger.knows(&key(), bench.now));
    assert!(
        !bench
            .ledger
            .knows(&Key::service("shop", "other"), bench.now)
    );
    bench.pass(secs(11));
    assert!(
        !bench.ledger.knows(&key(), bench.now),
        "the only one that knew is silent"
    );
}

#[test]
fn a_table_that_was_expected_is_not_asked_for() {
    let mut bench = Bench::young();
    let keys = [key(), Key::service("shop", "api")];
    bench.ledger.expect_table(&keys);
    let known_digest = keys[0].digest().wrapping_add(keys[1].digest());
    let report = Report {
        sequence: 1,
        now: bench.now,
        known_digest,
        ..Report::default()
    };
    let applied = bench
        .ledger
        .apply(bench.now, &bench.worker, report)
        .unwrap();
    assert!(!applied.wants_keys);
    assert!(bench.ledger.knows(&keys[1], bench.now));
}

#[test]
fn excess_is_refused_and_nothing_of_it_stored() {
    let mut bench = Bench::young();
    let before = bench.ledger.clone();
    let named = |n: usize| {
        let of = |n| KeyReport {
            key: format!("service/ns/{n}").as_str().into(),
            ..count(0, 0, 0, 0)
        };
        (0..n).map(of).collect::<Vec<_>>()
    };
    let mut check = |proxy: &str, keys: Vec<KeyReport>, expected: LedgerError| {
        let worker = Instance {
            proxy: proxy.into(),
            ..bench.worker.clone()
        };
        let report = Report {
            sequence: 1,
            full: true,
            now: bench.now,
            keys,
            ..Report::default()
        };
        assert_eq!(
            bench.ledger.apply(bench.now, &worker, report),
            Err(expected)
        );
    };
    check("", vec![], LedgerError::NoProxyName);
    check(&"x".repeat(600), vec![], LedgerError::ProxyNameTooLong(600));
    let long = KeyReport {
        key: "k".repeat(401).as_str().into(),
        ..count(0, 0, 0, 0)
    };
    check("edge", vec![long], LedgerError::KeyLength(401));
    check("edge", named(20_001), LedgerError::TooManyKeys(20_001));
    assert_eq!(bench.ledger, before);

    bench.report(true, &named(20_000));
    bench.sequence += 1;
    let more = Report {
        sequence: 2,
        keys: vec![count(0, 0, 0, 0)],
        ..Report::default()
    };
    let refused = bench.ledger.apply(bench.now, &bench.worker, more);
    assert_eq!(refused, Err(LedgerError::TooManyKeys(20_001)));
}

#[test]
fn history_that_nobody_can_ask_for_is_given_back() {
    let mut bench = Bench::young();
    for second in 1..=300 {
        bench
            .pass(secs(1))
            .report(second == 1, &[count(0, 0, second, second * 5)]);
    }
    assert_eq!(bench.started(60), 60);
    bench.ledger.remember(secs(120));
    for second in 301..=500 {
        bench
            .pass(secs(1))
            .report(false, &[count(0, 0, second, second * 5)]);
    }
    assert_eq!(bench.started(120), 120);
    bench.pass(secs(5)).report(true, &[]);
    for _ in 0..14 {
        bench.pass(secs(9)).report(false, &[]);
        bench.ledger.age(bench.now);
    }
    assert_eq!(bench.ledger.n_keys(), 0);
}
