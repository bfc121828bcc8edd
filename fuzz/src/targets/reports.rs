//! Reports of workers that lie, beside one that does not. Each is a field 1 of the input.

use std::time::Duration;

use wakegate_core::{Instance, Key, KeyReport, Ledger, Question, Report, Targets, scale};
use wakegate_wire::{Message as _, decode_report, v1};

use super::ensure;
use crate::{
    Form, Outcome, Target,
    mutate::{Field, Value, fields, write},
};

pub(super) const TARGET: Target = Target {
    name: "reports",
    form: Form::Protobuf,
    run,
    seeds,
};

/// Whose numbers must stay right.
const HONEST: &str = "honest";

fn seeds() -> Vec<Vec<u8>> {
    let key = v1::KeyReport {
        key: "service/shop/web".to_owned(),
        held: 1,
        running: 2,
        started: 5,
        ended: 2,
        shed: 0,
        integral_ms: 700,
    };
    let report = |worker: u32, sequence: u64| v1::ReportRequest {
        instance: Some(v1::Instance {
            proxy: "edge-1".to_owned(),
            worker,
            boot_id: 1_000,
            ..v1::Instance::default()
        }),
        sequence,
        full: sequence == 1,
        now_ms: 2_000 + sequence * 1_000,
        known_digest: Key::service("shop", "web").digest(),
        known_keys: vec!["service/shop/web".to_owned()],
        keys: vec![key.clone()],
    };
    vec![
        input(&[report(0, 1), report(0, 2), report(1, 1)]),
        input(&[report(0, 1), report(0, 3)]),
    ]
}

fn input(reports: &[v1::ReportRequest]) -> Vec<u8> {
    let fields = reports.iter().map(|report| Field {
        number: 1,
        value: Value::Bytes(report.encode_to_vec()),
    });
    write(&fields.collect::<Vec<_>>())
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let (mut ledger, mut now) = (Ledger::new(Duration::ZERO), Duration::from_mins(1));
    let (mut kind, mut n_taken, mut n_keys) = (Outcome::of("begin"), 0_usize, 1);
    let mut sequence = 0;
    for field in fields(input).unwrap_or_default() {
        let Value::Bytes(message) = field.value else {
            continue;
        };
        now += Duration::from_millis(500);
        sequence += 1;
        honest(&mut ledger, now, sequence)?;
        let Ok(request) = v1::ReportRequest::decode(message.as_slice()) else {
            continue;
        };
        let (instance, report) = match decode_report(request) {
            Ok((Some(instance), report)) => (instance, report),
            Ok((None, _)) => continue,
            Err(error) => {
                kind = Outcome::of(&error.to_string());
                continue;
            }
        };
        if is_about_the_honest(&instance, &report) {
            continue;
        }
        n_keys += report.keys.len();
        match ledger.apply(now, &instance, report) {
            Ok(applied) => n_taken += usize::from(applied.taken),
            Err(error) => kind = Outcome::of(&error.to_string()),
        }
        check(&ledger, now, sequence)?;
        ensure(ledger.n_keys() <= n_keys, || {
            "keys that nobody named".to_owned()
        })?;
    }
    // All fall silent, and are forgotten.
    let mut all = ledger.clone();
    all.merge(&ledger);
    ensure(all == ledger, || {
        "merged with itself it is another".to_owned()
    })?;
    now += Duration::from_mins(20);
    ledger.age(now);
    now += Duration::from_mins(20);
    ledger.age(now);
    ensure(ledger.n_live(now) == 0 && ledger.n_keys() == 0, || {
        format!("{} keys are left", ledger.n_keys())
    })?;
    Ok(kind.with(n_taken).with(n_keys))
}

fn key() -> Key {
    Key::service(HONEST, "web")
}

fn is_about_the_honest(instance: &Instance, report: &Report) -> bool {
    let known = report.known_keys.iter().flatten();
    let mut keys = report.keys.iter().map(|count| &count.key).chain(known);
    instance.proxy.as_ref() == HONEST || keys.any(|named| *named == key())
}

/// One held and two running, all the time.
fn honest(ledger: &mut Ledger, now: Duration, sequence: u64) -> Result<(), String> {
    let instance = Instance {
        proxy: HONEST.into(),
        worker: 0,
        boot_id: 60_000,
    };
    let count = KeyReport {
        key: key(),
        held: 1,
        running: 2,
        started: 3,
        ended: 0,
        shed: 0,
        integral_ms: sequence * 1_500,
    };
    let report = Report {
        sequence,
        full: sequence == 1,
        now,
        known_digest: key().digest(),
        known_keys: Some(vec![key()]),
        keys: vec![count],
    };
    let applied = ledger
        .apply(now, &instance, report)
        .map_err(|error| error.to_string())?;
    ensure(applied.taken, || "an honest report is no news".to_owned())
}

fn check(ledger: &Ledger, now: Duration, n_reports: u64) -> Result<(), String> {
    let in_flight = ledger.in_flight([&key()], now);
    ensure((in_flight.held, in_flight.running) == (1, 2), || {
        format!("{in_flight:?} of the honest")
    })?;
    let started = ledger.started([&key()], now, Duration::from_mins(1));
    ensure(started == 3, || format!("{started} of the honest started"))?;
    let mean = ledger.mean([&key()], now);
    let most = 3.0 + f64::EPSILON;
    ensure((0.0..=most).contains(&mean), || {
        format!("a mean of {mean} after {n_reports} honest reports")
    })?;
    ensure(ledger.knows(&key(), now), || {
        "the honest table is not known".to_owned()
    })?;
    // What everything together comes to is a number, whatever the liars say.
    let liars = [key(), Key::service("shop", "web")];
    let question = Question {
        now,
        window: Duration::from_secs(20),
        targets: Targets::default(),
    };
    let answer = format!("{:?}", scale(ledger, &liars, &question));
    ensure(!answer.contains("NaN") && !answer.contains("inf"), || {
        answer.clone()
    })
}
