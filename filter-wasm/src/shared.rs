//! What a root and its requests share: the worker, and how its answers are carried out.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use wakegate_core::{
    Action, Answer, BackendId, Clock, Decision, Limits, Look, ProbeOutcome, RequestId, TimeLeft,
    Worker,
};
use wakegate_wire::PluginConfig;

use crate::{head::Head, host, stats::Stats, streams::DemandStream};

/// Resumes and replies in one VM call. They run nested once the call returns: 100 replies were seen to
/// work, 400 to end in a dead VM.
const MAX_ACTIONS: usize = 16;

/// The tick while something is left over or due soon.
const FAST_TICK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root_id: u32,
    pub(crate) config: PluginConfig,
    pub(crate) worker: RefCell<Worker>,
    pub(crate) demand: DemandStream,
    pub(crate) stats: Stats,
    clock: Cell<Clock>,
    probes: RefCell<HashMap<u32, BackendId>>,
    tick: Cell<Duration>,
}

impl Shared {
    pub(crate) fn new(root_id: u32, config: PluginConfig) -> Rc<Self> {
        let limits = Limits {
            max_held: config.max_held,
            probe: config.probe.enabled,
        };
        let mut clock = Clock::default();
        let now = clock.read(host::now());
        // The first tick opens the streams.
        host::set_tick(FAST_TICK);
        Rc::new(Self {
            root_id,
            worker: RefCell::new(Worker::new(now, limits)),
            demand: DemandStream::default(),
            stats: Stats::define(),
            clock: Cell::new(clock),
            probes: RefCell::default(),
            tick: Cell::new(FAST_TICK),
            config,
        })
    }

    pub(crate) fn now(&self) -> Duration {
        let mut clock = self.clock.get();
        let now = clock.read(host::now());
        self.clock.set(clock);
        now
    }

    /// What is to be done with the request of the effective context.
    pub(crate) fn decide(&self, id: u32) -> Decision {
        let now = self.now();
        let head = Head::read();
        // The cluster is read while the worker is borrowed. Reads never call back into the VM.
        self.worker
            .borrow_mut()
            .on_request(now, RequestId(id), &head)
    }

    /// From a request's own callback: a report may be due at once, and the next tick soon.
    pub(crate) fn after_hold(&self, id: u32) {
        host::enter(self.root_id);
        self.report();
        self.schedule();
        host::enter(id);
    }

    /// From a callback of a request that a thaw has let go: the place that became free is for the next one,
    /// at the next fast tick and not at the next slow one.
    pub(crate) fn hurry(&self, id: u32) {
        if self.tick.get() != FAST_TICK {
            host::enter(self.root_id);
            self.schedule();
            host::enter(id);
        }
    }

    /// The marks on the response of the effective context.
    pub(crate) fn mark_response(&self, id: u32, n_headers: usize) {
        let look = || Look {
            now: self.now(),
            flags: host::response_flags(),
        };
        let mut worker = self.worker.borrow_mut();
        let marks = worker.on_response(RequestId(id), n_headers, look);
        drop(worker);
        if marks.keda_http {
            let was_held = if marks.held.is_some() {
                "true"
            } else {
                "false"
            };
            host::add_response_header("x-keda-http-cold-start", was_held);
        }
        let Some(held) = marks.held else {
            return;
        };
        self.hurry(id);
        let headers = &self.config.headers;
        if !marks.keda_http && !headers.cold_start.is_empty() {
            host::add_response_header(&headers.cold_start, "true");
        }
        if headers.server_timing {
            let timing = format!("wakegate;dur={}", held.as_millis());
            host::add_response_header("server-timing", &timing);
        }
    }

    /// From a root's callback: carries out what is due, then reports, then sets the tick.
    pub(crate) fn act(&self) {
        let now = self.now();
        let actions = self.worker.borrow_mut().poll(now, MAX_ACTIONS);
        for action in actions {
            match action {
                Action::Resume {
                    id: RequestId(id),
                    held,
                    left,
                } => resume(id, held, left),
                Action::Answer(RequestId(id), answer) => {
                    if host::enter(id) {
                        reply(&answer);
                    }
                }
                Action::Reconsider(RequestId(id)) => self.reconsider(id),
                Action::Probe {
                    via: RequestId(id),
                    backend,
                } => self.probe(now, id, backend),
            }
            // Calls are credited to the effective context: a stream's would end with the stream.
            host::enter(self.root_id);
        }
        self.report();
        self.stats.update(&mut self.worker.borrow_mut());
        self.schedule();
    }

