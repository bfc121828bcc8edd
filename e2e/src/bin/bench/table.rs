//! What a table takes in Envoy: with so many routes, against the same Envoy with next to none.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

use crate::apps::{self, Apps};
use crate::args::Args;
use crate::line::{Line, as_f64};
use crate::proxy::{Plan, Proxy};

const CORE: usize = 0;
/// Of our filter: the one of the worker, and the one of Envoy's main thread.
const N_VMS: f64 = 2.0;
/// Memory has settled when it is the same for so many looks: the table is put into Envoy's shared data
/// within a second after it came.
const N_LOOKS: usize = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const SAME: f64 = 65_536.0;
const LIMIT: Duration = Duration::from_mins(2);

/// Bytes in one Envoy.
#[derive(Debug, Clone, Copy)]
struct Bytes {
    resident: f64,
    wasm: f64,
}

pub(crate) async fn measure(args: &Args, n_routes: usize) -> Result<Vec<Line>> {
    let empty = bytes_with(args, 1).await?;
    let full = bytes_with(args, n_routes).await?;
    let n = as_f64(n_routes);
    let resident = full.resident - empty.resident;
    let wasm = full.wasm - empty.wasm;
    let what = format!("a table of {n_routes} routes in a proxy with one worker");
    let line = Line::new("memory", what)
        .figure("per route and VM", resident / n / N_VMS, "B")
        .figure("of that wasm memory", wasm / n / N_VMS, "B")
        .figure("resident in all", resident / 1e6, "MB")
        .figure("wasm memory in all", wasm / 1e6, "MB");
    Ok(vec![line])
}

async fn bytes_with(args: &Args, n_routes: usize) -> Result<Bytes> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let names = apps::names(n_routes);
    let apps = Apps::start(folder.path(), &names, "127.0.0.1:9".parse()?).await?;
    let proxy = proxy(args, &apps, folder.path()).await?;
    proxy.has_table().await?;
    settled(&proxy).await
}

async fn proxy(args: &Args, apps: &Apps, folder: &Path) -> Result<Proxy> {
    let (control_plane, scaler) = apps.addresses();
    let plan = Plan {
        name: "table",
        filters: vec![args.our_filter()],
        // Envoy's own routes are the same, whatever our table holds.
        hosts: vec!["*".to_owned()],
        backend: Some("127.0.0.1:9".parse()?),
        control_plane,
        scaler,
    };
    Proxy::start(&args.envoy, &plan, folder, CORE).await
}

/// Its memory, when that grows no more.
async fn settled(proxy: &Proxy) -> Result<Bytes> {
    let settling = async {
        let mut last = 0.0;
        let mut n_same = 0;
        while n_same < N_LOOKS {
            let resident = proxy.resident_bytes()?;
            n_same = if (resident - last).abs() < SAME {
                n_same + 1
            } else {
                0
            };
            last = resident;
            sleep(BETWEEN_LOOKS).await;
        }
        Ok(Bytes {
            resident: last,
            wasm: proxy.wasm_bytes()?,
        })
    };
    timeout(LIMIT, settling)
        .await
        .context("Envoy's memory settles")?
}
