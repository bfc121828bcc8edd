use std::net::SocketAddr;

use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::*;

async fn get_text(addr: SocketAddr, path: &str) -> String {
    ask(addr, "GET", path).await
}

async fn ask(addr: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

async fn started(
    registry: Registry,
    readiness: Readiness,
) -> (SocketAddr, JoinSet<io::Result<()>>) {
    let (listener, addr) = crate::listen::bind("admin", "127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let mut server = JoinSet::new();
    server.spawn(serve(
        listener,
        router(registry, readiness),
        CancellationToken::new(),
    ));
    (addr, server)
}

#[tokio::test]
async fn ready_lists_what_is_waited_for_until_all_is_there() {
    let readiness = Readiness::default();
    let (load, table) = (
        readiness.latch("first load"),
        readiness.latch("first table"),
    );
    let (addr, _server) = started(Registry::default(), readiness).await;

    let response = get_text(addr, "/ready").await;
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(
        response.ends_with("waiting for: first load, first table\n"),
        "{response}"
    );
    load.release();
    assert!(
        get_text(addr, "/ready")
            .await
            .ends_with("waiting for: first table\n")
    );
    table.release();
    assert!(get_text(addr, "/ready").await.starts_with("HTTP/1.1 200"));
    assert!(get_text(addr, "/live").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_are_the_registry_as_text() {
    let (mut registry, loads) = (Registry::default(), Counter::<u64>::default());
    registry.register("wakegate_test_loads", "Loads", loads.clone());
    loads.inc_by(3);
    let (addr, _server) = started(registry, Readiness::default()).await;
    let response = get_text(addr, "/metrics").await;
    assert!(
        response.contains("\nwakegate_test_loads_total 3\n"),
        "{response}"
    );
    assert!(response.contains(OPENMETRICS), "{response}");
}

#[tokio::test]
async fn serving_ends_with_the_shutdown() {
    let (listener, _) = crate::listen::bind("admin", "127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    let router = router(Registry::default(), Readiness::default());
    let serving = serve(listener, router, shutdown.clone());
    shutdown.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn admin_endpoints_are_read_and_nothing_else() {
    let (addr, _server) = started(Registry::default(), Readiness::default()).await;
    for path in ["/live", "/ready", "/metrics"] {
        for method in ["GET", "HEAD"] {
            let response = ask(addr, method, path).await;
            assert!(response.starts_with("HTTP/1.1 200"), "{method}: {response}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let response = ask(addr, method, path).await;
            assert!(response.starts_with("HTTP/1.1 405"), "{method}: {response}");
        }
    }
}
