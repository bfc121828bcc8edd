//! One filter VM: the table, a gate for each backend, and the count of every request.

mod apply;
mod no_wake;
mod poll;
mod slot;
mod stand_in;
mod tally;
mod time_left;

use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

pub use self::poll::Action;
use self::slot::Slot;
pub use self::tally::Tally;
pub use self::time_left::TimeLeft;
use crate::{
    Answer, Answered, Backend, BackendId, ColdStartHeader, Demand, Held, Key, Loss, Reason, Report,
    Reporter, RequestHead, RequestId, Route, RouteId, RouteTable, StaticReply, Target,
    hash::HashMap, places::Places,
};

/// What one filter VM decides by.
///
/// It is asked at a request's headers, at its response and at its end, and answers what is to be done
/// with that request; what is to be done with others comes from [`Worker::poll`], because Envoy stands
/// actions on a stream only from calls that belong to no other.
#[derive(Debug)]
pub struct Worker {
    limits: Limits,
    started_at: Duration,
    table: RouteTable,
    version: Option<String>,
    backends: Places<BackendId, Slot>,
    /// Backends whose gate wants to be polled, in turn.
    busy: VecDeque<BackendId>,
    requests: HashMap<RequestId, Tracked>,
    /// Requests that came before the first table.
    waiting: VecDeque<RequestId>,
    held_by_route: HashMap<RouteId, u32>,
    n_held: u32,
    demand: Demand,
    reporter: Reporter,
    /// The keys of the table, and how many targets name them.
    known: HashMap<Key, u32>,
    known_digest: u64,
    n_workers: u32,
    is_connected: bool,
    tally: Tally,
}

/// What a worker may hold, and how it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Held requests, all routes together.
    pub max_held: u32,
    /// Whether Envoy's own view is probed at all.
    pub probe: bool,
}

/// The head of a request, read when it is asked for.
pub trait Request: RequestHead {
    /// `:authority`, as received.
    fn host(&self) -> Cow<'_, [u8]>;
    /// `:path`, as received.
    fn path(&self) -> Cow<'_, [u8]>;
    /// The cluster that Envoy picked; none for a direct response and for a cluster that is not there.
    fn cluster(&self) -> Option<Cow<'_, [u8]>>;
}

/// What is to be done with a request whose headers came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let it go on.
    Pass,
    /// Let it go on, and have Envoy end it when this is over.
    PassWithin(TimeLeft),
    /// Keep it; an [`Action`] ends that.
    Hold,
    /// Answer it.
    Answer(Answer),
    /// Answer it with what its route says, as it stands.
    Reply(StaticReply),
}

/// What a response is to carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// For how long its request was held.
    pub held: Option<Duration>,
    /// Whether the response says `X-KEDA-HTTP-Cold-Start`, and not our own header.
    pub keda_http: bool,
}

/// What a look at a response finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The time.
    pub now: Duration,
    /// `response.flags`, where Envoy says them.
    pub flags: Option<ResponseFlags>,
}

/// `response.flags` of Envoy, as far as they tell that a request did not reach a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFlags(pub u64);

#[derive(Debug)]
struct Tracked {
    phase: Phase,
    route: Arc<Route>,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Held {
        since: Duration,
    },
    /// `held` is none when it passed. One that was held went through a thaw, whose window waits for it.
    Running {
        held: Option<Duration>,
    },
}

/// How long requests wait for the first table before they pass uncounted.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How many of them wait: more would be a flood that Envoy has to let through anyway.
const MAX_WAITING: usize = 1_000;

impl ResponseFlags {
    const NO_HEALTHY_UPSTREAM: u64 = 0x2;
    const UPSTREAM_REMOTE_RESET: u64 = 0x10;
    const UPSTREAM_CONNECTION_FAILURE: u64 = 0x20;
    const UPSTREAM_OVERFLOW: u64 = 0x80;

