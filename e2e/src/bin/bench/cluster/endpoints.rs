//! An endpoint of a backend that holds a request is written to the API server: when the request is answered.
//! The app runs all the time, and the bench alone says whether it is ready.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time;
use tokio_util::sync::CancellationToken;
use wakegate_e2e::Background;
use wakegate_e2e::client::{H2, read};
use wakegate_e2e::kube::objects::{Object, gateway, http_route};
use wakegate_e2e::kube::{Host, SOON, Scene};
use wakegate_e2e::sample::{self, Behaviour};
use wakegate_e2e::stats::Times;

use super::{PART, millis};
use crate::line::Line;

/// The Service, and its slice.
const NAME: &str = "app";

pub(super) async fn measure(n_endpoints: usize) -> Result<Vec<Line>> {
    let ours = [
        ("scale-to-zero", "true"),
        ("scaled-object", "external"),
        ("scale-target", "Deployment/nothing"),
    ];
    let ports = json!({ "ports": [ { "name": "http", "port": 80 } ] });
    let objects = [
        gateway("edge"),
        Object::new("v1", "Service", NAME, ports),
        http_route(NAME, "edge", "app.test", NAME).annotated(&ours),
    ];
    let hosts = [Host::new("app.test", "app/80")];
    let scene = Scene::shared("bench_endpoints", &objects, &hosts).await?;
    let slices: Api<EndpointSlice> = Api::namespaced(scene.client(), scene.namespace()?);
    // An address of a slice must not be of the loopback device's own range.
    let [a, b, c] = scene.cluster().pod_subnet();
    let address = SocketAddr::from(([a, b, c, 250], 0));
    let listener = listen(address).await?;
    let address = listener.local_addr().context("ask for the address")?;
    let app = sample::serve(listener, Behaviour::default(), CancellationToken::new());
    let _serving = Background::start(app);

    let connection = H2::open(scene.envoy()?.address()).await?;
    let (mut sent, mut written) = (Vec::new(), Vec::new());
    for _ in 0..n_endpoints {
        put(&slices, address, false).await?;
        let request = connection.send_until_held("http://app.test/", SOON).await?;
        let before = Instant::now();
        let put = async {
            put(&slices, address, true).await?;
            anyhow::Ok(Instant::now())
        };
        let answer = async {
            let response = time::timeout(SOON, request).await.context("an answer")??;
            let now = Instant::now();
            let answer = read(response).await?;
            ensure!(answer.status == 200, "answered with {}", answer.status);
            Ok(now)
        };
        let (after, answered) = tokio::try_join!(put, answer)?;
        sent.push(millis(before, answered));
        written.push(millis(after, answered));
    }
    scene.finish().await?;
    let line = |what: &str, millis| Line::new(PART, what).times(&Times::of(millis));
    // The API server answers after it has told its watchers.
    let from_sent = "EndpointSlice sent to the API server → response of the held request";
    let from_written =
        "EndpointSlice acknowledged by the API server → response of the held request";
    Ok(vec![
        line(from_sent, sent).at_most("p99", 5.0),
        line(from_written, written),
    ])
}

async fn put(slices: &Api<EndpointSlice>, address: SocketAddr, is_ready: bool) -> Result<()> {
    let slice = slice(address, is_ready);
    let params = PatchParams::apply("bench").force();
    let put = slices.patch(NAME, &params, &Patch::Apply(slice)).await;
    put.map(drop).context("write an EndpointSlice")
}

fn slice(address: SocketAddr, is_ready: bool) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": NAME, "labels": { "kubernetes.io/service-name": NAME } },
        "addressType": "IPv4",
        "ports": [ { "name": "http", "port": address.port(), "protocol": "TCP" } ],
        "endpoints": [ {
            "addresses": [address.ip().to_string()],
            "conditions": { "ready": is_ready },
        } ],
    })
}

/// A listener on an address of the pods' subnet, which is put on the loopback device first.
async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let cidr = format!("{}/32", address.ip());
    let add = ["address", "replace", &cidr, "dev", "lo"];
    let status = tokio::process::Command::new("ip").args(add).status().await;
    ensure!(
        status.context("run ip")?.success(),
        "ip address replace {cidr} failed"
    );
    TcpListener::bind(address).await.context("listen")
}
