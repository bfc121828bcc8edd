//! A request whose backend is up allocates nothing: an allocation that creeps into the hot path is seen
//! here on every machine.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    borrow::Cow,
    cell::Cell,
    sync::Arc,
    time::Duration,
};

use wakegate_core::{
    Backend, BackendId, Decision, HostMatch, Key, Limits, Look, NoWake, NoWakeMatch, PathMatch,
    Policy, Request, RequestHead, RequestId, Route, RouteId, TableUpdate, Target, Worker,
};

thread_local! {
    static N_ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, and a count of what this thread asks of it.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: all is passed on as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.set(N_ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N_ROUTES: usize = 100;
const NOW: Duration = Duration::from_secs(1_000);

/// A browser's.
struct Get;

impl RequestHead for Get {
    fn method(&self) -> Cow<'_, [u8]> {
        b"GET".into()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        (name == "user-agent").then(|| b"Mozilla/5.0".into())
    }
}

impl Request for Get {
    fn host(&self) -> Cow<'_, [u8]> {
        b"App-7.test:8080".into()
    }

    fn path(&self) -> Cow<'_, [u8]> {
        b"/catalog/items?page=2".into()
    }

    fn cluster(&self) -> Option<Cow<'_, [u8]>> {
        Some(b"test/app-7/80".into())
    }
}

#[test]
fn a_request_to_a_backend_that_is_up_allocates_nothing() {
    let mut worker = worker();
    // Tables grow to what is under way at once; a report's list of changed keys as well.
    for id in 0..10 {
        request(&mut worker, id);
    }
    let before = N_ALLOCATIONS.get();
    for id in 10..1_010 {
        request(&mut worker, id);
    }
    assert_eq!(N_ALLOCATIONS.get() - before, 0, "in 1,000 requests");
}

fn request(worker: &mut Worker, id: u32) {
    let id = RequestId(id);
    assert_eq!(worker.on_request(NOW, id, &Get), Decision::Pass);
    let look = || Look {
        now: NOW,
        flags: None,
    };
    worker.on_response(id, 8, look);
    worker.on_end(NOW, id);
}

fn worker() -> Worker {
    let limits = Limits {
        max_held: 100,
        probe: true,
    };
    let mut worker = Worker::new(NOW, limits);
    let no_wake = NoWake {
        what: NoWakeMatch::UserAgentPrefix("kube-probe/".to_owned()),
        status: 200,
    };
    let policy = Arc::new(Policy {
        no_wake: vec![no_wake],
        ..Policy::default()
    });
    worker.apply(
        NOW,
        TableUpdate {
            full: true,
            version: "v1".to_owned(),
            routes: (0..N_ROUTES).map(|n| route(n, &policy)).collect(),
            backends: (0..N_ROUTES).map(backend).collect(),
            ..TableUpdate::default()
        },
    );
    worker
}

fn route(number: usize, policy: &Arc<Policy>) -> Route {
    let name = format!("app-{number}");
    Route {
        id: RouteId::from(format!("HTTPRoute/test/{name}/0/0").as_str()),
        created_ms: 0,
        listed: false,
        hosts: vec![HostMatch::Exact(format!("{name}.test"))],
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
        targets: vec![Target {
            backend: BackendId::new("test", &name, 80),
            key: Key::service("test", &name),
            weight: 1,
        }],
        policy: Arc::clone(policy),
    }
}

fn backend(number: usize) -> Backend {
    let id = BackendId::new("test", &format!("app-{number}"), 80);
    Backend {
        ready_endpoints: 1,
        ..Backend::asleep(id)
    }
}
