//! Updates of the table, one after the other on one stream, as the filter takes them in. Each is a field 1 of the
//! input, so that all are one message to change.

use std::time::Duration;

use wakegate_core::{Action, Decision, Limits, RequestId, Route, RouteTable, Worker};
use wakegate_wire::{Assembler, Message as _, v1};

use super::{ensure, lookup};
use crate::{
    Form, Outcome, Target,
    mutate::{Field, Value, fields, write},
    random::Request,
};

pub(super) const TARGET: Target = Target {
    name: "updates",
    form: Form::Protobuf,
    run,
    seeds,
};

/// Actions in one call, as the filter has it.
const BUDGET: usize = 16;

/// Routes whose requests are asked for: each asks all routes one after the other.
const MAX_ASKED: usize = 24;

fn seeds() -> Vec<Vec<u8>> {
    let full = whole();
    let backend = full.backends.first().cloned().unwrap_or_default();
    let ready = v1::Update {
        last: true,
        version: "bb".to_owned(),
        removed_routes: vec!["HTTPRoute/shop/web/0/0".to_owned()],
        backends: vec![v1::Backend {
            ready_endpoints: 2,
            ..backend
        }],
        ..v1::Update::default()
    };
    let first = v1::Update {
        last: false,
        ..full.clone()
    };
    vec![
        input(&[full.clone(), ready.clone()]),
        input(&[first, ready]),
        input(&[full]),
    ]
}

/// A table with a route of each kind.
fn whole() -> v1::Update {
    let exact = v1::path_match::Path::Exact("/a".to_owned());
    let prefix = v1::path_match::Path::Prefix("/a".to_owned());
    let regex = v1::path_match::Path::Regex("/[a-z]+/.*".to_owned());
    let root = v1::path_match::Path::Prefix("/".to_owned());
    v1::Update {
        full: true,
        last: true,
        version: "aa".to_owned(),
        routes: vec![
            route(0, "a.test", exact),
            route(1, "*.a.test", prefix),
            route(2, "*.test", regex),
            v1::Route {
                headers: vec![],
                query: vec![],
                ..route(3, "a.test", root)
            },
        ],
        backends: vec![v1::Backend {
            id: "shop/web/80".to_owned(),
            ..v1::Backend::default()
        }],
        ..v1::Update::default()
    }
}

fn route(number: u32, host: &str, path: v1::path_match::Path) -> v1::Route {
    v1::Route {
        id: format!("HTTPRoute/shop/web/{number}/0"),
        created_ms: u64::from(number),
        listed: false,
        hosts: vec![host.to_owned()],
        path: Some(v1::PathMatch { path: Some(path) }),
        method: if number == 2 { "GET" } else { "" }.to_owned(),
        headers: vec![v1::HeaderMatch {
            name: "x-a".to_owned(),
            value: Some(v1::header_match::Value::Regex("[a-z]*".to_owned())),
        }],
        query: vec![v1::QueryMatch {
            name: "q".to_owned(),
            value: "1".to_owned(),
        }],
        targets: vec![v1::Target {
            backend: "shop/web/80".to_owned(),
            key: "service/shop/web".to_owned(),
            weight: 1,
        }],
        policy: Some(v1::Policy {
            hold_timeout_ms: 1_000,
            max_held: 2,
            no_wake: vec![v1::NoWake {
                status: 204,
                what: Some(v1::no_wake::What::PathPrefix("/healthz".to_owned())),
            }],
            request_timeout_ms: (number == 1).then_some(700),
            placeholder: (number != 3).then(|| v1::Placeholder {
                answer: Some(answer(v1::static_answer::Body::Text("soon".to_owned()))),
                overflow_only: number != 2,
            }),
            static_routes: vec![static_route()],
            ..v1::Policy::default()
        }),
        ..v1::Route::default()
    }
}

fn static_route() -> v1::StaticRoute {
    let file = v1::File {
        path: "index.html".to_owned(),
        content_type: Some("text/html".to_owned()),
        text: "<p>".to_owned(),
    };
    let files = v1::Files { files: vec![file] };
    v1::StaticRoute {
        requests: vec![v1::RequestMatch {
            hosts: vec!["*.a.test".to_owned()],
            path_prefixes: vec!["/a/b".to_owned()],
            headers: vec![v1::HeaderMatch {
                name: "x-a".to_owned(),
                value: Some(v1::header_match::Value::Present(true)),
            }],
            ..v1::RequestMatch::default()
        }],
        answer: Some(answer(v1::static_answer::Body::ByPath(files))),
        always: true,
    }
}