    /// What was lost, if this is a local reply about it.
    pub fn loss(self) -> Option<Loss> {
        [
            (Self::NO_HEALTHY_UPSTREAM, Loss::NoHost),
            (Self::UPSTREAM_OVERFLOW, Loss::Overflow),
            (Self::UPSTREAM_REMOTE_RESET, Loss::Reset),
            (Self::UPSTREAM_CONNECTION_FAILURE, Loss::ConnectFailure),
        ]
        .into_iter()
        .find_map(|(flag, loss)| (self.0 & flag != 0).then_some(loss))
    }
}

impl Tracked {
    fn new(phase: Phase, route: Arc<Route>, target: Target) -> Self {
        Self {
            phase,
            route,
            target,
        }
    }
}

impl Worker {
    /// A worker without a table, at its root's start.
    pub fn new(now: Duration, limits: Limits) -> Self {
        Self {
            limits,
            started_at: now,
            table: RouteTable::default(),
            version: None,
            backends: Places::default(),
            busy: VecDeque::new(),
            requests: HashMap::default(),
            waiting: VecDeque::new(),
            held_by_route: HashMap::default(),
            n_held: 0,
            demand: Demand::default(),
            reporter: Reporter::default(),
            known: HashMap::default(),
            known_digest: 0,
            n_workers: 1,
            is_connected: false,
            tally: Tally::default(),
        }
    }

    /// What is to be done with `request`. Asked again for one that waited for the table.
    pub fn on_request(&mut self, now: Duration, id: RequestId, request: &impl Request) -> Decision {
        if self.version.is_none() {
            return self.await_table(now, id);
        }
        let path = request.path();
        let Some(route) = self.table.lookup(&request.host(), &path, request) else {
            return Decision::Pass;
        };
        let Some(target) = self.pick(route, request) else {
            return Decision::Pass;
        };
        let slot = self.backends.get(&target.backend);
        if !route.policy.static_routes.is_empty()
            && let Some(decision) = stand_in::decide(route, slot, request, &mut self.tally)
        {
            return decision;
        }
        if let Some(rule) = no_wake::find(&route.policy.no_wake, &path, request) {
            let slot = slot.filter(|slot| slot.is_asleep());
            let answer = slot.map(|slot| slot.answer_no_wake(rule, &route.policy));
            let left = TimeLeft::whole(&route.policy);
            return self.answer_or_pass(answer, left);
        }
        let is_admitted = slot.is_none_or(|slot| slot.gate.admits());
        let (route, target) = (Arc::clone(route), target.clone());
        if !is_admitted {
            let tracked = Tracked::new(Phase::Held { since: now }, route, target);
            return self.hold(now, id, tracked, request);
        }
        self.demand.start_running(now, &target.key);
        let left = TimeLeft::whole(&route.policy);
        let phase = Phase::Running { held: None };
        self.requests.insert(id, Tracked::new(phase, route, target));
        Decision::pass(left)
    }

    /// What its response is to carry. The edge is asked to `look` only at a response that may be Envoy's
    /// own, or that a thaw waits for: it costs host calls.
    pub fn on_response(
        &mut self,
        id: RequestId,
        n_headers: usize,
        look: impl FnOnce() -> Look,
    ) -> Marks {
        let Some(tracked) = self.requests.get(&id) else {
            return Marks::default();
        };
        let Phase::Running { held } = tracked.phase else {
            return Marks::default();
        };
        let keda_http = tracked.route.policy.cold_start_header == ColdStartHeader::KedaHttp;
        let marks = Marks { held, keda_http };
        let may_be_local = n_headers <= MAX_LOCAL_REPLY_HEADERS;
        if !may_be_local && held.is_none() {
            return marks;
        }
        let Look { now, flags } = look();
        let loss = flags.filter(|_| may_be_local).and_then(ResponseFlags::loss);
        if let Some(slot) = self.backends.get_mut(&tracked.target.backend) {
            if held.is_some() {
                self.tally.lost += u64::from(loss.is_some());
                let answered = loss.map_or(Answered::Normally, Answered::Lost);
                slot.gate.on_response(now, id, answered);
            } else if loss == Some(Loss::NoHost) {
                self.tally.learned_zero += 1;
                slot.gate.learn_zero(now);
            }
        }
        marks
    }

