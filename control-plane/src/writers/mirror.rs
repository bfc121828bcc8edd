//! The objects of one kind as they are in Kubernetes, trimmed to what a writer compares with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

use futures::{
    StreamExt as _,
    stream::{BoxStream, SelectAll},
};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;

use crate::{
    object::{Kind, ObjectId},
    source::kubernetes::WATCH_SECS,
};

/// A watched copy of `K`s, each kept as `T`.
pub(super) struct Mirror<K, T> {
    kind: Kind,
    events: SelectAll<BoxStream<'static, (usize, watcher::Result<watcher::Event<K>>)>>,
    sources: Vec<Source>,
    objects: BTreeMap<ObjectId, Arc<T>>,
    /// Which of them came, went or differ since somebody asked.
    changed: BTreeSet<ObjectId>,
    /// None for what is not to be seen.
    trim: fn(K) -> Option<T>,
    is_absent: bool,
}

/// One watch: a namespace, or all.
#[derive(Debug, Default)]
struct Source {
    namespace: Option<Arc<str>>,
    /// What a list has shown so far.
    listed: Option<BTreeSet<ObjectId>>,
    is_synced: bool,
}

impl<K, T> Mirror<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: PartialEq,
{
    /// A mirror that is still empty. Each of `apis` has the namespace that it sees; none is all.
    pub(super) fn new(
        kind: Kind,
        apis: Vec<(Option<&str>, Api<K>)>,
        config: &watcher::Config,
        trim: fn(K) -> Option<T>,
    ) -> Self {
        // The client cuts what is silent for longer than the source's watches last. After a cut it is waited, longer each
        // time, and a kind that seldom changes would be seen late.
        let config = config.clone().timeout(WATCH_SECS);
        let (mut events, mut sources) = (SelectAll::new(), Vec::new());
        for (source, (namespace, api)) in apis.into_iter().enumerate() {
            let stream = watcher(api, config.clone()).default_backoff();
            events.push(stream.map(move |event| (source, event)).boxed());
            let namespace = namespace.map(Arc::from);
            sources.push(Source {
                namespace,
                ..Source::default()
            });
        }
        Self {
            kind,
            events,
            sources,
            objects: BTreeMap::new(),
            changed: BTreeSet::new(),
            trim,
            is_absent: false,
        }
    }

    /// Whether everything was seen once.
    pub(super) fn is_synced(&self) -> bool {
        self.sources.iter().all(|source| source.is_synced)
    }

    /// All objects.
    pub(super) fn objects(&self) -> &BTreeMap<ObjectId, Arc<T>> {
        &self.objects
    }

    /// The objects that came, went or differ since this was asked last.
    pub(super) fn take_changed(&mut self) -> BTreeSet<ObjectId> {
        std::mem::take(&mut self.changed)
    }

    /// Takes in what a write has answered, before the watch tells.
    pub(super) fn put(&mut self, object: K) {
        let id = self.id(&object);
        self.set(id, (self.trim)(object));
    }

    /// Waits until something may have changed.
    ///
    /// # Cancel safety
    /// Nothing is lost: an event is taken in at once or stays in its stream.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some((source, event)) = self.events.next().await else {
                return std::future::pending().await;
            };
            if self.take(source, event) && self.is_synced() {
                return;
            }
        }
    }

    /// Whether something changed.
    fn take(&mut self, source: usize, event: watcher::Result<watcher::Event<K>>) -> bool {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.log(&error);
                return false;
            }
        };
        match event {
            watcher::Event::Init => {
                if let Some(source) = self.sources.get_mut(source) {
                    source.listed = Some(BTreeSet::new());
                }
                false
            }
            watcher::Event::InitApply(object) => {
                let id = self.id(&object);
                if let Some(source) = self.sources.get_mut(source) {
                    source.listed.get_or_insert_default().insert(id.clone());
                }
                self.set(id, (self.trim)(object));
                false
            }
            watcher::Event::InitDone => {
                self.listed(source);
                true
            }
            watcher::Event::Apply(object) => {
                let id = self.id(&object);
                self.set(id, (self.trim)(object))
            }
            watcher::Event::Delete(object) => {
                let id = self.id(&object);
                self.set(id, None)
            }
        }
    }

    /// A list is complete: what it has not shown is gone.
    fn listed(&mut self, source: usize) {
        let Some(source) = self.sources.get_mut(source) else {
            return;
        };
        let listed = source.listed.take().unwrap_or_default();
        let namespace = source.namespace.clone();
        source.is_synced = true;
        let changed = &mut self.changed;
        self.objects.retain(|id, _| {
            let is_seen = namespace.as_ref().is_none_or(|seen| *seen == id.namespace);
            let stays = !is_seen || listed.contains(id);
            if !stays {
                changed.insert(id.clone());
            }
            stays
        });
        if std::mem::take(&mut self.is_absent) {
            tracing::info!(kind = self.kind.as_str(), "kind is there now");
        }
    }

    fn set(&mut self, id: ObjectId, object: Option<T>) -> bool {
        let is_new = match object {
            None => self.objects.remove(&id).is_some(),
            Some(object) if self.objects.get(&id).is_some_and(|old| **old == object) => false,
            Some(object) => {
                self.objects.insert(id.clone(), Arc::new(object));
                true
            }
        };
        if is_new {
            self.changed.insert(id);
        }
        is_new
    }

    fn id(&self, object: &K) -> ObjectId {
        let namespace = object.namespace().unwrap_or_default();
        ObjectId::new(self.kind, namespace, object.name_any())
    }

    /// A kind that is not installed is said once; it may come.
    fn log(&mut self, error: &watcher::Error) {
        let kind = self.kind.as_str();
        let is_absent = matches!(
            error,
            watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404
        );
        if !is_absent {
            tracing::warn!(kind, %error, "watch failed, trying again");
        } else if !std::mem::replace(&mut self.is_absent, true) {
            tracing::info!(kind, "kind is not installed, waiting for it");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::client::{Body, Client};
    use tokio::sync::mpsc;
    use tower::service_fn;
    use wakegate_api::WakePolicy;

    use super::*;

    /// What is silent for ten seconds longer than the source's watches last is cut by the client.
    #[tokio::test]
    async fn its_watches_end_before_they_are_cut() {
        let (asked, mut asks) = mpsc::channel(8);
        let service = service_fn(move |request: Request<Body>| {
            let asked = asked.clone();
            async move {
                let uri = request.uri().to_string();
                let is_watch = uri.contains("watch=true");
                asked.send(uri).await.unwrap();
                if is_watch {
                    std::future::pending::<()>().await;
                }
                let list = r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#;
                Ok::<_, Infallible>(Response::new(Body::from(list.as_bytes().to_vec())))
            }
        });
        let api: Api<WakePolicy> = Api::all(Client::new(service, "default"));
        let config = watcher::Config::default();
        let mut mirror = Mirror::new(Kind::WakePolicy, vec![(None, api)], &config, |_| Some(()));
        mirror.changed().await;
        assert!(mirror.is_synced());
        let watched = async {
            loop {
                let uri = asks.recv().await.unwrap();
                if uri.contains("watch=true") {
                    return uri;
                }
            }
        };
        let uri = tokio::select! {
            () = mirror.changed() => panic!("nothing changed"),
            uri = watched => uri,
        };
        let timeout = format!("timeoutSeconds={WATCH_SECS}");
        assert!(uri.contains(&timeout), "{uri}");
    }
}
