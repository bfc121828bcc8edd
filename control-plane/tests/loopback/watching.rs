use std::fs;

use wakegate_control_plane::snapshot::Snapshot;

use crate::harness::{ControlPlane, endpoints, shop};

fn ready(snapshot: &Snapshot) -> u32 {
    snapshot
        .backends
        .values()
        .map(|backend| backend.message.ready_endpoints)
        .sum()
}

#[tokio::test]
async fn renames_rewrites_and_removals_are_seen() {
    let plane = ControlPlane::with(&shop("web")).await;
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    plane.until("the rename", |now| ready(now) == 1).await;
    fs::write(
        plane.path("web.yaml"),
        endpoints("web", &["127.0.0.1", "127.0.0.2"]),
    )
    .unwrap();
    plane.until("the rewrite", |now| ready(now) == 2).await;
    fs::remove_file(plane.path("web.yaml")).unwrap();
    plane.until("the removal", |now| ready(now) == 0).await;
}

#[tokio::test]
async fn directories_that_come_and_go_bring_and_take_their_files() {
    let plane = ControlPlane::with(&shop("web")).await;
    fs::create_dir(plane.path("staged.d")).unwrap();
    fs::write(plane.path("staged.d").join("api.yml"), shop("api")).unwrap();
    plane
        .until("the file below", |now| now.routes.size() == 2)
        .await;
    fs::rename(plane.path("staged.d"), plane.path(".hidden")).unwrap();
    plane.until("its end", |now| now.routes.size() == 1).await;
}

#[tokio::test]
async fn a_link_that_moves_moves_what_is_behind_it() {
    // As the kubelet mounts a ConfigMap: files are links into a directory that is swapped as a whole.
    let plane = ControlPlane::with(&shop("web")).await;
    for (version, name) in [("..1", "api"), ("..2", "blog")] {
        fs::create_dir(plane.path(version)).unwrap();
        fs::write(plane.path(version).join("more.yaml"), shop(name)).unwrap();
    }
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, plane.path(from)).unwrap();
    link("..1", "..data");
    link("..data/more.yaml", "more.yaml");
    let has = |snapshot: &Snapshot, name: &str| {
        snapshot
            .routes
            .keys()
            .any(|id| id.as_str() == format!("HTTPRoute/shop/{name}/0/0"))
    };
    plane
        .until("the first version", |now| has(now, "api"))
        .await;
    link("..2", "..data_tmp");
    fs::rename(plane.path("..data_tmp"), plane.path("..data")).unwrap();
    plane
        .until("the second version", |now| {
            has(now, "blog") && !has(now, "api")
        })
        .await;
}

#[tokio::test]
async fn a_file_that_goes_bad_keeps_its_last_good_objects_until_it_is_good_again() {
    let plane = ControlPlane::with(&shop("web")).await;
    plane.write("web.yaml", &endpoints("web", &["127.0.0.1"]));
    plane.until("the endpoint", |now| ready(now) == 1).await;
    plane.write("web.yaml", "apiVersion: [\n");
    let bad = plane
        .until("the finding", |now| !now.findings.is_empty())
        .await;
    assert_eq!(ready(&bad), 1);
    let finding = bad.findings.first().unwrap().to_string();
    assert!(finding.starts_with("web.yaml, document 1: "), "{finding}");
    assert!(
        finding.ends_with("; its last good version stays in force"),
        "{finding}"
    );
    plane.write("web.yaml", &endpoints("web", &[]));
    let good = plane
        .until("the end of the finding", |now| now.findings.is_empty())
        .await;
    assert_eq!(ready(&good), 0);
}
