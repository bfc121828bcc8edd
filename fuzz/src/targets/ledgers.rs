//! What another replica of the scaler tells. Each message is a field 1 of the input. Numbers of a worker that it says
//! nothing of stay right, and what is taken in can be told on.

use std::time::Duration;

use wakegate_core::{
    Instance, Key, KeyReport, Ledger, Page, PeerId, Question, Report, Sample, Targets, scale,
};
use wakegate_wire::{
    Message as _, Pages, Tables, decode_relayed, encode_page, encode_relayed, encode_table, v1,
};

use super::ensure;
use crate::{
    Form, Outcome, Target,
    mutate::{Field, Value, fields, write},
};

pub(super) const TARGET: Target = Target {
    name: "ledgers",
    form: Form::Protobuf,
    run,
    seeds,
};

/// Whose numbers must stay right.
const HONEST: &str = "honest";

const NOW: Duration = Duration::from_hours(24);

fn seeds() -> Vec<Vec<u8>> {
    let worker = |worker| Instance {
        proxy: "edge-1".into(),
        worker,
        boot_id: 1_000,
    };
    let sample = |second: u64| Sample {
        at: 3_600_000 + second * 1_000,
        started: second,
        integral: second * 700,
    };
    let count = wakegate_core::PageCount {
        key: Key::service("shop", "web"),
        held: 1,
        running: 2,
        started: 9,
        integral_ms: 700,
        samples: (0..5).map(sample).collect(),
    };
    let page = Page {
        instance: worker(0),
        sequence: 4,
        line: 3_605_000,
        known_digest: Key::service("shop", "web").digest(),
        is_here: true,
        counts: vec![count],
        ..Page::default()
    };
    let opening = v1::FollowResponse {
        pages: encode_page(page),
        tables: encode_table(&[Key::service("shop", "web")]),
        ..v1::FollowResponse::default()
    };
    let report = Report {
        sequence: 5,
        full: true,
        now: Duration::from_secs(9),
        keys: vec![counts("shop", 1)],
        ..Report::default()
    };
    let relay = v1::Relayed {
        report: encode_relayed(&worker(1), &report),
        age_ms: 20,
    };
    let relayed = v1::FollowResponse {
        relayed: vec![relay],
        ..v1::FollowResponse::default()
    };
    let message = |message: &v1::FollowResponse| Field {
        number: 1,
        value: Value::Bytes(message.encode_to_vec()),
    };
    vec![
        write(&[message(&opening), message(&relayed)]),
        write(&[message(&relayed), message(&opening)]),
    ]
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let mut ledger = Ledger::new(NOW.saturating_sub(Duration::from_mins(1)));
    let peer = ledger.peers_mut().add(NOW, "other");
    let honest = Instance {
        proxy: HONEST.into(),
        worker: 0,
        boot_id: 60_000,
    };
    let report = Report {
        sequence: 1,
        full: true,
        now: Duration::from_mins(1),
        keys: vec![counts(HONEST, 1)],
        ..Report::default()
    };
    let applied = ledger.apply(NOW, &honest, report);
    applied.map_err(|error| error.to_string())?;
    let (mut pages, mut tables) = (Pages::default(), Tables::default());
    let (mut kind, mut n_taken) = (Outcome::of("begin"), 0);
    for field in fields(input).unwrap_or_default() {
        let Value::Bytes(message) = field.value else {
            continue;
        };
        let Ok(message) = v1::FollowResponse::decode(message.as_slice()) else {
            continue;
        };
        match take(&mut ledger, peer, (&mut pages, &mut tables), message) {
            Ok(n) => n_taken += n,
            // The stream ends.
            Err(error) => {
                kind = Outcome::of(&error);
                break;
            }
        }
    }
    check(&ledger)?;
    tell_on(&ledger)?;
    Ok(kind.with(n_taken).with(ledger.n_keys()))
}

fn take(
    ledger: &mut Ledger,
    peer: PeerId,
    (pages, tables): (&mut Pages, &mut Tables),
    message: v1::FollowResponse,
) -> Result<usize, String> {
    let mut n_taken = 0;
    for relayed in message.relayed {
        let (instance, report) = decode_relayed(relayed.report).map_err(|e| e.to_string())?;
        let named = report.keys.iter().any(|count| count.key == key(HONEST));
        if named || instance.proxy.as_ref() == HONEST {
            continue;
        }
        let at = NOW.saturating_sub(Duration::from_millis(relayed.age_ms));
        let applied = ledger.apply_relayed(at, peer, &instance, report);
        n_taken += usize::from(applied.map_err(|e| e.to_string())?.taken);
    }
    for part in message.pages {
        let Some(page) = pages.push(part).map_err(|e| e.to_string())? else {
            continue;
        };
        let named = page.counts.iter().any(|count| count.key == key(HONEST));
        if named || page.instance.proxy.as_ref() == HONEST {
            continue;
        }
        let applied = ledger.import(NOW, peer, page);
        n_taken += usize::from(applied.map_err(|e| e.to_string())?.taken);
    }
    for part in &message.tables {
        if let Some(keys) = tables.push(part).map_err(|e| e.to_string())? {
            ledger.import_table(&keys).map_err(|e| e.to_string())?;
        }
    }
    Ok(n_taken)
}

fn check(ledger: &Ledger) -> Result<(), String> {
    for later in [0, 1_000, 9_000] {
        let now = NOW + Duration::from_millis(later);
        let in_flight = ledger.in_flight([&key(HONEST)], now);
        ensure((in_flight.held, in_flight.running) == (1, 2), || {
            format!("{in_flight:?} of the honest")
        })?;
        let question = Question {
            now,
            window: Duration::from_secs(20),
            targets: Targets::default(),
        };
        let both = [key(HONEST), key("shop")];
        let answer = format!("{:?}", scale(ledger, &both, &question));
        ensure(!answer.contains("NaN") && !answer.contains("inf"), || {
            answer.clone()
        })?;
    }
    Ok(())
}

/// What was taken in, a third replica takes in as well, and has the same.
fn tell_on(ledger: &Ledger) -> Result<(), String> {
    let mut third = Ledger::new(NOW);
    let peer = third.peers_mut().add(NOW, "this one");
    let mut parts = Pages::default();
    for worker in ledger.workers() {
        let page = ledger.page(worker, NOW).ok_or("a worker without a page")?;
        for part in encode_page(page.clone()) {
            if let Some(page) = parts.push(part).map_err(|error| error.to_string())? {
                let applied = third.import(NOW, peer, page);
                applied.map_err(|error| format!("its own page: {error}"))?;
            }
        }
    }
    for name in [HONEST, "shop"] {
        let (here, there) = (
            ledger.in_flight([&key(name)], NOW),
            third.in_flight([&key(name)], NOW),
        );
        ensure(here == there, || format!("{here:?} is {there:?} elsewhere"))?;
    }
    Ok(())
}

fn key(namespace: &str) -> Key {
    Key::service(namespace, "web")
}

fn counts(namespace: &str, held: u32) -> KeyReport {
    KeyReport {
        key: key(namespace),
        held,
        running: 2,
        started: 3,
        ended: 0,
        shed: 0,
        integral_ms: 10,
    }
}
