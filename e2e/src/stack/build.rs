//! What a stack shall be like.

mod start;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::{ANY_PORT, Addresses};
use crate::envoy::{EndpointsFrom, Module};
use crate::manifests::Service;

/// What a stack shall be like.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that have nothing to do with each other"
)]
pub struct StackBuilder {
    services: Vec<Service>,
    files: Vec<(String, Vec<u8>)>,
    listen: SocketAddr,
    admin: SocketAddr,
    control_plane: Addresses,
    scaler: Addresses,
    n_control_planes: usize,
    n_scalers: usize,
    flags: Vec<String>,
    n_workers: u32,
    has_filter: bool,
    has_tls: bool,
    daemons: Daemons,
    settings: Value,
    is_discovered: bool,
    late_endpoints: bool,
    endpoints: EndpointsFrom,
    stream_idle_timeout: Duration,
    buffer_limit: Option<u32>,
    connection_manager: Value,
    module: Option<Module>,
    reached_at: Option<(SocketAddr, SocketAddr)>,
    environment: Vec<(&'static str, OsString)>,
    listener_is_discovered: bool,
    drain_time: Duration,
    accepts_connect: bool,
    folder: Option<PathBuf>,
}

/// Who is at the other end of the filter's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Daemons {
    Real,
    Peer(SocketAddr),
    None,
}

impl Default for StackBuilder {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            files: Vec::new(),
            listen: ANY_PORT,
            admin: ANY_PORT,
            control_plane: Addresses::ANY,
            scaler: Addresses::ANY,
            n_control_planes: 1,
            n_scalers: 1,
            flags: Vec::new(),
            n_workers: 2,
            has_filter: true,
            has_tls: false,
            daemons: Daemons::Real,
            settings: json!({}),
            is_discovered: false,
            late_endpoints: false,
            endpoints: EndpointsFrom::Delta,
            // The default hold limit is 60 s.
            stream_idle_timeout: Duration::from_secs(90),
            buffer_limit: None,
            connection_manager: json!({}),
            module: None,
            reached_at: None,
            environment: Vec::new(),
            listener_is_discovered: false,
            // Left alone, a test that ends Envoy would wait for idle connections.
            drain_time: Duration::from_secs(1),
            accepts_connect: false,
            folder: None,
        }
    }
}

impl StackBuilder {
    /// Serves one more Service.
    #[must_use]
    pub fn serve(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Puts one more file among the manifests before anything starts.
    #[must_use]
    pub fn manifest(mut self, file: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((file.to_owned(), text.into()));
        self
    }

    /// Where Envoy takes connections, and where its admin endpoint is.
    #[must_use]
    pub fn listen(mut self, clients: SocketAddr, admin: SocketAddr) -> Self {
        self.listen = clients;
        self.admin = admin;
        self
    }

    /// Where the daemons listen.
    #[must_use]
    pub fn daemons(mut self, control_plane: Addresses, scaler: Addresses) -> Self {
        self.control_plane = control_plane;
        self.scaler = scaler;
        self
    }

    /// So many control planes, which Envoy and the scaler reach at one address, as at a Service.
    #[must_use]
    pub fn control_planes(mut self, n_control_planes: usize) -> Self {
        self.n_control_planes = n_control_planes;
        self
    }

    /// Replicas of the scaler, which know each other.
    #[must_use]
    pub fn scalers(mut self, n_scalers: usize) -> Self {
        self.n_scalers = n_scalers;
        self
    }

    /// Flags of both daemons.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    /// Envoy's worker threads.
    #[must_use]
    pub fn workers(mut self, n_workers: u32) -> Self {
        self.n_workers = n_workers;
        self
    }

    /// Envoy without the filter.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        self.has_filter = false;
        self
    }

    /// Mutual TLS on every connection, see `Stack::certificates`; without, all are in plain text.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// Neither control plane nor scaler: their addresses answer nobody. Endpoints come by file.
    #[must_use]
    pub fn without_control_plane(mut self) -> Self {
        self.daemons = Daemons::None;
        self.late_endpoints = true;
        self
    }

    /// Instead of both daemons, a `Peer` of the test's. Endpoints come by file.
    #[must_use]
    pub fn peer(mut self, address: SocketAddr) -> Self {
        self.daemons = Daemons::Peer(address);
        self.late_endpoints = true;
        self
    }

    /// Fields of the filter's configuration.
    #[must_use]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// The filter's configuration can change while Envoy runs, see `Stack::put_settings`.
    #[must_use]
    pub fn discovered(mut self) -> Self {
        self.is_discovered = true;
        self
    }

    /// EDS state of the world instead of differences.
    #[must_use]
    pub fn state_of_the_world(mut self) -> Self {
        self.endpoints = EndpointsFrom::StateOfTheWorld;
        self
    }

    /// Envoy's endpoints come from files that the test writes, see `Stack::put_envoy_endpoint`.
    #[must_use]
    pub fn endpoints_by_file(mut self) -> Self {
        self.late_endpoints = true;
        self
    }

    /// Ends streams on which nothing happens; must be above the longest hold.
    #[must_use]
    pub fn stream_idle_timeout(mut self, span: Duration) -> Self {
        self.stream_idle_timeout = span;
        self
    }

    /// What one client connection may buffer.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Fields of Envoy's HTTP connection manager, in place of those that are there.
    #[must_use]
    pub fn connection_manager(mut self, fields: Value) -> Self {
        self.connection_manager = fields;
        self
    }

    /// Another module than the file that is shipped.
    #[must_use]
    pub fn module(mut self, module: Module) -> Self {
        self.module = Some(module);
        self
    }

    /// Where Envoy connects instead of to the control plane and to the scaler: relays to them.
    #[must_use]
    pub fn reached_at(mut self, control_plane: SocketAddr, scaler: SocketAddr) -> Self {
        self.reached_at = Some((control_plane, scaler));
        self
    }

    /// Variables of both daemons.
    #[must_use]
    pub fn environment(mut self, environment: Vec<(&'static str, OsString)>) -> Self {
        self.environment = environment;
        self
    }

    /// The listener can change while Envoy runs; its connections are closed after `drain_time`.
    #[must_use]
    pub fn listener_discovered(mut self, drain_time: Duration) -> Self {
        self.listener_is_discovered = true;
        self.drain_time = drain_time;
        self
    }

    /// CONNECT opens a tunnel to the app of its host.
    #[must_use]
    pub fn accepts_connect(mut self) -> Self {
        self.accepts_connect = true;
        self
    }

    /// A folder that stays, instead of a temporary one.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }
}
