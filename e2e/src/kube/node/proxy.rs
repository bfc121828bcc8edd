//! What kube-proxy does: a connection to a Service's address goes to one of its ready endpoints, and is refused
//! while there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::kube::Client;
use ::kube::api::Api;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::runtime::watcher::{self, Event, watcher};
use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::names::Names;
use super::{addresses, next};
use crate::background::Background;

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Namespace and name.
type Name = (String, String);

/// What the API server says.
#[derive(Debug, Default)]
struct Seen {
    services: BTreeMap<Name, Service>,
    slices: BTreeMap<Name, EndpointSlice>,
}

/// A port of a Service that has ready endpoints.
#[derive(Debug)]
struct Open {
    targets: Arc<Targets>,
    _listening: Background,
}

#[derive(Debug, Default)]
struct Targets {
    ready: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
}

/// Serves the addresses of all Services, and their names.
pub(super) async fn run(client: Client, mut names: Names) {
    let services: Api<Service> = Api::all(client.clone());
    let slices: Api<EndpointSlice> = Api::all(client);
    let mut services = pin!(watcher(services, watcher::Config::default()));
    let mut slices = pin!(watcher(slices, watcher::Config::default()));
    let (mut seen, mut open) = (Seen::default(), BTreeMap::new());
    let mut hosts = BTreeSet::new();
    loop {
        tokio::select! {
            Some(event) = next(&mut services) => fold(&mut seen.services, event),
            Some(event) = next(&mut slices) => fold(&mut seen.slices, event),
            else => return,
        }
        if let Err(error) = names.set(&seen.names()) {
            tracing::warn!(%error, "node: names of Services stay as they were");
        }
        let wanted = seen.wanted();
        open.retain(|address, _| wanted.contains_key(address));
        for (address, ready) in wanted {
            serve(address, ready, &mut open).await;
        }
        let now: BTreeSet<Ipv4Addr> = seen.services.values().filter_map(cluster_ip).collect();
        for gone in hosts.difference(&now) {
            // It goes with the network namespace at the latest.
            drop(addresses::remove(*gone).await);
        }
        hosts = now;
    }
}

async fn serve(address: SocketAddr, ready: Vec<SocketAddr>, open: &mut BTreeMap<SocketAddr, Open>) {
    if let Some(open) = open.get(&address) {
        *open.targets.ready.lock() = ready;
        return;
    }
    let IpAddr::V4(host) = address.ip() else {
        return;
    };
    if let Err(error) = addresses::put(host).await {
        tracing::warn!(%error, "node: a Service's address cannot be had");
        return;
    }
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, %address, "node: a Service's port is taken"),
    };
    let targets = Arc::new(Targets::default());
    *targets.ready.lock() = ready;
    let listening = Background::start(forward_all(listener, Arc::clone(&targets)));
    let port = Open {
        targets,
        _listening: listening,
    };
    open.insert(address, port);
}

async fn forward_all(listener: TcpListener, targets: Arc<Targets>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(forward(client, targets.next()));
    }
}

async fn forward(mut client: TcpStream, target: Option<SocketAddr>) -> Option<()> {
    let mut server = TcpStream::connect(target?).await.ok()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

impl Targets {
    fn next(&self) -> Option<SocketAddr> {
        let ready = self.ready.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        ready.get(turn.checked_rem(ready.len())?).copied()
    }
}

impl Seen {
    /// Every port of every Service that has ready endpoints.
    fn wanted(&self) -> BTreeMap<SocketAddr, Vec<SocketAddr>> {
        let mut wanted = BTreeMap::new();
        for (name, service) in &self.services {
            let Some(host) = cluster_ip(service) else {
                continue;
            };
            let ports = service
                .spec
                .iter()
                .flat_map(|spec| spec.ports.iter().flatten());
            for port in ports {
                let ready = self.ready(name, port.name.as_deref());
                if let (Ok(number), false) = (u16::try_from(port.port), ready.is_empty()) {
                    wanted.insert(SocketAddr::new(host.into(), number), ready);
                }
            }
        }
        wanted
    }

    /// The addresses by which each Service is found.
    fn names(&self) -> BTreeMap<Name, Vec<Ipv4Addr>> {
        let names = self.services.iter().map(|(name, service)| {
            let addresses = match cluster_ip(service) {
                Some(address) => vec![address],
                None => self.pods(name, service),
            };
            (name.clone(), addresses)
        });
        names.collect()
    }

    /// The pods of a headless Service that its name has.
    fn pods(&self, name: &Name, service: &Service) -> Vec<Ipv4Addr> {
        let spec = service.spec.as_ref();
        let all = spec.and_then(|spec| spec.publish_not_ready_addresses) == Some(true);
        let endpoints = self
            .slices_of(name)
            .flat_map(|slice| slice.endpoints.iter().flatten());
        let named = endpoints.filter(|endpoint| all || is_ready(endpoint));
        let addresses = named.flat_map(|endpoint| &endpoint.addresses);
        let addresses: BTreeSet<_> = addresses.filter_map(|it| it.parse().ok()).collect();
        addresses.into_iter().collect()
    }

    fn slices_of<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a EndpointSlice> {
        let (namespace, service) = name;
        let slices = self.slices.iter();
        let slices =
            slices.filter(move |((of, _), slice)| of == namespace && is_of(slice, service));
        slices.map(|(_, slice)| slice)
    }

    fn ready(&self, name: &Name, port: Option<&str>) -> Vec<SocketAddr> {
        let addresses = self.slices_of(name).flat_map(|slice| {
            let mut ports = slice.ports.iter().flatten();
            let named = |name: &str| port.unwrap_or_default() == name;
            let port = ports.find(|it| named(it.name.as_deref().unwrap_or_default()));
            let port = port.and_then(|port| u16::try_from(port.port?).ok());
            let endpoints = slice.endpoints.iter().flatten();
            let ready = endpoints.filter(|endpoint| is_ready(endpoint));
            let hosts = ready.flat_map(|endpoint| &endpoint.addresses);
            hosts.filter_map(move |host| Some(SocketAddr::new(host.parse().ok()?, port?)))
        });
        addresses.collect()
    }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    conditions.and_then(|it| it.ready).unwrap_or(true)
}

fn is_of(slice: &EndpointSlice, service: &str) -> bool {
    let labels = slice.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get(SERVICE_NAME))
        .is_some_and(|name| name == service)
}

fn cluster_ip(service: &Service) -> Option<Ipv4Addr> {
    service.spec.as_ref()?.cluster_ip.as_ref()?.parse().ok()
}

fn fold<K: kube::Resource>(objects: &mut BTreeMap<Name, K>, event: Event<K>) {
    let name = |object: &K| {
        let meta = object.meta();
        let namespace = meta.namespace.clone().unwrap_or_default();
        (namespace, meta.name.clone().unwrap_or_default())
    };
    match event {
        Event::Init => objects.clear(),
        Event::InitDone => {}
        Event::InitApply(object) | Event::Apply(object) => {
            objects.insert(name(&object), object);
        }
        Event::Delete(object) => {
            objects.remove(&name(&object));
        }
    }
}