    /// Sends the report that is due, if one is. The effective context must be the root.
    fn report(&self) {
        let now = self.now();
        let report = self.worker.borrow_mut().next_report(now);
        if let Some(report) = report {
            self.demand.send(&report);
        }
    }

    fn reconsider(&self, id: u32) {
        if !host::enter(id) {
            return;
        }
        match self.decide(id) {
            Decision::Pass => host::resume_request(),
            Decision::PassWithin(left) => {
                host::set_time_left(left);
                host::resume_request();
            }
            Decision::Hold => {}
            Decision::Answer(answer) => reply(&answer),
            Decision::Reply(reply) => host::reply_as_is(&reply.parts()),
        }
    }

    fn probe(&self, now: Duration, id: u32, backend: BackendId) {
        let target = host::enter(id).then(|| (host::cluster(), host::request_header(":authority")));
        host::enter(self.root_id);
        let Some((Some(cluster), Some(authority))) = target else {
            return self.probed(now, &backend, ProbeOutcome::NoHost);
        };
        let probe = &self.config.probe;
        let (cluster, authority) = (
            String::from_utf8_lossy(&cluster),
            String::from_utf8_lossy(&authority),
        );
        match host::probe(&cluster, &authority, &probe.method, &probe.path) {
            Some(token) => {
                self.probes.borrow_mut().insert(token, backend);
            }
            None => self.probed(now, &backend, ProbeOutcome::NoHost),
        }
    }

    fn probed(&self, now: Duration, backend: &BackendId, outcome: ProbeOutcome) {
        self.worker.borrow_mut().on_probe(now, backend, outcome);
    }

    /// The answer to a probe is there; `n_headers` is 0 when there is none.
    pub(crate) fn on_probe_answer(&self, token: u32, n_headers: usize) {
        let Some(backend) = self.probes.borrow_mut().remove(&token) else {
            return;
        };
        let outcome = if n_headers > 0 && is_proof() {
            ProbeOutcome::Proof
        } else {
            ProbeOutcome::NoProof
        };
        self.probed(self.now(), &backend, outcome);
        self.act();
    }

    fn schedule(&self) {
        let now = self.now();
        let next = self.worker.borrow().next_poll(now);
        let normal = self.config.tick();
        let is_soon = next.is_some_and(|at| at.saturating_sub(now) < normal);
        let tick = if is_soon { FAST_TICK } else { normal };
        if self.tick.replace(tick) != tick {
            host::set_tick(tick);
        }
    }
}

/// Answers the request of the effective context, in the form that it asks for.
pub(crate) fn reply(answer: &Answer) {
    let accept = host::request_header("accept");
    let content_type = host::request_header("content-type");
    note_held(answer.held);
    host::reply(&answer.render(accept.as_deref(), content_type.as_deref()));
}

fn resume(id: u32, held: Option<Duration>, left: Option<TimeLeft>) {
    if !host::enter(id) {
        return;
    }
    if let Some(left) = left {
        host::set_time_left(left);
    }
    if held.is_some() {
        note_held(held);
        // A connection that was refused or reset before anything was sent is worth another host.
        host::default_request_header("x-envoy-retry-on", "connect-failure,refused-stream");
        host::default_request_header("x-envoy-max-retries", "3");
    }
    host::resume_request();
}

/// For access logs, as `wasm.wakegate.held_ms`.
fn note_held(held: Option<Duration>) {
    if let Some(held) = held {
        host::set_filter_state("wakegate.held_ms", &held.as_millis().to_string());
    }
}

/// Only a host's answer carries Envoy's measure of it; and a sidecar's own 502, 503 or 504 carries it as
/// well, without the pod behind it.
fn is_proof() -> bool {
    let status = host::probe_header(":status").unwrap_or_default();
    let is_gateway = matches!(&*status, b"502" | b"503" | b"504");
    !is_gateway && host::probe_header("x-envoy-upstream-service-time").is_some()
}
