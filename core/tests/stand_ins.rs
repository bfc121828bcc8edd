//! Whatever a policy answers in place of a hold: every request that is to be counted is, once; what is not
//! to be counted never is; and nothing stays held beyond its deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use std::{borrow::Cow, sync::Arc, time::Duration};

use proptest::prelude::*;
use wakegate_core::{
    Action, Backend, BackendId, Body, Decision, HostMatch, Key, Limits, PathMatch, Placeholder,
    Policy, ProbeOutcome, Request, RequestHead, RequestId, RequestMatch, Route, RouteId,
    StaticAnswer, StaticRoute, TableUpdate, Target, Worker,
};

const START: Duration = Duration::from_secs(1_000);
const MAX_HELD: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A request, for a static route or not.
    Ask {
        is_static: bool,
    },
    /// One of the requests so far ends.
    End(u32),
    /// So many endpoints are ready.
    Word(u32),
    Pass {
        ms: u64,
    },
    Poll,
    Connected(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => prop::bool::weighted(0.2).prop_map(|is_static| Event::Ask { is_static }),
        4 => any::<u32>().prop_map(Event::End),
        2 => (0..3_u32).prop_map(Event::Word),
        4 => (0..1_500_u64).prop_map(|ms| Event::Pass { ms }),
        4 => Just(Event::Poll),
        1 => any::<bool>().prop_map(Event::Connected),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let timeout = prop::option::of(0..4_000_u64);
    (prop::option::of(any::<bool>()), any::<bool>(), timeout).prop_map(
        |(overflow_only, always, timeout)| Policy {
            hold_timeout: Duration::from_secs(2),
            max_held: MAX_HELD,
            request_timeout: timeout.map(Duration::from_millis),
            placeholder: overflow_only.map(|overflow_only| Placeholder {
                answer: answer(),
                overflow_only,
            }),
            static_routes: vec![StaticRoute {
                requests: vec![RequestMatch {
                    path_prefixes: vec!["/static".to_owned()],
                    ..RequestMatch::default()
                }],
                answer: answer(),
                always,
            }],
            ..Policy::default()
        },
    )
}

fn answer() -> Arc<StaticAnswer> {
    Arc::new(StaticAnswer {
        status: 503,
        headers: vec![],
        body: Body::Text("soon".to_owned()),
    })
}

struct Get(&'static [u8]);

impl RequestHead for Get {
    fn method(&self) -> Cow<'_, [u8]> {
        b"GET".into()
    }

    fn header(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl Request for Get {
    fn host(&self) -> Cow<'_, [u8]> {
        b"shop.test".into()
    }

    fn path(&self) -> Cow<'_, [u8]> {
        self.0.into()
    }

    fn cluster(&self) -> Option<Cow<'_, [u8]>> {
        Some(b"shop/web/80".into())
    }
}

struct Model {
    worker: Worker,
    now: Duration,
    policy: Policy,
    n_asked: u32,
    n_counted: u64,
}

impl Model {
    fn new(policy: Policy) -> Self {
        let limits = Limits {
            max_held: 100,
            probe: true,
        };
        let mut worker = Worker::new(START, limits);
        worker.set_connected(START, true);
        worker.report_opened();
        let mut model = Self {
            worker,
            now: START,
            policy,
            n_asked: 0,
            n_counted: 0,
        };
        let route = model.route();
        model.apply(vec![route], 0);
        model
    }

    fn route(&self) -> Route {
        Route {
            id: RouteId::from("HTTPRoute/shop/web/0/0"),
            created_ms: 0,
            listed: false,
            hosts: vec![HostMatch::Exact("shop.test".to_owned())],
            path: PathMatch::Prefix("/".to_owned()),
            method: None,
            headers: vec![],
            query: vec![],
            targets: vec![Target {
                backend: BackendId::new("shop", "web", 80),
                key: Key::service("shop", "web"),
                weight: 1,
            }],
            policy: Arc::new(self.policy.clone()),
        }
    }

    fn apply(&mut self, routes: Vec<Route>, ready_endpoints: u32) {
        let backend = Backend {
            ready_endpoints,
            ..Backend::asleep(BackendId::new("shop", "web", 80))
        };
        let update = TableUpdate {
            version: "v".to_owned(),
            routes,
            backends: vec![backend],
            ..TableUpdate::default()
        };
        self.worker.apply(self.now, update);
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Ask { is_static } => self.ask(is_static),
            Event::End(id) => {
                let id = id.checked_rem(self.n_asked).unwrap_or(0);
                self.worker.on_end(self.now, RequestId(id));
            }
            Event::Word(ready) => self.apply(vec![], ready),
            Event::Pass { ms } => self.now += Duration::from_millis(ms),
            Event::Poll => self.poll(),
            Event::Connected(is) => self.worker.set_connected(self.now, is),
        }
        assert!(self.worker.n_held() <= MAX_HELD);
    }

    fn ask(&mut self, is_static: bool) {
        let request = Get(if is_static { b"/static/a" } else { b"/" });
        let id = RequestId(self.n_asked);
        self.n_asked += 1;
        self.n_counted += u64::from(!is_static);
        let decision = self.worker.on_request(self.now, id, &request);
        match decision {
            Decision::Pass => assert_eq!(self.policy.request_timeout, None),
            Decision::PassWithin(left) => assert!(left.as_millis() >= 1),
            Decision::Hold | Decision::Answer(_) => assert!(!is_static),
            Decision::Reply(_) => assert!(is_static || self.policy.placeholder.is_some()),
        }
    }

    fn poll(&mut self) {
        for action in self.worker.poll(self.now, 16) {
            match action {
                Action::Resume { held, left, .. } => {
                    let limit = self.policy.hold_limit();
                    assert!(held.is_some_and(|held| held < limit));
                    assert_eq!(left.is_some(), self.policy.request_timeout.is_some());
                }
                Action::Probe { backend, .. } => {
                    self.worker
                        .on_probe(self.now, &backend, ProbeOutcome::Proof);
                }
                Action::Answer(..) => {}
                Action::Reconsider(id) => panic!("{id:?} waits for no table"),
            }
        }
    }

    /// Ends all that is under way, and tells what was counted.
    fn end(mut self) -> (u64, u64, u64) {
        for id in 0..self.n_asked {
            self.worker.on_end(self.now, RequestId(id));
        }
        assert_eq!(self.worker.n_held(), 0);
        let report = self.worker.next_report(self.now).unwrap();
        let key = report.keys.first();
        if let Some(key) = key {
            assert_eq!((key.held, key.running), (0, 0));
        }
        let counted = key.map_or((0, 0), |key| (key.started, key.ended));
        (counted.0, counted.1, self.n_counted)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn each_request_is_counted_once_or_never(
        policy in policy(),
        events in prop::collection::vec(event(), 0..200),
    ) {
        let mut model = Model::new(policy);
        for event in events {
            model.on(event);
        }
        let (started, ended, asked) = model.end();
        prop_assert_eq!((started, ended), (asked, asked));
    }

    #[test]
    fn every_hold_is_over_at_its_limit(
        policy in policy(),
        events in prop::collection::vec(event(), 0..200),
    ) {
        let limit = policy.hold_limit();
        let mut model = Model::new(policy);
        for event in events {
            model.on(event);
        }
        model.on(Event::Pass { ms: u64::try_from(limit.as_millis()).unwrap() });
        model.worker.poll(model.now, 16);
        prop_assert_eq!(model.worker.n_held(), 0);
    }
}
