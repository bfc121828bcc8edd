//! The root of one configuration in one VM: its streams, its ticks, and the requests that it makes.

use std::{rc::Rc, sync::Arc};

use wakegate_core::Instance;
use wakegate_wire::PluginConfig;

use crate::{
    abi::LogLevel,
    host,
    shared::Shared,
    streams::{End, News, RoutesStream},
    table_store::{self, TableStore},
};

#[derive(Debug)]
pub(crate) struct Root {
    id: u32,
    shared: Option<Rc<Shared>>,
    /// There from the first tick on: a throw-away VM is configured as well, and must open no stream.
    life: Option<Life>,
}

/// What a root has from its first tick on.
#[derive(Debug)]
struct Life {
    instance: Instance,
    routes: RoutesStream,
    store: TableStore,
    /// Workers of this proxy that are with the same control plane, as that says.
    n_connected: u32,
    /// Workers of this proxy, wherever their streams are.
    n_signed: u32,
}

impl Life {
    fn n_workers(&self) -> u32 {
        self.n_connected.max(self.n_signed).max(1)
    }
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            shared: None,
            life: None,
        }
    }

    fn begin(shared: &Shared) -> Life {
        let proxy = host::node_id().unwrap_or_else(|| {
            host::log(
                LogLevel::Warn,
                "wakegate: Envoy has no node.id; proxies without one cannot be told apart",
            );
            "envoy".to_owned()
        });
        let boot_id = u64::try_from(shared.now().as_millis()).unwrap_or(u64::MAX);
        let instance = Instance {
            proxy: Arc::from(proxy),
            worker: next_ordinal(),
            boot_id,
        };
        let seed = boot_id ^ (u64::from(instance.worker) << 32);
        shared.demand.start(seed, instance.clone());
        Life {
            instance,
            routes: RoutesStream::new(seed.rotate_left(7)),
            store: TableStore::default(),
            n_connected: 0,
            n_signed: 0,
        }
    }

    /// Streams that are due to open or to be given up.
    fn poll_streams(&mut self) {
        let (Some(shared), Some(life)) = (&self.shared, &mut self.life) else {
            return;
        };
        let now = shared.now();
        life.routes.poll(now, shared, &life.instance);
        shared.demand.poll(now, shared);
        let is_connected = life.routes.is_up();
        shared.worker.borrow_mut().set_connected(now, is_connected);
        shared.stats.connected(is_connected, shared.demand.is_up());
        if let Some(n_signed) = life.store.poll(now, shared, life.instance.worker) {
            life.n_signed = n_signed;
            shared.worker.borrow_mut().set_workers(life.n_workers());
        }
    }

    fn on_routes_message(&mut self, message: &[u8]) {
        let (Some(shared), Some(life)) = (&self.shared, &mut self.life) else {
            return;
        };
        let now = shared.now();
        match life.routes.on_message(now, message) {
            Ok(News::Table(update)) => {
                let version = update.version.clone();
                shared.stats.table_version(&version);
                shared.worker.borrow_mut().apply(now, update);
                life.routes.ack(version, String::new());
            }
            Ok(News::Workers(n_connected)) => {
                life.n_connected = n_connected;
                shared.worker.borrow_mut().set_workers(life.n_workers());
            }
            Ok(News::Nothing) => {}
            Err(reason) => {
                shared.stats.refused_update();
                host::log(
                    LogLevel::Warn,
                    &format!("wakegate: update refused: {reason}"),
                );
            }
        }
    }
}

impl Root {
    /// What its requests share; none before it is configured.
    pub(crate) fn shared(&self) -> Option<Rc<Shared>> {
        self.shared.clone()
    }

    /// Whether the configuration is accepted.
    pub(crate) fn on_configure(&mut self) -> bool {
        match PluginConfig::parse(&host::plugin_configuration()) {
            Ok(config) => {
                let shared = Shared::new(self.id, config);
                if let Some(table) = table_store::load(&shared) {
                    let now = shared.now();
                    shared.worker.borrow_mut().apply(now, table);
                }
                self.shared = Some(shared);
                true
            }
            Err(error) => {
                host::log(
                    LogLevel::Error,
                    &format!("wakegate: plugin configuration: {error}"),
                );
                false
            }
        }
    }

    pub(crate) fn on_tick(&mut self) {
        let Some(shared) = self.shared.clone() else {
            return;
        };
        if self.life.is_none() {
            self.life = Some(Self::begin(&shared));
        }
        self.poll_streams();
        shared.act();
    }

    pub(crate) fn on_grpc_receive(&mut self, token: u32, size: usize) {
        let Some(shared) = self.shared.clone() else {
            return;
        };
        let message = host::stream_message(size);
        if shared.demand.is(token) {
            shared.demand.on_message(shared.now(), &message, &shared);
        } else if self.life.as_ref().is_some_and(|life| life.routes.is(token)) {
            self.on_routes_message(&message);
        } else {
            return;
        }
        self.poll_streams();
        shared.act();
    }

    pub(crate) fn on_grpc_close(&mut self, token: u32, status: u32) {
        // Envoy keeps its side of a stream that the peer ended until it is cancelled here, and would
        // reset it once more, long freed, when this root goes.
        host::cancel_stream(token);
        let Some(shared) = self.shared.clone() else {
            return;
        };
        let (now, end) = (shared.now(), End::from(status));
        if shared.demand.is(token) {
            shared.demand.closed(now, end, &shared);
        } else if let Some(life) = self.life.as_mut().filter(|life| life.routes.is(token)) {
            life.routes.closed(now, end);
        }
        self.poll_streams();
    }

    pub(crate) fn on_http_call_response(&mut self, token: u32, n_headers: usize) {
        if let Some(shared) = &self.shared {
            shared.on_probe_answer(token, n_headers);
        }
    }
}

/// The ordinal of this root among all that this process has had: there is no other way to tell workers
/// apart.
fn next_ordinal() -> u32 {
    const KEY: &str = "wakegate.ordinal";
    // As many tries as there can be workers that start in the same instant.
    for _ in 0..1_024 {
        let (value, cas) = host::shared(KEY);
        let last = value.as_deref().and_then(<[u8]>::first_chunk);
        let last = last.copied().map_or(0, u32::from_le_bytes);
        let next = last.wrapping_add(1);
        if host::set_shared(KEY, &next.to_le_bytes(), cas) {
            return next;
        }
    }
    0
}
