//! The control plane serves the filter's module over HTTP, and an Envoy that fetches it by digest holds and wakes.

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wakegate_e2e::client::{Version, fetch, get};
use wakegate_e2e::{Daemon, Module, Service, Stack, programs};

/// A control plane that serves the module, and nothing else that matters here.
async fn server(folder: &TempDir) -> Result<Daemon> {
    let module = programs::filter()?;
    let args = vec![
        format!("--manifests={}", folder.path().display()),
        format!("--filter-module={}", module.display()),
        "--module-listen=127.0.0.1:0".to_owned(),
    ];
    Daemon::start("wakegate-control-plane", folder.path(), args).await
}

#[tokio::test]
async fn an_envoy_that_fetches_the_module_wakes_a_backend() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = server(&folder).await?;
    let address = server.addresses().module.context("it serves the module")?;

    let ask = async |path: &str| {
        let request = get(&format!("http://localhost{path}"))?;
        fetch(Version::H1, address, request).await
    };
    let module = ask("/wakegate_filter.wasm").await?;
    let shipped = std::fs::read(programs::filter()?)?;
    ensure!(
        module.status == 200 && module.body == shipped,
        "the module is the file"
    );
    let digest = ask("/wakegate_filter.wasm.sha256").await?;
    let digest = digest.text();
    let (sha256, name) = digest
        .trim_end()
        .split_once("  ")
        .context("a digest and a name")?;
    let own = Sha256::digest(&shipped)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    ensure!(
        sha256 == own && name == "wakegate_filter.wasm",
        "as sha256sum prints it: {digest}"
    );

    let shop = Service::new("shop");
    let sha256 = sha256.to_owned();
    let stack = Stack::builder()
        .serve(shop.clone())
        .module(Module::Http { address, sha256 })
        .start()
        .await?;
    let autoscaler = stack.autoscale(&shop)?;
    let answer = stack.get(&shop, "/").await?;
    ensure!(answer.status == 200, "{answer:?}");
    ensure!(
        answer.headers.contains_key("x-wakegate-cold-start"),
        "it was held: {answer:?}"
    );
    drop(autoscaler);
    stack.finish().await
}
