//! A cluster, by the kubeconfig. It is only asked for lists.

use std::{fmt, time::Duration};

use anyhow::anyhow;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use tokio::time::{Instant, Interval, interval_at};
use wakegate_api::http_add_on::{RESPONSE_BODY_LABEL, YES};

use super::Unread;
use crate::{
    cluster::{connect, say},
    migrate::objects::{Kind, Objects},
};

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// How long whoever waits is left without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// What is listed.
struct Wanted<'a> {
    kind: Kind,
    namespace: Option<&'a str>,
}

/// Says now and then what is waited for.
struct Waiting(Interval);

/// Reads these namespaces, or all of them where there is none. What may not be read is told apart: the rest of a
/// report counts nevertheless.
///
/// # Errors
/// There is no kubeconfig, or its API server is away or lets nobody in.
pub(crate) async fn read(
    context: Option<&str>,
    namespaces: &[String],
) -> anyhow::Result<(Objects, Vec<Unread>)> {
    let client = connect(context).await?;
    let mut waiting = Waiting(interval_at(Instant::now() + SILENCE, SILENCE));
    let (mut objects, mut unread) = (Objects::of_cluster(namespaces.is_empty()), Vec::new());
    let mut places: Vec<_> = namespaces.iter().map(|it| Some(it.as_str())).collect();
    if places.is_empty() {
        places.push(None);
    }
    for kind in Kind::ALL {
        for namespace in &places {
            let wanted = Wanted {
                kind,
                namespace: *namespace,
            };
            let listed = list(&client, &wanted, &mut waiting, &mut objects).await;
            match listed {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if status.code != 401 => {
                    objects.unread.insert(kind);
                    unread.push(Unread {
                        what: wanted.to_string(),
                        reason: status.message.clone(),
                    });
                }
                Err(error) => {
                    return Err(anyhow!(error).context(format!("list {wanted}")));
                }
            }
        }
    }
    Ok((objects, unread))
}

/// Tries the versions in turn. A kind that the server has in none of them has no objects.
async fn list(
    client: &Client,
    wanted: &Wanted<'_>,
    waiting: &mut Waiting,
    objects: &mut Objects,
) -> kube::Result<()> {
    for version in wanted.kind.versions() {
        match list_version(client, wanted, version, (waiting, objects)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            result => return result,
        }
    }
    Ok(())
}

async fn list_version(
    client: &Client,
    wanted: &Wanted<'_>,
    version: &str,
    (waiting, objects): (&mut Waiting, &mut Objects),
) -> kube::Result<()> {
    let kind = wanted.kind;
    let resource = ApiResource {
        group: kind.group().to_owned(),
        version: version.to_owned(),
        api_version: kind.api_version(version),
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    };
    let api: Api<DynamicObject> = match wanted.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut params = ListParams::default().limit(PAGE);
    if kind == Kind::ConfigMap {
        // What else stands in ConfigMaps is nobody's business here.
        params = params.labels(&format!("{RESPONSE_BODY_LABEL}={YES}"));
    }
    let mut n_listed = 0;
    loop {
        let page = waiting.on(wanted, n_listed, api.list(&params)).await?;
        n_listed += page.items.len();
        for item in page.items {
            let mut value = serde_json::to_value(&item).map_err(kube::Error::SerdeError)?;
            // Lists do not say of each item what it is.
            if let Some(fields) = value.as_object_mut() {
                fields.insert("apiVersion".into(), resource.api_version.as_str().into());
                fields.insert("kind".into(), kind.as_str().into());
            }
            objects.add(value, None);
        }
        match page.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}

impl Waiting {
    async fn on<T>(
        &mut self,
        wanted: &Wanted<'_>,
        n_listed: usize,
        list: impl Future<Output = T>,
    ) -> T {
        let mut list = std::pin::pin!(list);
        loop {
            tokio::select! {
                done = &mut list => return done,
                _ = self.0.tick() => {
                    let so_far = match n_listed {
                        0 => String::new(),
                        n => format!(", {n} so far"),
                    };
                    say(&format!("waiting for {wanted}{so_far}"));
                }
            }
        }
    }
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace } = self;
        match namespace {
            Some(namespace) => write!(f, "{} of namespace {namespace}", kind.plural()),
            None => write!(f, "{} of all namespaces", kind.plural()),
        }
    }
}