    /// The stream ended, whatever ended it. An id that is not tracked is ignored. Says whether a thaw waits
    /// for what became free: [`Worker::poll`] may have something to do.
    pub fn on_end(&mut self, now: Duration, id: RequestId) -> bool {
        let Some(tracked) = self.requests.remove(&id) else {
            // One that waited for the table stays in the queue until its turn: it is skipped there.
            return false;
        };
        match tracked.phase {
            Phase::Running { held: None } => {
                self.demand.end_running(now, &tracked.target.key);
                // Its gate never heard of it.
                return false;
            }
            Phase::Running { held: Some(_) } => self.demand.end_running(now, &tracked.target.key),
            Phase::Held { .. } => {
                self.demand.end_held(now, &tracked.target.key);
                self.tally.client_left += 1;
                self.no_longer_held(&tracked.route.id);
            }
        }
        if let Some(slot) = self.backends.get_mut(&tracked.target.backend) {
            slot.gate.on_end(id, now);
        }
        matches!(tracked.phase, Phase::Running { .. })
    }

    /// Whether the control plane is heard.
    pub fn set_connected(&mut self, now: Duration, is_connected: bool) {
        if std::mem::replace(&mut self.is_connected, is_connected) != is_connected {
            for slot in self.backends.values_mut() {
                slot.gate.set_control_plane(now, is_connected);
                if is_connected {
                    // What a proof opened in the meantime goes by the control plane's word again.
                    slot.gate.update(now, &slot.backend);
                }
            }
        }
    }

    /// How many workers share this proxy's connections and breakers.
    pub fn set_workers(&mut self, n_workers: u32) {
        if std::mem::replace(&mut self.n_workers, n_workers) != n_workers {
            for slot in self.backends.values_mut() {
                slot.gate.set_workers(n_workers);
            }
        }
    }

