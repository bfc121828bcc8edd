//! Envoy's side of the ABI, as far as a root with its two streams and a request need it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod said;

use std::{collections::BTreeMap, env, fs, mem, path::PathBuf, time::Duration};

use wakegate_wire::{Message as _, v1};
use wasmi::{Caller, Config, Engine, ExternType, Instance, Linker, Module, Store, Val};

pub(crate) use self::said::Reply;

/// The context of the one root.
pub(crate) const ROOT: i32 = 1;

/// What routes do not wake for unless they are told otherwise.
const HEALTH_CHECKERS: [&str; 3] = ["kube-probe/", "GoogleHC/", "ELB-HealthChecker/"];

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
/// Never used up; what is left tells what was used.
const FUEL: u64 = u64::MAX / 2;

/// A VM with the filter, and what its host calls find.
#[derive(Debug)]
pub(crate) struct Envoy {
    store: Store<Host>,
    instance: Instance,
    last_context: i32,
}

#[derive(Debug, Default)]
struct Host {
    calls: BTreeMap<&'static str, u32>,
    now: u64,
    /// What `proxy_get_buffer_bytes` gives: the configuration, or a message.
    buffer: Vec<u8>,
    request_headers: Vec<u8>,
    n_streams: u32,
    n_metrics: u32,
    tick_ms: u32,
    replies: Vec<Reply>,
    set_headers: Vec<(String, String)>,
}

impl Envoy {
    /// A filter that has a table of so many hosts, each with a backend that is up.
    pub(crate) fn with_routes(n_routes: usize) -> Self {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module_bytes()).unwrap();
        let mut store = Store::new(&engine, Host::default());
        store.set_fuel(FUEL).unwrap();
        let mut linker = Linker::new(&engine);
        link(&mut linker);
        let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
        let mut envoy = Self {
            store,
            instance,
            last_context: ROOT,
        };
        envoy.start();
        envoy.take_table(n_routes);
        envoy
    }

    fn start(&mut self) {
        self.call("proxy_on_context_create", &[ROOT, 0]);
        let config = r#"{"control_plane": {"cluster": "c"}, "scaler": {"cluster": "s"}}"#;
        self.store.data_mut().buffer = config.into();
        let size = i32::try_from(config.len()).unwrap();
        assert_eq!(self.call("proxy_on_configure", &[ROOT, size]), Some(1));
        // The first tick opens the streams: that of the routes first.
        self.call("proxy_on_tick", &[ROOT]);
        assert_eq!(self.store.data().n_streams, 2);
    }

    fn take_table(&mut self, n_routes: usize) {
        let numbers = 0..n_routes;
        self.update(v1::Update {
            full: true,
            routes: numbers.clone().map(route).collect(),
            backends: numbers.map(|number| backend(number, 1)).collect(),
            ..v1::Update::default()
        });
    }

    /// The control plane says how many endpoints of this backend are ready.
    pub(crate) fn set_endpoints(&mut self, number: usize, n_ready: u32) {
        self.update(v1::Update {
            backends: vec![backend(number, n_ready)],
            ..v1::Update::default()
        });
    }

    /// The control plane changes how this route holds, or says so of a new one.
    pub(crate) fn set_policy(&mut self, number: usize, policy: v1::Policy) {
        self.update(v1::Update {
            routes: vec![v1::Route {
                policy: Some(policy),
                ..route(number)
            }],
            ..v1::Update::default()
        });
    }

    /// So much time passes, with a tick at its end.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.store.data_mut().now += u64::try_from(time.as_nanos()).unwrap();
        self.call("proxy_on_tick", &[ROOT]);
    }

    fn update(&mut self, update: v1::Update) {
        let update = v1::Update {
            last: true,
            version: "v".to_owned(),
            ..update
        };
        let response = v1::watch_response::Response::Update(update);
        let message = v1::WatchResponse {
            response: Some(response),
        };
        let routes_stream = 1;
        self.receive(routes_stream, message.encode_to_vec());
    }

    /// The scaler has taken in all reports so far.
    pub(crate) fn ack_reports(&mut self) {
        let message = v1::ReportResponse {
            acked: u64::MAX,
            ..v1::ReportResponse::default()
        };
        let demand_stream = 2;
        self.receive(demand_stream, message.encode_to_vec());
    }

    fn receive(&mut self, stream: i32, message: Vec<u8>) {
        let size = i32::try_from(message.len()).unwrap();
        self.store.data_mut().buffer = message;
        self.call("proxy_on_grpc_receive", &[ROOT, stream, size]);
    }

    /// The tick that was set last, in milliseconds.
    pub(crate) fn tick_ms(&self) -> u32 {
        self.store.data().tick_ms
    }

    pub(crate) fn next_context(&mut self) -> i32 {
        self.last_context += 1;
        self.last_context
    }

    pub(crate) fn set_request_headers(&mut self, headers: &[(&str, &str)]) {
        self.store.data_mut().request_headers = pairs(headers);
    }

    /// Calls an exported function; what it returns, if anything. A millisecond passes.
    pub(crate) fn call(&mut self, name: &str, arguments: &[i32]) -> Option<i32> {
        self.store.data_mut().now += 1_000_000;
        let function = self.instance.get_func(&self.store, name).unwrap();
        let arguments: Vec<_> = arguments.iter().map(|number| Val::I32(*number)).collect();
        let n_results = function.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); n_results];
        function
            .call(&mut self.store, &arguments, &mut results)
            .unwrap();
        results.first().and_then(Val::i32)
    }

    /// How often each host call was made.
    pub(crate) fn calls(&self) -> BTreeMap<&'static str, u32> {
        self.store.data().calls.clone()
    }

    pub(crate) fn forget_calls(&mut self) {
        self.store.data_mut().calls.clear();
    }

    /// The answers that were sent since this was last asked.
    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        mem::take(&mut self.store.data_mut().replies)
    }

    /// The request headers that were set.
    pub(crate) fn set_headers(&self) -> Vec<(String, String)> {
        self.store.data().set_headers.clone()
    }

    pub(crate) fn fuel_of(&mut self, act: impl FnOnce(&mut Self)) -> u64 {
        let before = self.store.get_fuel().unwrap();
        act(self);
        before - self.store.get_fuel().unwrap()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let memory = self.instance.get_memory(&self.store, "memory").unwrap();
        memory.data_size(&self.store)
    }
}

