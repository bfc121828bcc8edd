use tonic::Code;
use wakegate_wire::v1::{self, watch_request::Request};

use crate::harness::{ControlPlane, endpoints, hello, shop, soon};

#[tokio::test]
async fn a_new_worker_gets_everything_and_then_differences() {
    let plane = ControlPlane::with(&(shop("web") + &shop("api"))).await;
    let mut client = plane.watch(hello()).await;

    let first = client.applied().await;
    assert!(first.full);
    let ids: Vec<_> = first.routes.iter().map(|route| route.id.as_str()).collect();
    assert_eq!(ids, ["HTTPRoute/shop/api/0/0", "HTTPRoute/shop/web/0/0"]);
    assert_eq!(first.backends.len(), 2);
    assert_eq!(first.workloads, []);

    plane.write("web.yaml", &endpoints("web", &["127.0.0.1", "127.0.0.2"]));
    let second = client.applied().await;
    assert!(!second.full);
    assert_eq!(second.routes, []);
    let backends: Vec<_> = second
        .backends
        .iter()
        .map(|backend| (backend.id.as_str(), backend.ready_endpoints))
        .collect();
    assert_eq!(backends, [("shop/web/80", 2)]);

    plane.write("first.yaml", &shop("web"));
    let third = client.applied().await;
    assert_eq!(third.removed_routes, ["HTTPRoute/shop/api/0/0"]);
    assert_eq!(third.removed_backends, ["shop/api/80"]);
    assert_eq!((third.routes, third.backends), (vec![], vec![]));
}

#[tokio::test]
async fn nothing_is_pushed_before_the_first_load() {
    let mut plane = ControlPlane::unloaded().await;
    let mut client = plane.watch(hello()).await;
    assert_eq!(client.heartbeat().await, 1);
    plane.load();
    let first = client.update().await;
    assert!(first.full && first.routes.is_empty());
    assert_eq!(first.version, "0".repeat(32));
}

#[tokio::test]
async fn a_worker_that_comes_back_gets_what_it_missed() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    let known = client.applied().await.version;
    drop(client);
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    plane.write("api.yaml", &shop("api"));
    plane
        .until("both changes", |now| {
            now.routes.size() == 2 && now.backends.values().any(|b| b.message.ready_endpoints > 0)
        })
        .await;

    let mut back = plane
        .watch(v1::Hello {
            version: known,
            ..hello()
        })
        .await;
    let missed = back.applied().await;
    assert!(!missed.full);
    assert_eq!((missed.routes.len(), missed.backends.len()), (1, 2));

    // With the newest version there is nothing to say but the heartbeat.
    let newest = v1::Hello {
        version: missed.version.clone(),
        worker: 1,
        ..hello()
    };
    let mut same = plane.watch(newest).await;
    for _ in 0..3 {
        assert!(same.heartbeat().await >= 1);
    }
    let unknown = v1::Hello {
        version: "of another".to_owned(),
        worker: 2,
        ..hello()
    };
    let all = plane.watch(unknown).await.applied().await;
    assert!(all.full);
    assert_eq!(all.version, missed.version);
}

#[tokio::test]
async fn every_control_plane_gives_one_table_one_version() {
    let one = ControlPlane::with(&(shop("web") + &shop("api"))).await;
    let other = ControlPlane::with(&shop("api")).await;
    other.write("later.yaml", &shop("web"));
    other
        .until("the second route", |now| now.routes.size() == 2)
        .await;
    let one = one.watch(hello()).await.update().await;
    let other = other.watch(hello()).await.update().await;
    assert_eq!(one.version, other.version);
}

#[tokio::test]
async fn one_update_is_in_flight_and_the_rest_becomes_one() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    let first = client.update().await;
    for name in ["a", "b", "c"] {
        plane.write(&format!("{name}.yaml"), &shop(name));
    }
    plane
        .until("all routes", |now| now.routes.size() == 4)
        .await;
    // Unacked, nothing but heartbeats comes.
    client.heartbeat().await;
    client.ack(&first.version, "").await;
    assert_eq!(client.applied().await.routes.len(), 3);
}

