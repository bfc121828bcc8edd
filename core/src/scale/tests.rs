use std::time::Duration;

use super::*;
use crate::{Instance, KeyReport, Report};

mod book;
mod pushes;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn workload(name: &str, keys: &[&str]) -> Workload {
    let alias = |kind: &str, name: String| Alias {
        kind: kind.to_owned(),
        name,
    };
    Workload {
        id: format!("shop/Deployment/{name}"),
        namespace: "shop".to_owned(),
        keys: keys.iter().map(|key| Key::from(*key)).collect(),
        aliases: vec![
            alias("workload", format!("Deployment/{name}")),
            alias("workload", name.to_owned()),
            alias("service", name.to_owned()),
        ],
        targets: Targets::default(),
        ready_endpoints: 0,
        replicas: Some(0),
    }
}

/// A ledger that a worker with a table of `table` told of `counts` (held, running, started), at 100 s.
fn ledger(since: Duration, table: &[&str], counts: &[(&str, u32, u32, u64)]) -> Ledger {
    let mut ledger = Ledger::new(since);
    let worker = Instance {
        proxy: "edge".into(),
        worker: 0,
        boot_id: 99_000,
    };
    let table: Vec<Key> = table.iter().map(|key| Key::from(*key)).collect();
    let count = |(key, held, running, started): &(&str, u32, u32, u64)| KeyReport {
        key: Key::from(*key),
        held: *held,
        running: *running,
        started: *started,
        ended: 0,
        shed: 0,
        integral_ms: 0,
    };
    let report = Report {
        sequence: 1,
        full: true,
        now: secs(100),
        known_digest: table
            .iter()
            .fold(0, |sum, key| sum.wrapping_add(key.digest())),
        known_keys: Some(table),
        keys: counts.iter().map(count).collect(),
    };
    ledger.apply(secs(100), &worker, report).unwrap();
    ledger
}

const WINDOW: Duration = Duration::from_secs(20);

fn ask(ledger: &Ledger, workload: &Workload, now: Duration) -> Scale {
    let question = Question {
        now,
        window: WINDOW,
        targets: workload.targets,
    };
    scale(ledger, &workload.keys, &question)
}

#[test]
fn one_sum_for_all_keys_of_a_workload() {
    let ledger = ledger(
        secs(0),
        &["a", "b"],
        &[("a", 2, 1, 3), ("b", 0, 4, 4), ("c", 9, 9, 18)],
    );
    let Scale::Active(reading) = ask(&ledger, &workload("web", &["a", "b"]), secs(100)) else {
        panic!("active");
    };
    assert_eq!((reading.held, reading.running), (2, 5));
    assert!(
        (reading.concurrency - 2.0).abs() < 1e-9,
        "never below what is held now"
    );
    assert!((reading.rate - 7.0 / 60.0).abs() < 1e-9);
}

#[test]
fn a_start_is_activity_for_the_window_and_then_idle() {
    let mut ledger = ledger(secs(0), &["a"], &[("a", 0, 0, 1)]);
    let web = workload("web", &["a"]);
    let worker = Instance {
        proxy: "edge".into(),
        worker: 0,
        boot_id: 99_000,
    };
    for second in 101..140 {
        let now = secs(second);
        let known_digest = Key::from("a").digest();
        let report = Report {
            sequence: second,
            now,
            known_digest,
            ..Report::default()
        };
        ledger.apply(now, &worker, report).unwrap();
        let scale = ask(&ledger, &web, now);
        match second {
            ..120 => assert!(matches!(scale, Scale::Active(_)), "{second}: {scale:?}"),
            120 => {}
            121.. => assert!(matches!(scale, Scale::Idle(_)), "{second}: {scale:?}"),
        }
    }
}