/// The names of the functions that the module exports, sorted.
pub(crate) fn exported_functions() -> Vec<String> {
    let module = Module::new(&Engine::default(), module_bytes()).unwrap();
    let functions = module
        .exports()
        .filter(|export| matches!(export.ty(), ExternType::Func(_)));
    let mut names: Vec<_> = functions.map(|export| export.name().to_owned()).collect();
    names.sort();
    names
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is configured by its environment"
)]
fn module_bytes() -> Vec<u8> {
    let path = env::var("WAKEGATE_FILTER").map_or_else(
        |_| PathBuf::from("../target/wasm/wakegate_filter.wasm"),
        PathBuf::from,
    );
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `just wasm`", path.display()))
}

fn route(number: usize) -> v1::Route {
    v1::Route {
        id: format!("HTTPRoute/test/app-{number}/0/0"),
        hosts: vec![format!("app-{number}.test")],
        path: Some(v1::PathMatch {
            path: Some(v1::path_match::Path::Prefix("/".to_owned())),
        }),
        targets: vec![v1::Target {
            backend: format!("test/app-{number}/80"),
            key: format!("service/test/app-{number}"),
            weight: 1,
        }],
        policy: Some(policy()),
        ..v1::Route::default()
    }
}

/// What a route without annotations has.
pub(crate) fn policy() -> v1::Policy {
    v1::Policy {
        hold_timeout_ms: 60_000,
        max_held: 1_000,
        no_wake: HEALTH_CHECKERS.map(no_wake).to_vec(),
        ..v1::Policy::default()
    }
}

fn no_wake(agent: &str) -> v1::NoWake {
    v1::NoWake {
        what: Some(v1::no_wake::What::UserAgentPrefix(agent.to_owned())),
        ..v1::NoWake::default()
    }
}

/// Without a probe, which is Envoy's to answer.
fn backend(number: usize, n_ready: u32) -> v1::Backend {
    v1::Backend {
        id: format!("test/app-{number}/80"),
        ready_endpoints: n_ready,
        no_probe: true,
        ..v1::Backend::default()
    }
}

fn pairs(headers: &[(&str, &str)]) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let mut bytes = size(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend(size(name.len()));
        bytes.extend(size(value.len()));
    }
    for (name, value) in headers {
        bytes.extend(format!("{name}\0{value}\0").bytes());
    }
    bytes
}

/// A call of the filter's, and the memory that it means.
struct Call<'c>(Caller<'c, Host>);

impl<'c> Call<'c> {
    fn count(mut caller: Caller<'c, Host>, name: &'static str) -> Self {
        *caller.data_mut().calls.entry(name).or_default() += 1;
        Self(caller)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) {
        let memory = self.0.get_export("memory").unwrap().into_memory().unwrap();
        memory.write(&mut self.0, at as usize, bytes).unwrap();
    }

    /// Hands over `bytes` as Envoy does: nothing at all is a null pointer.
    fn hand_over(&mut self, bytes: &[u8], data: u32, size: u32) -> u32 {
        let n_bytes = u32::try_from(bytes.len()).unwrap();
        let mut start = 0;
        if n_bytes > 0 {
            let allocate = self.0.get_export("proxy_on_memory_allocate").unwrap();
            let allocate = allocate
                .into_func()
                .unwrap()
                .typed::<u32, u32>(&self.0)
                .unwrap();
            start = allocate.call(&mut self.0, n_bytes).unwrap();
            self.write(start, bytes);
        }
        self.write(data, &start.to_le_bytes());
        self.write(size, &n_bytes.to_le_bytes());
        OK
    }