#[tokio::test]
async fn a_refused_table_is_shown_and_the_next_one_comes_whole() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    let first = client.applied().await;
    plane.write("api.yaml", &shop("api"));
    let second = client.update().await;
    client.ack(&second.version, "no such thing").await;
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    let third = client.update().await;
    assert!(third.full);
    assert_eq!(third.routes.len(), 2);

    let reports = plane.workers.reports();
    let [report] = reports.as_slice() else {
        panic!("{reports:?}")
    };
    assert_eq!(report.acked_version.as_ref(), Some(&first.version));
    let refused = report.refused.as_ref().unwrap();
    assert_eq!(
        (&refused.version, refused.error.as_str()),
        (&second.version, "no such thing")
    );
}

#[tokio::test]
async fn a_scaler_gets_workloads_alone() {
    let plane = ControlPlane::with(&shop("web")).await;
    let role = v1::Role::Scaler.into();
    let mut scaler = plane.watch(v1::Hello { role, ..hello() }).await;
    let first = scaler.applied().await;
    assert_eq!((first.routes, first.backends), (vec![], vec![]));
    let [workload] = first.workloads.as_slice() else {
        panic!("{:?}", first.workloads)
    };
    assert_eq!(workload.id, "shop/Service/web");
    assert_eq!(workload.keys, ["service/shop/web"]);
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    assert_eq!(scaler.applied().await.workloads[0].ready_endpoints, 1);
}

#[tokio::test]
async fn a_scope_has_its_own_table_and_version() {
    let plane = ControlPlane::with(&shop("web")).await;
    let all = plane.watch(hello()).await.applied().await;
    let scope = |namespace: &str| {
        let scope = v1::Scope {
            namespaces: vec![namespace.to_owned()],
            ..v1::Scope::default()
        };
        v1::Hello {
            scope: Some(scope),
            ..hello()
        }
    };
    assert_eq!(
        plane.watch(scope("shop")).await.applied().await.version,
        all.version
    );
    let mut other = plane.watch(scope("blog")).await;
    let none = other.applied().await;
    assert_eq!((none.routes, none.backends), (vec![], vec![]));
    // What happens elsewhere is no news there.
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    plane.until("the endpoint", |now| now.sequence > 1).await;
    other.heartbeat().await;
    other.heartbeat().await;
}

#[tokio::test]
async fn heartbeats_count_the_workers_of_a_proxy() {
    let plane = ControlPlane::with("").await;
    let mut one = plane.watch(hello()).await;
    one.applied().await;
    let two = plane
        .watch(v1::Hello {
            worker: 1,
            ..hello()
        })
        .await;
    let _stranger = plane
        .watch(v1::Hello {
            proxy: "envoy-2".to_owned(),
            ..hello()
        })
        .await;
    while one.heartbeat().await != 2 {}
    drop(two);
    while one.heartbeat().await != 1 {}
}

#[tokio::test]
async fn streams_end_well_on_a_drain() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    client.applied().await;
    plane.shutdown.cancel();
    soon("the end of the stream", async {
        while client.next().await.is_some() {}
    })
    .await;
    drop(client);
    plane.ended().await;
}

#[tokio::test]
async fn who_does_not_say_hello_properly_is_sent_away() {
    let plane = ControlPlane::with("").await;
    let newer = v1::Hello {
        protocol: 2,
        ..hello()
    };
    let nameless = v1::Hello {
        proxy: String::new(),
        ..hello()
    };
    let endless = v1::Hello {
        release: "x".repeat(300),
        ..hello()
    };
    for (first, code) in [
        (Request::Hello(newer), Code::FailedPrecondition),
        (Request::Hello(nameless), Code::InvalidArgument),
        (Request::Hello(endless), Code::InvalidArgument),
        (Request::Ack(v1::Ack::default()), Code::InvalidArgument),
    ] {
        let refused = plane.try_watch(first).await.err().unwrap();
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    assert_eq!(plane.workers.reports(), []);
}
