//! The filter's choice of a route against Envoy's own, over many requests that are as odd as HTTP allows.
//!
//! Each route answers in the filter with a status of its own, since nothing may be held for it, while Envoy has
//! chosen among the same routes before; the access log has both.

#[path = "routes_as_envoy_does/random.rs"]
mod random;
#[path = "routes_as_envoy_does/routes.rs"]
mod routes;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use wakegate_e2e::client::Raw;
use wakegate_e2e::{Peer, Service, Stack, eventually};

use self::random::Random;
use self::routes::{FIRST_STATUS, Table};

const SOON: Duration = Duration::from_secs(20);

/// Requests of one test; there are two.
const N_REQUESTS: u32 = 5_000;

/// Connections that share them.
const N_CONNECTIONS: usize = 4;

/// Paths reach both as they were sent.
#[tokio::test]
async fn for_paths_as_they_are_sent() -> Result<()> {
    agree(1, &json!({})).await
}

/// As Envoy Gateway has it: Envoy makes paths canonical before anybody looks at them.
#[tokio::test]
async fn for_paths_that_envoy_makes_canonical() -> Result<()> {
    agree(
        2,
        &json!({
            "normalize_path": true,
            "merge_slashes": true,
            "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
        }),
    )
    .await
}

async fn agree(seed: u64, options: &Value) -> Result<()> {
    let app = Service::new("app");
    let random = Random::new(seed);
    let table = Table::new(&random);
    let peer = Peer::start(vec![table.update(&app)]).await?;
    let mut manager = json!({
        "route_config": table.envoy(&app),
        // As Gateway API has it: neither is part of a host's name.
        "strip_any_host_port": true,
        "strip_trailing_host_dot": true,
    });
    if let (Some(manager), Some(options)) = (manager.as_object_mut(), options.as_object()) {
        manager.extend(options.clone());
    }
    let stack = Stack::builder()
        .serve(app)
        .peer(peer.address())
        .connection_manager(manager)
        .start()
        .await?;
    let requests: Vec<_> = (0..N_REQUESTS)
        .map(|number| random.request(number))
        .collect();
    let parts = requests.chunks(requests.len().div_ceil(N_CONNECTIONS));
    try_join_all(parts.map(|part| ask(&stack, part))).await?;
    let log = eventually(SOON, "all requests are logged", async || {
        let log = stack.envoy().ok()?.access_log().ok()?;
        let logged = log
            .iter()
            .filter(|line| line.get("number").is_some_and(Value::is_string));
        (logged.count() == N_REQUESTS as usize).then_some(log)
    })
    .await?;
    let (mut n_routed, mut n_without) = (0, 0);
    for line in &log {
        let number = line.get("number").and_then(Value::as_str);
        let request = number.and_then(|number| requests.get(number.parse::<usize>().ok()?));
        let request = request.map(|request| request.escape_ascii().to_string());
        match has_same_route(line).with_context(|| request.unwrap_or_default())? {
            Some(true) => n_routed += 1,
            Some(false) => n_without += 1,
            None => {}
        }
    }
    let n_all = log.len();
    ensure!(
        n_routed > n_all / 2,
        "only {n_routed} of {n_all} have a route"
    );
    ensure!(
        n_without > n_all / 20,
        "only {n_without} of {n_all} have none"
    );
    stack.finish().await
}

/// Sends requests one after the other; Envoy answers each, and closes the connection after some.
async fn ask(stack: &Stack, requests: &[Vec<u8>]) -> Result<()> {
    let mut client = Raw::open(stack.address()?).await?;
    for request in requests {
        let is_sent = client.send(request).await.is_ok();
        let answer = client.read_until(SOON, is_whole).await.unwrap_or_default();
        if !is_sent || answer.is_empty() || !is_whole(&answer) {
            client = Raw::open(stack.address()?).await?;
            client.send(request).await?;
            let answer = client.read_until(SOON, is_whole).await?;
            ensure!(
                !answer.is_empty(),
                "no answer to {}",
                request.escape_ascii()
            );
        }
        if answer
            .windows(17)
            .any(|bytes| bytes == b"connection: close")
        {
            client = Raw::open(stack.address()?).await?;
        }
    }
    Ok(())
}

/// Whether an answer is there with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// Whether both found a route, the same; nothing where neither was asked. An error when only one found one, or
/// another.
fn has_same_route(line: &Value) -> Result<Option<bool>> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = line.get("status").and_then(Value::as_u64);
    let status = u32::try_from(status.context("a status")?)?;
    let ours = status
        .checked_sub(FIRST_STATUS)
        .map(|index| format!("r{index}"));
    match (text("route"), text("details")) {
        // Refused by Envoy's codec, before anybody looked for a route.
        (_, "http1.codec_error" | "path_normalization_failed") if status == 400 => Ok(None),
        ("", "route_not_found") => Ok(Some(false)),
        (theirs, "") if ours.as_deref() == Some(theirs) => Ok(Some(true)),
        _ => bail!("the filter found {ours:?}: {line}"),
    }
}