    /// What happened since this was last asked.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// The routes of the table.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.table.iter().map(AsRef::as_ref)
    }

    /// The backends of the table.
    pub fn backends(&self) -> impl Iterator<Item = &Backend> {
        let slots = self.backends.values().filter(|slot| !slot.is_gone);
        slots.map(|slot| &slot.backend)
    }

    /// Requests held now.
    pub fn n_held(&self) -> u32 {
        self.n_held
    }

    /// The stream to the scaler opened.
    pub fn report_opened(&mut self) {
        self.reporter.opened(&mut self.demand);
    }

    /// The stream to the scaler is gone.
    pub fn report_closed(&mut self) {
        self.reporter.closed(&mut self.demand);
    }

    /// The scaler took in all reports up to `sequence`.
    pub fn report_acked(&mut self, sequence: u64, wants_keys: bool) {
        self.reporter.acked(sequence, wants_keys, &mut self.demand);
    }

    /// The report that leaves now, if one does.
    pub fn next_report(&mut self, now: Duration) -> Option<Report> {
        let keys = self.known.keys();
        self.reporter
            .poll(now, &mut self.demand, self.known_digest, keys)
    }

    #[cold]
    fn await_table(&mut self, now: Duration, id: RequestId) -> Decision {
        let has_waited = now.saturating_sub(self.started_at) >= FIRST_WAIT;
        if has_waited || self.waiting.len() >= MAX_WAITING {
            self.tally.passed_without_table += 1;
            return Decision::Pass;
        }
        self.waiting.push_back(id);
        Decision::Hold
    }

    /// The target whose demand the request is. With several, the one whose cluster Envoy picked; where
    /// that cannot be told, the first, and it is held only when all of them are asleep.
    fn pick<'r>(&self, route: &'r Route, request: &impl Request) -> Option<&'r Target> {
        match route.targets.as_slice() {
            [] => None,
            [target] => Some(target),
            targets => self.pick_of(targets, request),
        }
    }

    fn pick_of<'r>(&self, targets: &'r [Target], request: &impl Request) -> Option<&'r Target> {
        let cluster = request.cluster();
        let is_picked = |target: &&Target| {
            let cluster = cluster.as_deref();
            cluster.is_some_and(|cluster| target.backend.is_of(cluster))
        };
        let is_ready = |target: &&Target| {
            let slot = self.backends.get(&target.backend);
            slot.is_none_or(|slot| !slot.is_asleep())
        };
        let picked = targets.iter().find(is_picked);
        picked
            .or_else(|| targets.iter().find(is_ready))
            .or_else(|| targets.first())
    }

    fn answer_or_pass(&mut self, answer: Option<Answer>, left: Option<TimeLeft>) -> Decision {
        let Some(answer) = answer else {
            return Decision::pass(left);
        };
        self.tally.answered(answer.reason);
        Decision::Answer(answer)
    }

    #[cold]
    fn hold(
        &mut self,
        now: Duration,
        id: RequestId,
        tracked: Tracked,
        request: &impl Request,
    ) -> Decision {
        let Tracked { route, target, .. } = &tracked;
        let policy = &route.policy;
        let n_held = self.held_by_route.get(&route.id).copied().unwrap_or(0);
        let Some(slot) = self.backends.get_mut(&target.backend) else {
            return Decision::Pass;
        };
        if let Some(answer) = stand_in::placeholder(policy, slot) {
            return self.stand_in(now, &tracked, answer, request);
        }
        let refusal = if slot.is_paused() {
            Some((Reason::Paused, 503))
        } else if request.cluster().is_none() {
            Some((Reason::NoCluster, 503))
        } else if n_held >= policy.max_held || self.n_held >= self.limits.max_held {
            Some((Reason::Overflow, policy.overflow_status))
        } else {
            None
        };
        if let (Some((Reason::Overflow, _)), Some(instead)) = (refusal, &policy.placeholder) {
            return self.stand_in(now, &tracked, &instead.answer, request);
        }
        if self.demand.held(&target.key) == 0 {
            self.reporter.hurry();
        }
        if let Some((reason, status)) = refusal {
            let answer = slot.answer(reason, status, policy);
            self.demand.shed(now, &target.key);
            self.tally.answered(reason);
            return Decision::Answer(answer);
        }
        slot.held(now);
        slot.gate.hold(
            now,
            Held {
                id,
                route: route.id.clone(),
                since: now,
                deadline: now.saturating_add(policy.hold_limit()),
                long: is_long(request),
            },
        );
        if !std::mem::replace(&mut slot.is_busy, true) {
            self.busy.push_back(target.backend.clone());
        }
        self.demand.start_held(now, &target.key);
        self.tally.held += 1;
        self.n_held = self.n_held.saturating_add(1);
        self.held_by_route
            .insert(route.id.clone(), n_held.saturating_add(1));
        self.requests.insert(id, tracked);
        Decision::Hold
    }

    fn no_longer_held(&mut self, route: &RouteId) {
        self.n_held = self.n_held.saturating_sub(1);
        if let Some(n_held) = self.held_by_route.get_mut(route) {
            *n_held = n_held.saturating_sub(1);
            if *n_held == 0 {
                self.held_by_route.remove(route);
            }
        }
    }
}

/// Envoy's own replies reach the filter with `:status`, `content-length` and `content-type`, and what a
/// route adds; an answer from a host has its own, and `x-envoy-upstream-service-time`.
const MAX_LOCAL_REPLY_HEADERS: usize = 5;

/// Whether the answer may take as long as the client likes.
fn is_long(request: &impl Request) -> bool {
    *request.method() == *b"CONNECT"
        || request.header("upgrade").is_some()
        || request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests;
