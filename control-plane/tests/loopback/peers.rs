use std::net::SocketAddr;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use wakegate_control_plane::{peers::Follower, push::Applied};
use wakegate_runtime::Transport;
use wakegate_wire::v1::{
    Hello, Scope, ShareResponse, Standing, Standings, peers_client::PeersClient,
};

use crate::harness::{ControlPlane, hello, shop, soon};

const ONE_BEHIND: Applied = Applied::Waiting { n_behind: 1 };

/// A replica that tells whoever leads, and the way to say who that is.
struct Following {
    leader: watch::Sender<Option<String>>,
    task: JoinSet<()>,
}

impl Following {
    fn start(replica: &ControlPlane, leader: SocketAddr) -> Self {
        let leader = watch::Sender::new(Some(leader.to_string()));
        let follower = Follower::new(
            "follower".to_owned(),
            replica.workers.clone(),
            leader.subscribe(),
            watch::Sender::new(Some(Transport::PlainText)).subscribe(),
        );
        let mut task = JoinSet::new();
        task.spawn(async {
            follower.run(CancellationToken::new()).await.unwrap();
        });
        Self { leader, task }
    }
}

#[tokio::test]
async fn the_leader_waits_for_the_workers_of_every_replica() {
    let (leader, follower) = (
        ControlPlane::with(&shop("web")).await,
        ControlPlane::with(&shop("web")).await,
    );
    let mut following = Following::start(&follower, leader.addr);
    leader.until_applied("shop", Applied::NoWorker).await;
    let mut far = follower.watch(hello()).await;
    leader.until_applied("shop", ONE_BEHIND).await;
    far.applied().await;
    leader.until_applied("shop", Applied::All).await;
    let near = Hello {
        worker: 1,
        ..hello()
    };
    let mut near = leader.watch(near).await;
    leader.until_applied("shop", ONE_BEHIND).await;
    near.applied().await;
    leader.until_applied("shop", Applied::All).await;
    drop(near);
    // Who does not speak any more is not waited for.
    following.task.shutdown().await;
    leader.until_applied("shop", Applied::NoWorker).await;
}

#[tokio::test]
async fn another_leader_is_told_and_the_old_one_forgets() {
    let (old, new, follower) = (
        ControlPlane::with(&shop("web")).await,
        ControlPlane::with(&shop("web")).await,
        ControlPlane::with(&shop("web")).await,
    );
    let following = Following::start(&follower, old.addr);
    let mut worker = follower.watch(hello()).await;
    worker.applied().await;
    old.until_applied("shop", Applied::All).await;
    following.leader.send_replace(Some(new.addr.to_string()));
    new.until_applied("shop", Applied::All).await;
    old.until_applied("shop", Applied::NoWorker).await;
    following.leader.send_replace(None);
    new.until_applied("shop", Applied::NoWorker).await;
}

#[tokio::test]
async fn a_scope_comes_over_whole() {
    let (leader, follower) = (
        ControlPlane::with(&shop("web")).await,
        ControlPlane::with(&shop("web")).await,
    );
    let _following = Following::start(&follower, leader.addr);
    let scope = Scope {
        namespaces: vec!["blog".to_owned()],
        ..Scope::default()
    };
    let blogs = Hello {
        scope: Some(scope),
        ..hello()
    };
    let mut blogs = follower.watch(blogs).await;
    blogs.applied().await;
    leader.until_applied("blog", Applied::All).await;
    leader.until_applied("shop", Applied::NoWorker).await;
}

/// What a peer gets for one message.
async fn answer(plane: &ControlPlane, message: Standings) -> Status {
    let (messages, stream) = mpsc::channel(1);
    messages.send(message).await.unwrap();
    let mut client = PeersClient::new(plane.channel().await);
    let answer = soon("an answer", client.share(ReceiverStream::new(stream))).await;
    answer
        .map(|answer| answer.into_inner() == ShareResponse {})
        .unwrap_err()
}

#[tokio::test]
async fn a_peer_that_says_too_much_is_refused_and_counts_for_nothing() {
    let plane = ControlPlane::with(&shop("web")).await;
    let many = Standings {
        standings: vec![Standing::default(); 10_001],
        ..Standings::default()
    };
    assert_eq!(answer(&plane, many).await.code(), Code::InvalidArgument);
    let long = Standing {
        version: "v".repeat(257),
        workers: 1,
        ..Standing::default()
    };
    let long = Standings {
        standings: vec![long],
        ..Standings::default()
    };
    assert_eq!(answer(&plane, long).await.code(), Code::InvalidArgument);
    plane.until_applied("shop", Applied::NoWorker).await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_gone() {
    let plane = ControlPlane::with(&shop("web")).await;
    let standing = Standing {
        workers: u32::MAX,
        ..Standing::default()
    };
    let standings = Standings {
        standings: vec![standing; 2],
        ..Standings::default()
    };
    assert_eq!(
        answer(&plane, standings).await.code(),
        Code::DeadlineExceeded
    );
    plane.until_applied("shop", Applied::NoWorker).await;
}