    fn number(&mut self, number: u32, at: u32) -> u32 {
        self.write(at, &number.to_le_bytes());
        OK
    }
}

/// Counts a host call, then answers it by an expression over the call.
macro_rules! answer {
    ($linker:ident, $name:literal, |$call:ident $(, $argument:ident: $kind:ty)*| $answer:expr) => {
        $linker
            .func_wrap("env", $name, |caller: Caller<'_, Host> $(, $argument: $kind)*| -> u32 {
                let mut call = Call::count(caller, $name);
                let $call = &mut call;
                $answer
            })
            .unwrap();
    };
}

fn link(linker: &mut Linker<Host>) {
    link_reads(linker);
    link_streams(linker);
    said::link(linker);
    answer!(
        linker,
        "proxy_log",
        |_call, _level: u32, _text: u32, _size: u32| OK
    );
    answer!(
        linker,
        "proxy_set_tick_period_milliseconds",
        |call, period: u32| {
            call.0.data_mut().tick_ms = period;
            OK
        }
    );
    answer!(
        linker,
        "proxy_set_effective_context",
        |_call, _context: u32| OK
    );
    answer!(linker, "proxy_continue_stream", |_call, _stream: u32| OK);
    answer!(
        linker,
        "proxy_add_header_map_value",
        |_call, _map: u32, _n: u32, _s: u32, _v: u32, _t: u32| OK
    );
    answer!(
        linker,
        "proxy_set_property",
        |_call, _path: u32, _size: u32, _value: u32, _n: u32| OK
    );
    answer!(
        linker,
        "proxy_set_shared_data",
        |_call, _k: u32, _s: u32, _v: u32, _n: u32, _cas: u32| OK
    );
    answer!(
        linker,
        "proxy_record_metric",
        |_call, _id: u32, _value: u64| OK
    );
    answer!(
        linker,
        "proxy_increment_metric",
        |_call, _id: u32, _by: i64| OK
    );
    answer!(
        linker,
        "proxy_define_metric",
        |call, _kind: u32, _name: u32, _size: u32, id: u32| {
            call.0.data_mut().n_metrics += 1;
            let number = call.0.data().n_metrics;
            call.number(number, id)
        }
    );
}

fn link_reads(linker: &mut Linker<Host>) {
    answer!(
        linker,
        "proxy_get_current_time_nanoseconds",
        |call, at: u32| {
            let now = call.0.data().now;
            call.write(at, &now.to_le_bytes());
            OK
        }
    );
    answer!(
        linker,
        "proxy_get_buffer_bytes",
        |call, _kind: u32, _start: u32, _max: u32, data: u32, size: u32| {
            let buffer = call.0.data().buffer.clone();
            call.hand_over(&buffer, data, size)
        }
    );
    answer!(
        linker,
        "proxy_get_header_map_pairs",
        |call, _map: u32, data: u32, size: u32| {
            let headers = call.0.data().request_headers.clone();
            call.hand_over(&headers, data, size)
        }
    );
    answer!(
        linker,
        "proxy_get_header_map_value",
        |_call, _map: u32, _n: u32, _s: u32, _d: u32, _t: u32| NOT_FOUND
    );
    answer!(
        linker,
        "proxy_get_property",
        |call, _path: u32, _n: u32, data: u32, size: u32| call.hand_over(b"proxy", data, size)
    );
    answer!(
        linker,
        "proxy_get_shared_data",
        |_call, _key: u32, _n: u32, _data: u32, _size: u32, _cas: u32| NOT_FOUND
    );
}

fn link_streams(linker: &mut Linker<Host>) {
    #[rustfmt::skip]
    answer!(linker, "proxy_grpc_stream", |call, _c: u32, _d: u32, _s: u32, _t: u32, _m: u32, _n: u32, _i: u32, _j: u32, token: u32| {
        call.0.data_mut().n_streams += 1;
        let number = call.0.data().n_streams;
        call.number(number, token)
    });
    answer!(
        linker,
        "proxy_grpc_send",
        |_call, _token: u32, _message: u32, _size: u32, _end: u32| OK
    );
    answer!(linker, "proxy_grpc_cancel", |_call, _token: u32| OK);
    #[rustfmt::skip]
    answer!(linker, "proxy_http_call", |_call, _c: u32, _d: u32, _h: u32, _i: u32, _b: u32, _e: u32, _t: u32, _u: u32, _ms: u32, _token: u32| NOT_FOUND);
}