fn answer(body: v1::static_answer::Body) -> v1::StaticAnswer {
    v1::StaticAnswer {
        status: 202,
        headers: vec![v1::Header {
            name: "x-b".to_owned(),
            value: "1".to_owned(),
        }],
        body: Some(body),
    }
}

fn input(updates: &[v1::Update]) -> Vec<u8> {
    let fields = updates.iter().map(|update| Field {
        number: 1,
        value: Value::Bytes(update.encode_to_vec()),
    });
    write(&fields.collect::<Vec<_>>())
}

fn run(input: &[u8]) -> Result<Outcome, String> {
    let mut worker = Worker::new(
        Duration::ZERO,
        Limits {
            max_held: 10,
            probe: true,
        },
    );
    let (mut assembler, mut now) = (Assembler::default(), Duration::ZERO);
    let mut kind = Outcome::of("begin");
    for field in fields(input).unwrap_or_default() {
        let Value::Bytes(message) = field.value else {
            continue;
        };
        now += Duration::from_millis(400);
        let before = (worker.version().map(str::to_owned), ids(&worker));
        let Ok(update) = v1::Update::decode(message.as_slice()) else {
            continue;
        };
        match assembler.push(update) {
            Ok(Some(update)) => worker.apply(now, update),
            Ok(None) => {}
            Err(error) => {
                kind = Outcome::of(&error.source.to_string());
                let after = (worker.version().map(str::to_owned), ids(&worker));
                ensure(before == after, || {
                    "a refused update changed something".to_owned()
                })?;
            }
        }
        check_lookups(&worker)?;
        serve(&mut worker, &mut now)?;
    }
    // Whatever it was refused, a whole table is taken, and only that is there.
    let update = Assembler::default()
        .push(whole())
        .map_err(|error| error.to_string())?;
    worker.apply(now, update.ok_or("it is whole")?);
    ensure(ids(&worker).len() == 4, || {
        "more than the last table".to_owned()
    })?;
    Ok(kind.with(input.len()).with(ids(&worker).len()))
}

fn ids(worker: &Worker) -> Vec<String> {
    worker
        .routes()
        .map(|route| route.id.as_str().to_owned())
        .collect()
}

/// The table that the worker has finds what the rules say.
fn check_lookups(worker: &Worker) -> Result<(), String> {
    let routes: Vec<Route> = worker.routes().cloned().collect();
    let mut table = RouteTable::default();
    table.replace(routes.clone());
    for request in routes.iter().take(MAX_ASKED).flat_map(lookup::requests_for) {
        lookup::agree(&table, &request)?;
    }
    Ok(())
}

/// Envoy is given nothing that it could not send.
fn check_answer(decision: &Decision) -> Result<(), String> {
    let status = match decision {
        Decision::Pass | Decision::PassWithin(_) | Decision::Hold => return Ok(()),
        Decision::Answer(answer) => answer.render(None, None).status,
        Decision::Reply(reply) => {
            let parts = reply.parts();
            let breaks_line = |text: &str| text.contains(['\r', '\n', '\0']);
            for (name, value) in parts.headers {
                let is_wrong = name.is_empty() || name.contains(':');
                ensure(
                    !is_wrong && !breaks_line(name) && !breaks_line(value),
                    || format!("header {name:?} is {value:?}"),
                )?;
            }
            parts.status
        }
    };
    ensure((200..600).contains(&status), || {
        format!("an answer of {status}")
    })
}

/// Some requests come, wait, are let go or answered, and end; then nothing is held any more.
fn serve(worker: &mut Worker, now: &mut Duration) -> Result<(), String> {
    let routes: Vec<Route> = worker.routes().take(MAX_ASKED).cloned().collect();
    let requests: Vec<Request> = routes.iter().flat_map(lookup::requests_for).collect();
    let mut ids = Vec::new();
    for (request, id) in requests.iter().zip(0..) {
        let decision = worker.on_request(*now, RequestId(id), &lookup::Head(request));
        check_answer(&decision)?;
        ids.push(RequestId(id));
    }
    ensure(worker.n_held() <= 10, || {
        format!("{} are held", worker.n_held())
    })?;
    for _ in 0..4 {
        let actions = worker.poll(*now, BUDGET);
        let n_actions = actions
            .iter()
            .filter(|action| !matches!(action, Action::Probe { .. }));
        ensure(n_actions.count() <= BUDGET, || {
            "too many actions".to_owned()
        })?;
        *now += Duration::from_millis(100);
    }
    drop(worker.next_report(*now));
    for id in ids {
        worker.on_end(*now, id);
    }
    ensure(worker.n_held() == 0, || {
        format!("{} are still held", worker.n_held())
    })
}
