//! A cluster, by the kubeconfig. It is only asked for lists.

use std::{fmt, time::Duration};

use anyhow::anyhow;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, Interval, interval_at};

use super::{Resource, Unread};
use crate::cluster::{connect, say};

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// How long whoever waits is left without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// An API server, and which of its namespaces are looked at.
pub(crate) struct Cluster {
    client: Client,
    /// `None`: all of them.
    places: Vec<Option<String>>,
    waiting: Waiting,
}

/// What became of a kind.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Whether the server has the kind.
    pub(crate) is_known: bool,
    /// What may not be read of it.
    pub(crate) unread: Vec<Unread>,
}

/// What became of one object.
#[derive(Debug)]
pub(crate) enum Got {
    /// Here it is.
    Object(Value),
    /// It is not there.
    Absent,
    /// It may not be read.
    Refused,
}

/// What is wanted of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// The objects.
    Whole,
    /// Those with these labels.
    Labelled(&'a str),
    /// Their metadata: nobody has to let us see what is in them.
    Metadata,
}

/// One list.
struct List<'a> {
    resource: &'a Resource,
    wanted: Wanted<'a>,
    namespace: Option<&'a str>,
}

/// Says now and then what is waited for.
struct Waiting(Interval);

impl Cluster {
    /// Finds the cluster; nothing is asked of it yet. Without namespaces all of them are meant.
    ///
    /// # Errors
    /// There is no kubeconfig, or no such context in it.
    pub(crate) async fn find(context: Option<&str>, namespaces: &[String]) -> anyhow::Result<Self> {
        let client = connect(context).await?;
        let mut places: Vec<_> = namespaces.iter().cloned().map(Some).collect();
        if places.is_empty() {
            places.push(None);
        }
        Ok(Self {
            client,
            places,
            waiting: Waiting(interval_at(Instant::now() + SILENCE, SILENCE)),
        })
    }

    /// Hands on each object of a kind. What may not be read is told apart: the rest of a report counts nevertheless.
    ///
    /// # Errors
    /// The API server is away or lets nobody in.
    pub(crate) async fn list(
        &mut self,
        resource: &Resource,
        wanted: Wanted<'_>,
        add: &mut dyn FnMut(Value),
    ) -> anyhow::Result<Listed> {
        let Self {
            client,
            places,
            waiting,
        } = self;
        let whole = [None];
        let places = if resource.is_namespaced {
            places
        } else {
            &whole[..]
        };
        let mut listed = Listed::default();
        for namespace in places {
            let namespace = namespace.as_deref();
            let list = List {
                resource,
                wanted,
                namespace,
            };
            match list.read(client, waiting, add).await {
                Ok(is_known) => listed.is_known |= is_known,
                Err(kube::Error::Api(status)) if status.code != 401 => {
                    listed.is_known = true;
                    listed.unread.push(Unread {
                        what: list.to_string(),
                        reason: status.message.clone(),
                    });
                }
                Err(error) => {
                    return Err(anyhow!(error).context(format!("list {list}")));
                }
            }
        }
        Ok(listed)
    }

    /// One object, where its namespace is one of those that are looked at.
    ///
    /// # Errors
    /// The API server is away or lets nobody in.
    pub(crate) async fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Got> {
        let mut places = self.places.iter();
        if !places.any(|it| it.as_deref().is_none_or(|it| it == namespace)) {
            return Ok(Got::Absent);
        }
        for version in resource.versions {
            let api_resource = api_resource(resource, version);
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), namespace, &api_resource);
            match api.get(name).await {
                Ok(object) => {
                    return Ok(Got::Object(
                        serde_json::to_value(object).map_err(kube::Error::SerdeError)?,
                    ));
                }
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(kube::Error::Api(status)) if status.code != 401 => return Ok(Got::Refused),
                Err(error) => {
                    let what = format!("get {} {namespace}/{name}", resource.kind);
                    return Err(anyhow!(error).context(what));
                }
            }
        }
        Ok(Got::Absent)
    }
}

fn api_resource(resource: &Resource, version: &str) -> ApiResource {
    ApiResource {
        group: resource.group.to_owned(),
        version: version.to_owned(),
        api_version: resource.api_version(version),
        kind: resource.kind.to_owned(),
        plural: resource.plural.to_owned(),
    }
}

impl List<'_> {
    /// Tries the versions in turn. A kind that the server has in none of them has no objects.
    async fn read(
        &self,
        client: &Client,
        waiting: &mut Waiting,
        add: &mut dyn FnMut(Value),
    ) -> kube::Result<bool> {
        for version in self.resource.versions {
            match self.read_version(client, version, waiting, add).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                result => return result.map(|()| true),
            }
        }
        Ok(false)
    }

    async fn read_version(
        &self,
        client: &Client,
        version: &str,
        waiting: &mut Waiting,
        add: &mut dyn FnMut(Value),
    ) -> kube::Result<()> {
        let resource = api_resource(self.resource, version);
        let api: Api<DynamicObject> = match self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let mut params = ListParams::default().limit(PAGE);
        if let Wanted::Labelled(labels) = self.wanted {
            params = params.labels(labels);
        }
        let mut n_listed = 0;
        loop {
            let (items, metadata) = if let Wanted::Metadata = self.wanted {
                let page = waiting
                    .on(self, n_listed, api.list_metadata(&params))
                    .await?;
                (values(&page.items)?, page.metadata)
            } else {
                let page = waiting.on(self, n_listed, api.list(&params)).await?;
                (values(&page.items)?, page.metadata)
            };
            n_listed += items.len();
            for mut item in items {
                // Lists do not say of each item what it is.
                if let Some(fields) = item.as_object_mut() {
                    fields.insert("apiVersion".into(), resource.api_version.as_str().into());
                    fields.insert("kind".into(), self.resource.kind.into());
                }
                add(item);
            }
            match metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }
}

fn values(items: &[impl Serialize]) -> kube::Result<Vec<Value>> {
    let values = items.iter().map(serde_json::to_value);
    values
        .collect::<Result<_, _>>()
        .map_err(kube::Error::SerdeError)
}

impl Waiting {
    async fn on<T>(
        &mut self,
        list: &List<'_>,
        n_listed: usize,
        page: impl Future<Output = T>,
    ) -> T {
        let mut page = std::pin::pin!(page);
        loop {
            tokio::select! {
                done = &mut page => return done,
                _ = self.0.tick() => {
                    let so_far = match n_listed {
                        0 => String::new(),
                        n => format!(", {n} so far"),
                    };
                    say(&format!("waiting for {list}{so_far}"));
                }
            }
        }
    }
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resource {
            plural,
            is_namespaced,
            ..
        } = *self.resource;
        match self.namespace {
            Some(namespace) => write!(f, "{plural} of namespace {namespace}"),
            None if is_namespaced => write!(f, "{plural} of all namespaces"),
            None => f.write_str(plural),
        }
    }
}
