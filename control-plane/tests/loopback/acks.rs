use std::sync::Arc;

use wakegate_control_plane::{index::Origin, push::Applied};
use wakegate_wire::v1::{Hello, Role, Scope};

use crate::harness::{ControlPlane, endpoints, hello, shop};

const ONE_BEHIND: Applied = Applied::Waiting { n_behind: 1 };

fn within(namespace: &str, worker: u32) -> Hello {
    let namespaces = vec![namespace.to_owned()];
    Hello {
        worker,
        scope: Some(Scope {
            namespaces,
            ..Scope::default()
        }),
        ..hello()
    }
}

#[tokio::test]
async fn a_table_is_applied_when_every_worker_that_gets_it_acked() {
    let plane = ControlPlane::with(&shop("web")).await;
    plane.until_applied("shop", Applied::NoWorker).await;
    let mut first = plane.watch(hello()).await;
    let update = first.update().await;
    plane.until_applied("shop", ONE_BEHIND).await;
    first.ack(&update.version, "").await;
    plane.until_applied("shop", Applied::All).await;

    let mut second = plane.watch(within("shop", 1)).await;
    plane.until_applied("shop", ONE_BEHIND).await;
    second.applied().await;
    plane.until_applied("shop", Applied::All).await;
    drop((first, second));
    plane.until_applied("shop", Applied::NoWorker).await;
}

#[tokio::test]
async fn workers_of_other_routes_and_scalers_do_not_matter() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut shops = plane.watch(within("shop", 0)).await;
    shops.applied().await;
    let _blogs = plane.watch(within("blog", 1)).await;
    let scaler = Hello {
        role: Role::Scaler.into(),
        proxy: "scaler".to_owned(),
        ..hello()
    };
    let _scaler = plane.watch(scaler).await;
    plane.until_applied("blog", ONE_BEHIND).await;
    plane.until_applied("shop", Applied::All).await;
}

#[tokio::test]
async fn a_change_that_a_worker_does_not_get_leaves_it_up_to_date() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut blogs = plane.watch(within("blog", 0)).await;
    blogs.applied().await;
    plane.write("api.yaml", &shop("api"));
    plane
        .until("the change", |now| now.routes.size() == 2)
        .await;
    plane.until_applied("blog", Applied::All).await;
}

#[tokio::test]
async fn a_worker_that_refused_is_behind_until_the_next_table() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    client.applied().await;
    plane.write("api.yaml", &shop("api"));
    let update = client.update().await;
    client.ack(&update.version, "out of memory").await;
    plane.until_applied("shop", ONE_BEHIND).await;
    plane.write("api.yaml", &(shop("api") + &shop("new")));
    client.applied().await;
    plane.until_applied("shop", Applied::All).await;
}

#[tokio::test]
async fn of_two_connections_of_one_worker_the_newer_counts() {
    let plane = ControlPlane::with(&shop("web")).await;
    let _stuck = plane.watch(hello()).await;
    plane.until_applied("shop", ONE_BEHIND).await;
    let mut again = plane.watch(hello()).await;
    again.applied().await;
    plane.until_applied("shop", Applied::All).await;
}

#[tokio::test]
async fn an_older_snapshot_is_applied_with_a_newer() {
    let plane = ControlPlane::with(&shop("web")).await;
    let mut client = plane.watch(hello()).await;
    client.applied().await;
    let old = plane.until("a table", |_| true).await;
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    let shops = Origin {
        namespace: "shop".to_owned(),
        ..Origin::default()
    };
    let shops = [Arc::new(shops)];
    let update = client.update().await;
    assert_eq!(plane.acks.applied(&old, &shops), Applied::All);
    plane.until_applied("shop", ONE_BEHIND).await;
    client.ack(&update.version, "").await;
    plane.until_applied("shop", Applied::All).await;
    assert_eq!(plane.acks.applied(&old, &shops), Applied::All);
}
