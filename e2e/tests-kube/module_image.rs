//! The filter's module as a container image, in a registry, as Istio and Envoy Gateway take it.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wakegate_e2e::{Registry, programs};

/// The media type of the one layer that both look into for `plugin.wasm`.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn run<A: AsRef<OsStr>>(
    command: &mut Command,
    args: impl IntoIterator<Item = A>,
) -> Result<Output> {
    let output = command.args(args).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(output)
}

fn crane<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Result<String> {
    let output = run(&mut Command::new(programs::crane()?), args)?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The digest of the image in a layout.
fn digest(image: &str) -> Result<String> {
    let index = std::fs::read(programs::images()?.join(image).join("index.json"))?;
    let index: Value = serde_json::from_slice(&index)?;
    let digest = index.pointer("/manifests/0/digest").and_then(Value::as_str);
    Ok(digest.context("an index with a manifest")?.to_owned())
}

/// Pushes the filter's image as a user does, and returns its name and digest.
pub(crate) fn push(registry: SocketAddr) -> Result<(String, String)> {
    let repository = format!("{registry}/wakegate");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/push-images");
    let args = [&repository, "tested", "filter"];
    run(&mut Command::new(script), args)?;
    Ok((format!("{repository}/filter:tested"), digest("filter")?))
}

#[tokio::test]
async fn a_registry_gives_back_the_module_by_the_digest_that_was_built() -> Result<()> {
    let registry = Registry::start(Ipv4Addr::LOCALHOST.into()).await?;
    let (image, built) = push(registry.address())?;
    ensure!(crane(["digest", &image])? == built, "the digest is {built}");
    crane(["validate", "--remote", &image])?;
    let manifest: Value = serde_json::from_str(&crane(["manifest", &image])?)?;
    let layers = manifest.pointer("/layers").and_then(Value::as_array);
    let types: Vec<_> = layers
        .into_iter()
        .flatten()
        .map(|layer| layer.pointer("/mediaType").and_then(Value::as_str))
        .collect();
    ensure!(types == [Some(LAYER)], "{manifest}");

    let folder = tempfile::tempdir()?;
    let exported = folder.path().join("files.tar");
    let by_digest = format!("{image}@{built}");
    crane([OsStr::new("export"), by_digest.as_ref(), exported.as_ref()])?;
    let tar = [
        "-xOf".as_ref(),
        exported.as_os_str(),
        "plugin.wasm".as_ref(),
    ];
    let module = run(&mut Command::new("tar"), tar)?.stdout;
    ensure!(
        module == std::fs::read(programs::filter()?)?,
        "the module is the one that `just wasm` built: make the image anew with `just images filter`"
    );
    Ok(())
}
