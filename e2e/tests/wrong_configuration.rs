//! A filter whose configuration is wrong does not start, and says which field and why.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wakegate_e2e::{Service, Stack};

#[tokio::test]
async fn it_is_refused_with_the_field_and_the_reason() -> Result<()> {
    refused(json!({ "tick_ms": "soon" }), &["tick_ms", "soon"]).await?;
    refused(json!({ "max_helds": 5 }), &["max_helds", "unknown field"]).await?;
    refused(json!({ "scaler": { "cluster": "" } }), &["scaler.cluster"]).await
}

async fn refused(settings: Value, words: &[&str]) -> Result<()> {
    let builder = Stack::builder()
        .serve(Service::new("shop"))
        .without_control_plane();
    // A stack that fails keeps a folder of its own for whoever looks; here it is meant to.
    let folder = tempfile::tempdir()?;
    let started = builder
        .settings(settings.clone())
        .folder(folder.path())
        .start()
        .await;
    let error = started
        .err()
        .with_context(|| format!("{settings} was taken"))?;
    let error = format!("{error:#}");
    let line = error
        .lines()
        .find(|line| line.contains("plugin configuration"));
    let line = line.with_context(|| format!("no word on {settings}: {error}"))?;
    ensure!(
        words.iter().all(|word| line.contains(word)),
        "{settings}: {line}"
    );
    Ok(())
}
