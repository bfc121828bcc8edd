//! Who may ask a control plane for what.

use std::time::SystemTime;

use envoy_types::pb::envoy::service::{
    discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    endpoint::v3::endpoint_discovery_service_client::EndpointDiscoveryServiceClient,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{sync::watch, task::JoinSet};
use tokio_stream::pending;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use wakegate_control_plane::{peers::Follower, push::Applied};
use wakegate_runtime::{
    Refusals, Role, Tls, TlsMetrics, Transport,
    tls::{Allowed, Identity},
};
use wakegate_wire::v1::{self, peers_client::PeersClient, watch_request::Request};

use crate::{
    authority::Authority,
    harness::{Client, ControlPlane, hello, shop, soon},
};

/// What comes of each stream that there is, and whom it is for.
async fn opened(channel: Channel) -> Vec<(&'static str, Role, Result<(), Status>)> {
    let watch = async |role: v1::Role| {
        let hello = v1::Hello {
            role: role.into(),
            ..hello()
        };
        Client::open(channel.clone(), Request::Hello(hello))
            .await
            .map(drop)
    };
    let mut eds = EndpointDiscoveryServiceClient::new(channel.clone());
    let mut ads = AggregatedDiscoveryServiceClient::new(channel.clone());
    let whole = ads.stream_aggregated_resources(pending());
    let whole = soon("ADS", whole).await.map(drop);
    let delta = ads.delta_aggregated_resources(pending());
    let delta = soon("delta ADS", delta).await.map(drop);
    vec![
        ("Watch", Role::Filter, watch(v1::Role::Filter).await),
        (
            "Watch of a scaler",
            Role::Scaler,
            watch(v1::Role::Scaler).await,
        ),
        (
            "EDS",
            Role::Filter,
            eds.stream_endpoints(pending()).await.map(drop),
        ),
        (
            "delta EDS",
            Role::Filter,
            eds.delta_endpoints(pending()).await.map(drop),
        ),
        ("ADS", Role::Filter, whole),
        ("delta ADS", Role::Filter, delta),
    ]
}

/// A stream of standings that says nothing, to its end: the call is answered only then, unless it is refused.
async fn shared(channel: Channel) -> Status {
    let mut peers = PeersClient::new(channel);
    peers.share(pending()).await.unwrap_err()
}

fn transport(identity: &Identity, metrics: TlsMetrics) -> Transport {
    let tls = Tls::new(identity, Allowed::default(), metrics, SystemTime::now());
    Transport::Tls(tls.unwrap())
}

fn of(authority: &Authority, role: Role) -> Transport {
    transport(&authority.identity(role), TlsMetrics::default())
}

#[tokio::test]
async fn routes_and_endpoints_are_for_filters_workloads_for_scalers_and_standings_for_replicas() {
    let authority = Authority::new("ours");
    let mut registry = Registry::default();
    let refusals = Refusals::register(&mut registry, "Refused");
    let metrics = TlsMetrics::register(&mut registry, refusals);
    let serving = transport(&authority.identity(Role::ControlPlane), metrics);
    let mut plane = ControlPlane::over(&serving).await;
    plane.write("first.yaml", &shop("web"));
    plane.load();
    let mut n_refused = 0;
    for role in Role::ALL {
        let endpoint = Endpoint::from_shared(format!("https://{}", plane.addr)).unwrap();
        let transport = of(&authority, role);
        let connecting = transport.connect(endpoint, Role::ControlPlane);
        let channel = soon("a connection", connecting).await.unwrap();
        for (what, wanted, outcome) in soon("all streams", opened(channel.clone())).await {
            match outcome {
                Ok(()) => assert_eq!(role, wanted, "{what}"),
                Err(status) => {
                    assert_eq!(status.code(), Code::PermissionDenied, "{what}: {status}");
                    assert_ne!(role, wanted, "{what}");
                    n_refused += 1;
                }
            }
        }
        let status = soon("an end", shared(channel)).await;
        let expected = match role {
            Role::ControlPlane => Code::DeadlineExceeded,
            Role::Filter | Role::Keda | Role::Scaler => Code::PermissionDenied,
        };
        assert_eq!(status.code(), expected, "{role}: {status}");
    }
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let line = format!("refused_total{{reason=\"role\"}} {}\n", n_refused + 3);
    assert!(text.contains(&line), "{line} in {text}");
}

#[tokio::test]
async fn a_replica_is_heard_when_it_is_one() {
    let authority = Authority::new("ours");
    let mut leader = ControlPlane::over(&of(&authority, Role::ControlPlane)).await;
    leader.write("first.yaml", &shop("web"));
    leader.load();
    let follower = ControlPlane::with(&shop("web")).await;
    let mut worker = follower.watch(hello()).await;
    worker.applied().await;
    let follow = |role: Role| {
        let follower = Follower::new(
            "follower".to_owned(),
            follower.workers.clone(),
            watch::Sender::new(Some(leader.addr.to_string())).subscribe(),
            watch::Sender::new(Some(of(&authority, role))).subscribe(),
        );
        let mut task = JoinSet::new();
        task.spawn(async {
            follower.run(CancellationToken::new()).await.unwrap();
        });
        task
    };
    let _stranger = follow(Role::Scaler);
    leader.until_applied("shop", Applied::NoWorker).await;
    let _replica = follow(Role::ControlPlane);
    leader.until_applied("shop", Applied::All).await;
}
