//! Requests that are rare, while they are held: pipelined, with `Expect`, HEAD and CONNECT. Those to `odd`
//! are let go together, those to `never` end by time-out.

mod conversation;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::{Method, Request};
use tokio::sync::Barrier;
use tokio::time;
use wakegate_e2e::client::{H2, full, read};

use crate::scene::Scene;
use conversation::Conversation;

/// Without an answer for so long, a request is held.
const QUIET: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(20);
const N_ROUNDS: usize = 2;

/// Those to `odd` meet here when they are held.
struct Held<'a> {
    address: SocketAddr,
    all_held: &'a Barrier,
}

/// The conversations with `odd`, and the one who wakes it.
const N_MEETING: usize = 7 + 1;

pub(super) async fn ask(scene: &Scene) -> Result<()> {
    let address = scene.stack.address()?;
    let odd = &scene.services.odd;
    for round in 0..N_ROUNDS {
        let all_held = Barrier::new(N_MEETING);
        let held = Held {
            address,
            all_held: &all_held,
        };
        let wake = async {
            all_held.wait().await;
            scene.board.put(odd, scene.calm.endpoint()).await
        };
        let woken = async {
            tokio::try_join!(
                wake,
                held.pipelined(),
                held.pipelined_before_one_that_is_awake(),
                held.expecting(),
                held.head(),
                held.tunnel(),
                held.head_over_h2(),
                held.tunnel_over_h2(),
            )
        };
        let timed_out = async {
            tokio::try_join!(
                pipelined_in_vain(address),
                expecting_in_vain(address),
                head_in_vain(address),
                tunnel_in_vain(address),
            )
        };
        let both = async { tokio::try_join!(woken, timed_out) };
        let ended = time::timeout(SOON, both).await;
        ended.with_context(|| format!("odd requests, round {round}: not all have ended"))??;
        scene.board.put(odd, None).await?;
        asleep_again(address).await?;
    }
    Ok(())
}

/// Waits until a request is held.
async fn asleep_again(address: SocketAddr) -> Result<()> {
    let connection = H2::open(address).await?;
    drop(
        connection
            .send_until_held("http://odd.test/again", SOON)
            .await?,
    );
    Ok(())
}

impl Held<'_> {
    /// Until all are held; then `odd` is woken.
    async fn meet(&self, conversation: &mut Conversation) -> Result<()> {
        conversation.is_quiet(QUIET).await?;
        self.all_held.wait().await;
        Ok(())
    }

    async fn pipelined(&self) -> Result<()> {
        let mut client = Conversation::open("pipelined", self.address).await?;
        for path in ["/first", "/second", "/third"] {
            client.send("GET", "odd.test", path, "").await?;
        }
        self.meet(&mut client).await?;
        for path in ["/first", "/second", "/third"] {
            client.hear(200).await?.says(path)?;
        }
        client.is_quiet(QUIET).await
    }

    /// The second one could be answered at once, and has to wait for its turn.
    async fn pipelined_before_one_that_is_awake(&self) -> Result<()> {
        let mut client = Conversation::open("pipelined, the second awake", self.address).await?;
        client.send("GET", "odd.test", "/asleep", "").await?;
        client.send("GET", "calm.test", "/awake", "").await?;
        self.meet(&mut client).await?;
        client.hear(200).await?.says("/asleep")?;
        client.hear(200).await?.says("/awake")
    }

    async fn expecting(&self) -> Result<()> {
        let mut client = Conversation::open("expecting", self.address).await?;
        let headers = "expect: 100-continue\r\ncontent-length: 4\r\n";
        client
            .send("POST", "odd.test", "/expecting", headers)
            .await?;
        client.hear(100).await?;
        client.write(b"body").await?;
        self.meet(&mut client).await?;
        let answer = client.hear(200).await?;
        answer.says("/expecting")?;
        answer.says("\"length\":4")
    }

    async fn head(&self) -> Result<()> {
        let mut client = Conversation::open("HEAD", self.address).await?;
        client.send("HEAD", "odd.test", "/head", "").await?;
        self.meet(&mut client).await?;
        client.hear_head(200).await?;
        client.send("GET", "odd.test", "/after-head", "").await?;
        client.hear(200).await?.says("/after-head")
    }

    async fn tunnel(&self) -> Result<()> {
        let mut client = Conversation::open("CONNECT", self.address).await?;
        client.connect("odd.test:80").await?;
        self.meet(&mut client).await?;
        client.hear_head(200).await?;
        client
            .send("GET", "app.test", "/through-the-tunnel", "")
            .await?;
        client.hear(200).await?.says("/through-the-tunnel")
    }

    async fn head_over_h2(&self) -> Result<()> {
        self.over_h2(Method::HEAD, "http://odd.test/head").await
    }

    async fn tunnel_over_h2(&self) -> Result<()> {
        self.over_h2(Method::CONNECT, "odd.test:80").await
    }

    async fn over_h2(&self, method: Method, target: &str) -> Result<()> {
        let connection = H2::open(self.address).await?;
        let is_tunnel = method == Method::CONNECT;
        let request = Request::builder().method(method).uri(target);
        let mut answered = Box::pin(connection.send(request.body(full(""))?));
        let early = time::timeout(QUIET, answered.as_mut()).await;
        ensure!(early.is_err(), "{target} over h2 was not held: {early:?}");
        self.all_held.wait().await;
        let response = time::timeout(SOON, answered)
            .await
            .context("an answer over h2")??;
        ensure!(
            response.status() == 200,
            "{target} over h2: {}",
            response.status()
        );
        if !is_tunnel {
            ensure!(
                read(response).await?.body.is_empty(),
                "the answer to HEAD has a body"
            );
        }
        Ok(())
    }
}

async fn pipelined_in_vain(address: SocketAddr) -> Result<()> {
    let mut client = Conversation::open("pipelined in vain", address).await?;
    for path in ["/first", "/second"] {
        client.send("GET", "never.test", path, "").await?;
    }
    client.is_quiet(QUIET).await?;
    client.hear(504).await?;
    client.hear(504).await.map(drop)
}

async fn expecting_in_vain(address: SocketAddr) -> Result<()> {
    let mut client = Conversation::open("expecting in vain", address).await?;
    let headers = "expect: 100-continue\r\ncontent-length: 4\r\n";
    client.send("POST", "never.test", "/", headers).await?;
    client.hear(100).await?;
    client.is_quiet(QUIET).await?;
    client.hear(504).await.map(drop)
}

async fn head_in_vain(address: SocketAddr) -> Result<()> {
    let mut client = Conversation::open("HEAD in vain", address).await?;
    client.send("HEAD", "never.test", "/", "").await?;
    client.is_quiet(QUIET).await?;
    client.hear_head(504).await?;
    client.is_quiet(QUIET).await
}

async fn tunnel_in_vain(address: SocketAddr) -> Result<()> {
    let mut client = Conversation::open("CONNECT in vain", address).await?;
    client.connect("never.test:80").await?;
    client.is_quiet(QUIET).await?;
    client.hear(504).await.map(drop)
}