#[test]
fn silence_is_not_idleness() {
    let unknown = |ledger: &Ledger, keys: &[&str], now| match ask(
        ledger,
        &workload("web", keys),
        secs(now),
    ) {
        Scale::Unknown(unknown) => unknown,
        other @ (Scale::Idle(_) | Scale::Active(_)) => panic!("{other:?}"),
    };
    let knowing = ledger(secs(0), &["a"], &[]);
    assert_eq!(unknown(&knowing, &[], 100), Unknown::NoKeys);
    assert_eq!(
        unknown(&knowing, &["a", "b"], 100),
        Unknown::NoWorker("b".into())
    );
    assert_eq!(
        unknown(&knowing, &["a"], 111),
        Unknown::NoWorker("a".into())
    );
    let fresh = ledger(secs(98), &["a"], &[]);
    assert_eq!(unknown(&fresh, &["a"], 103), Unknown::Settling);
    assert!(matches!(
        ask(&fresh, &workload("web", &["a"]), secs(104)),
        Scale::Idle(_)
    ));
}

#[test]
fn demand_is_a_fact_even_of_a_key_that_no_table_has() {
    let ledger = ledger(secs(99), &[], &[("a", 1, 0, 1)]);
    let web = workload("web", &["a", "b"]);
    assert!(matches!(ask(&ledger, &web, secs(100)), Scale::Active(_)));
}

#[test]
fn there_is_always_a_metric() {
    let metrics = |concurrency, rate| {
        let targets = Targets {
            concurrency,
            rate,
            ..Targets::default()
        };
        targets
            .metrics()
            .into_iter()
            .map(|(metric, target)| (metric.name(), target))
            .collect()
    };
    let check = |concurrency, rate, expected: &[(&str, f64)]| {
        let found: Vec<_> = metrics(concurrency, rate);
        assert_eq!(found, expected);
    };
    check(None, None, &[("concurrency", 100.0)]);
    check(Some(7.0), None, &[("concurrency", 7.0)]);
    check(None, Some(3.5), &[("rate", 3.5)]);
    check(Some(7.0), Some(3.5), &[("concurrency", 7.0), ("rate", 3.5)]);
    check(Some(f64::NAN), Some(-1.0), &[("concurrency", 100.0)]);
    for metric in [Metric::Concurrency, Metric::Rate] {
        assert_eq!(Metric::from_name(metric.name()), Some(metric));
    }
    assert_eq!(Metric::from_name("s0-rate"), None);
}

#[test]
fn a_window_is_the_polling_interval_and_five_seconds() {
    assert_eq!(active_window(NonZeroU32::new(15)), secs(20));
    assert_eq!(active_window(None), secs(35));
}

#[test]
fn a_rate_is_right_whatever_its_window_and_granularity() {
    let mut ledger = ledger(secs(0), &["a"], &[]);
    let mut web = workload("web", &["a"]);
    let worker = Instance {
        proxy: "edge".into(),
        worker: 0,
        boot_id: 99_000,
    };
    ledger.remember(secs(3_600));
    let n_secs = 4_000;
    for second in 1..=n_secs {
        let now = secs(100 + second);
        let count = KeyReport {
            key: "a".into(),
            held: 0,
            running: 0,
            started: second * 10,
            ended: second * 10,
            shed: 0,
            integral_ms: 0,
        };
        let report = Report {
            sequence: 1 + second,
            now,
            keys: vec![count],
            ..Report::default()
        };
        ledger.apply(now, &worker, report).unwrap();
    }
    let mut check = |window: Duration, granularity: Duration, expected: f64| {
        web.targets.rate_window = window;
        web.targets.rate_granularity = granularity;
        let Scale::Active(reading) = ask(&ledger, &web, secs(100 + n_secs)) else {
            panic!("active");
        };
        let error = (reading.rate / expected - 1.0).abs();
        assert!(error < 1e-3, "{window:?} {granularity:?}: {}", reading.rate);
    };
    let ms = Duration::from_millis;
    check(secs(60), secs(1), 10.0);
    check(secs(60), ms(500), 5.0);
    check(secs(60), ms(1), 0.01);
    check(secs(60), ms(1_500), 15.0);
    check(secs(10), secs(60), 600.0);
    check(secs(600), secs(1), 10.0);
    // Shorter than the time between two reports.
    check(ms(100), secs(1), 10.0);
    // Longer than what is remembered.
    check(secs(2_001), secs(1), 10.0);
    check(secs(3_600), secs(10), 100.0);
}
