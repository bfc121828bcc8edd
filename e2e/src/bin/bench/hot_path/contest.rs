//! Three Envoys that serve the same apps: with our filter, with an empty one, and with none; and who
//! stands behind and beside them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::apps::{self, Apps};
use crate::args::Args;
use crate::load::{Kind, Load};
use crate::proxy::{Filter, Plan, Proxy};

/// One core for the Envoy that is measured alone; all else shares the other.
const ENVOY_CORE: usize = 0;
pub(super) const OTHER_CORE: usize = 1;

/// The three, and what they need; all of it ends with this.
#[derive(Debug)]
pub(super) struct Contest {
    /// In the order of [`super::OURS`] and the others.
    pub(super) proxies: [Proxy; 3],
    pub(super) hosts: Vec<String>,
    _others: (Proxy, Apps),
    folder: TempDir,
}

impl Contest {
    /// Starts all, with a table of so many routes.
    pub(super) async fn start(args: &Args, n_routes: usize) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder")?;
        let names = apps::names(n_routes);
        let hosts: Vec<_> = names.iter().map(|name| apps::host(name)).collect();
        let backend = backend(args, folder.path()).await?;
        let apps = Apps::start(folder.path(), &names, backend.address()).await?;
        let (control_plane, scaler) = apps.addresses();
        let plan = |name, filters| Plan {
            name,
            filters,
            hosts: hosts.clone(),
            backend: Some(backend.address()),
            control_plane,
            scaler,
        };
        let start =
            async |plan: Plan| Proxy::start(&args.envoy, &plan, folder.path(), ENVOY_CORE).await;
        let ours = start(plan("filter", vec![args.our_filter()])).await?;
        let empty = start(plan("empty", vec![args.empty_filter("")])).await?;
        let bare = start(plan("bare", Vec::new())).await?;
        ours.has_table().await?;
        Ok(Self {
            proxies: [ours, empty, bare],
            hosts,
            _others: (backend, apps),
            folder,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Half the requests a second that come through without a filter, with the generator that measures
    /// latency. It takes more of its core than wrk does; at half of what wrk reaches it is the generator that is
    /// late, by milliseconds, and no filter can be seen.
    pub(super) async fn half_load(&self, args: &Args, load: &Load, kind: Kind) -> Result<f64> {
        let [_, _, bare] = &self.proxies;
        let span = args.round_span();
        Ok(load.limit(kind, bare.address(), span).await? / 2.0)
    }

    /// An error when the filter did not work as it does for users.
    pub(super) async fn is_honest(&self) -> Result<()> {
        let [ours, ..] = &self.proxies;
        let n_without = ours
            .samples()
            .await?
            .sum("wakegate_passed_without_table_total");
        ensure!(
            n_without == 0.0,
            "requests passed the filter before it had a table: it was not measured at work"
        );
        Ok(())
    }
}

/// Another Envoy that answers by itself: the cheapest server at hand.
async fn backend(args: &Args, folder: &Path) -> Result<Proxy> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let plan = Plan {
        name: "backend",
        // A POST is answered when it is there whole.
        filters: vec![Filter::Buffer],
        hosts: vec!["*".to_owned()],
        backend: None,
        control_plane: nowhere,
        scaler: nowhere,
    };
    Proxy::start(&args.envoy, &plan, folder, OTHER_CORE).await
}
