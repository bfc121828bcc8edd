//! Certificates that are replaced while streams are open.

use std::{fs, os::unix::fs::symlink, path::Path, time::SystemTime};

use tonic::{Streaming, transport::Channel};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient},
};
use wakegate_runtime::{
    Role, Tasks, TlsSetting, Transport,
    tls::{AUTHORITIES, Allowed, CERTIFICATE, Identity, KEY},
};

use crate::{
    authority::{Authority, trusting},
    client::{der, shown},
    harness::{Daemon, Metrics, connect, eventually, soon, tls},
};

/// A stream that is open, on a connection of its own.
struct Open {
    statuses: Streaming<HealthCheckResponse>,
    _channel: Channel,
}

impl Open {
    async fn on(daemon: &Daemon, identity: &Identity) -> Self {
        let transport = Transport::Tls(tls(identity));
        let channel = connect(&transport, daemon.addr, Role::Scaler)
            .await
            .unwrap();
        let mut client = HealthClient::new(channel.clone());
        let watching = client.watch(HealthCheckRequest::default());
        let statuses = soon("a stream", watching).await.unwrap().into_inner();
        let mut this = Self {
            statuses,
            _channel: channel,
        };
        this.next().await;
        this
    }

    async fn next(&mut self) -> i32 {
        let next = soon("a status", self.statuses.message()).await;
        next.unwrap().expect("the stream goes on").status
    }

    /// That what the server says still comes.
    async fn goes_on(&mut self, daemon: &Daemon) {
        for status in [ServingStatus::NotServing, ServingStatus::Serving] {
            daemon.health.set_service_status("", status).await;
            assert_eq!(self.next().await, status as i32);
        }
    }
}

#[tokio::test]
async fn an_authority_is_replaced_with_overlap_and_no_stream_ends() {
    let (old, new) = (Authority::new("wakegate"), Authority::new("wakegate"));
    let (daemon, tls) = Daemon::with(&old.identity(Role::Scaler)).await;
    let old_filter = old.identity(Role::Filter);
    let mut first = Open::on(&daemon, &old_filter).await;
    first.goes_on(&daemon).await;

    // Both are trusted, then what is shown is of the new one, then the old one is trusted no more.
    let both = [&old, &new];
    let between = trusting(old.identity(Role::Scaler), &both);
    tls.replace(&between, SystemTime::now()).unwrap();
    let new_filter = trusting(new.identity(Role::Filter), &both);
    let mut second = Open::on(&daemon, &new_filter).await;
    let last = trusting(new.identity(Role::Scaler), &both);
    tls.replace(&last, SystemTime::now()).unwrap();
    assert_eq!(shown(daemon.addr, &new_filter).await, der(&last));
    daemon
        .ask(&trusting(old_filter.clone(), &both))
        .await
        .unwrap();
    tls.replace(&new.identity(Role::Scaler), SystemTime::now())
        .unwrap();

    daemon.ask(&trusting(old_filter, &both)).await.unwrap_err();
    daemon.ask(&new_filter).await.unwrap();
    daemon
        .until_counted("tls_reloads_total{outcome=\"applied\"} 3")
        .await;
    let health = &daemon.health;
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.next().await, ServingStatus::NotServing as i32);
    }
}

/// The files as Kubernetes mounts them: links by way of a link to a folder, which is replaced.
fn mount(dir: &Path, generation: &str, identity: &Identity) {
    let Identity {
        certificate,
        key,
        authorities,
    } = identity;
    let folder = dir.join(generation);
    fs::create_dir(&folder).unwrap();
    for (name, content) in [
        (CERTIFICATE, certificate),
        (KEY, key),
        (AUTHORITIES, authorities),
    ] {
        fs::write(folder.join(name), content).unwrap();
        let link = dir.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    symlink(generation, dir.join("..staged")).unwrap();
    fs::rename(dir.join("..staged"), dir.join("..data")).unwrap();
}

#[tokio::test]
async fn what_is_mounted_is_followed_and_what_is_wrong_is_not() {
    let authority = Authority::new("ours");
    let [first, second, third] = [(); 3].map(|()| authority.identity(Role::Scaler));
    let dir = tempfile::tempdir().unwrap();
    mount(dir.path(), "1", &first);
    let (tasks, metrics) = (Tasks::default(), Metrics::new());
    let setting = TlsSetting::Directory {
        path: dir.path().to_owned(),
        allowed: Allowed::default(),
    };
    let transport = Transport::of(setting, metrics.tls, &tasks).unwrap();
    let daemon = Daemon::serve(&transport, metrics.registry, Role::Filter).await;
    let filter = authority.identity(Role::Filter);
    let mut open = Open::on(&daemon, &filter).await;
    assert_eq!(shown(daemon.addr, &filter).await, der(&first));

    // Half of it: the certificate is there, its key is not.
    let torn = Identity {
        key: first.key.clone(),
        ..second.clone()
    };
    mount(dir.path(), "2", &torn);
    let is_refused = || {
        daemon
            .metrics()
            .contains("tls_reloads_total{outcome=\"refused\"}")
    };
    eventually("a refusal", is_refused).await;
    assert_eq!(shown(daemon.addr, &filter).await, der(&first));
    mount(dir.path(), "3", &third);
    daemon
        .until_counted("tls_reloads_total{outcome=\"applied\"} 1")
        .await;
    assert_eq!(shown(daemon.addr, &filter).await, der(&third));
    open.goes_on(&daemon).await;
    tasks.shutdown_token().cancel();
}

#[tokio::test]
async fn a_client_that_comes_back_shows_what_is_in_force_by_then() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (daemon, server) = Daemon::with(&old.identity(Role::Scaler)).await;
    let client = tls(&old.identity(Role::Filter));
    let transport = Transport::Tls(client.clone());
    connect(&transport, daemon.addr, Role::Scaler)
        .await
        .unwrap();
    server
        .replace(&new.identity(Role::Scaler), SystemTime::now())
        .unwrap();
    connect(&transport, daemon.addr, Role::Scaler)
        .await
        .unwrap_err();
    client
        .replace(&new.identity(Role::Filter), SystemTime::now())
        .unwrap();
    let channel = connect(&transport, daemon.addr, Role::Scaler)
        .await
        .unwrap();
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest::default()).await.unwrap();
}
