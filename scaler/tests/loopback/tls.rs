//! Who may ask a scaler for what, and whom it follows.

use std::{fs, net::SocketAddr, time::SystemTime};

use prometheus_client::{encoding::text::encode, registry::Registry};
use tempfile::TempDir;
use tokio_stream::pending;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use wakegate_runtime::{
    Refusals, Role, Tasks, Tls, TlsMetrics, TlsSetting, Transport,
    tls::{AUTHORITIES, Allowed, CERTIFICATE, Identity, KEY},
};
use wakegate_scaler::{Addresses, Config, start};
use wakegate_wire::{
    externalscaler::{GetMetricsRequest, external_scaler_client::ExternalScalerClient},
    v1::{FollowRequest, demand_client::DemandClient, ledgers_client::LedgersClient},
};

use crate::{
    authority::Authority,
    control_plane::ControlPlane,
    harness::{WEB, config, eventually, object, soon, table, web},
    life::page,
};

/// A scaler with certificates, and its control plane, which has those of `control_plane`.
struct Secured {
    authority: Authority,
    control_plane: ControlPlane,
    refused_there: Registry,
    _tasks: Tasks,
    addresses: Addresses,
    _dir: TempDir,
}

impl Secured {
    async fn start(control_plane: Role) -> Self {
        let authority = Authority::new("ours");
        let mut refused_there = Registry::default();
        let refusals = Refusals::register(&mut refused_there, "Refused");
        let metrics = TlsMetrics::register(&mut refused_there, refusals);
        let transport = transport(&authority.identity(control_plane), metrics);
        let any = "127.0.0.1:0".parse().unwrap();
        let update = table("v1", &[web()]);
        let control_plane = ControlPlane::start_over(&transport, any, update).await;
        let dir = tempfile::tempdir().unwrap();
        let Identity {
            certificate,
            key,
            authorities,
        } = authority.identity(Role::Scaler);
        for (name, content) in [
            (CERTIFICATE, certificate),
            (KEY, key),
            (AUTHORITIES, authorities),
        ] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        let setting = TlsSetting::Directory {
            path: dir.path().to_owned(),
            allowed: Allowed::default(),
        };
        let uri = format!("https://{}", control_plane.addr);
        let tasks = Tasks::default();
        let config = Config {
            control_plane: uri.parse().unwrap(),
            tls: setting,
            ..config(control_plane.addr)
        };
        let addresses = start(config, &tasks).await.unwrap();
        Self {
            authority,
            control_plane,
            refused_there,
            _tasks: tasks,
            addresses,
            _dir: dir,
        }
    }

    async fn channel(&self, role: Role) -> Channel {
        let transport = transport(&self.authority.identity(role), TlsMetrics::default());
        connect(&transport, self.addresses.grpc).await
    }

    fn n_acks(&self) -> usize {
        self.control_plane.seen.lock().acks.len()
    }
}

fn transport(identity: &Identity, metrics: TlsMetrics) -> Transport {
    let tls = Tls::new(identity, Allowed::default(), metrics, SystemTime::now());
    Transport::Tls(tls.unwrap())
}

async fn connect(transport: &Transport, addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("https://{addr}")).unwrap();
    let connecting = transport.connect(endpoint, Role::Scaler);
    soon("a connection", connecting).await.unwrap()
}

/// What each rpc of KEDA's answers.
async fn as_keda(channel: Channel) -> [Result<(), Status>; 5] {
    let mut keda = ExternalScalerClient::new(channel);
    let metrics = GetMetricsRequest {
        scaled_object_ref: Some(object(WEB)),
        metric_name: "concurrency".to_owned(),
    };
    let object = || object(WEB);
    [
        keda.is_active(object()).await.map(drop),
        keda.get_metric_spec(object()).await.map(drop),
        keda.get_metrics(metrics).await.map(drop),
        keda.stream_is_active(object()).await.map(drop),
        keda.stream_metric_spec(object()).await.map(drop),
    ]
}

fn is_refused(outcome: &Result<(), Status>) -> bool {
    outcome
        .as_ref()
        .is_err_and(|status| status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn reports_are_for_filters_questions_for_keda_ledgers_for_scalers_and_health_for_all() {
    let bench = Secured::start(Role::ControlPlane).await;
    eventually("the table over TLS", || bench.n_acks() > 0).await;
    for role in Role::ALL {
        let channel = bench.channel(role).await;
        for outcome in soon("KEDA's answers", as_keda(channel.clone())).await {
            assert_eq!(
                is_refused(&outcome),
                role != Role::Keda,
                "{role}: {outcome:?}"
            );
        }
        let mut demand = DemandClient::new(channel.clone());
        let opening = demand.report(pending());
        let outcome = soon("a stream", opening).await.map(drop);
        assert_eq!(
            is_refused(&outcome),
            role != Role::Filter,
            "{role}: {outcome:?}"
        );
        let mut ledgers = LedgersClient::new(channel.clone());
        let following = ledgers.follow(FollowRequest::default());
        let outcome = soon("a ledger", following).await.map(drop);
        assert_eq!(
            is_refused(&outcome),
            role != Role::Scaler,
            "{role}: {outcome:?}"
        );
        let mut health = HealthClient::new(channel);
        health.check(HealthCheckRequest::default()).await.unwrap();
    }
    let page = page(bench.addresses.admin, "/metrics").await;
    let line = "wakegate_scaler_refused_total{reason=\"role\"} 21\n";
    assert!(page.contains(line), "{page}");
    let expiry = "wakegate_scaler_tls_certificate_expiry_timestamp_seconds{certificate=\"own\"}";
    assert!(page.contains(expiry), "{page}");
}

#[tokio::test]
async fn a_control_plane_that_is_none_is_not_followed() {
    let bench = Secured::start(Role::Filter).await;
    eventually("a connection that the scaler breaks off", || {
        let mut text = String::new();
        encode(&mut text, &bench.refused_there).unwrap();
        text.contains("refused_total{reason=\"handshake\"}")
    })
    .await;
    assert_eq!(bench.n_acks(), 0);
}
