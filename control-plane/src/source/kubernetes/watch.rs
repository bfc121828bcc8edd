//! One watch, for ever: what fails is tried again, a kind that is missing is looked for.

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use kube::{
    Api, Client,
    core::ApiResource,
    runtime::watcher::{self, Event, watcher},
};
use tokio::time::sleep;

use super::{place::Place, received::Received, trouble::Trouble};
use crate::backoff::{Backoff, jittered};

/// After so long the server ends a watch, and the next one goes on where it ended. Shorter than usual: a
/// server that is gone without a word, with its host, is noticed at the latest soon after.
pub(crate) const WATCH_SECS: u32 = 60;

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// How often a kind that is missing is looked for, and how soon one that was there or may come at once.
/// Asking for the kind itself needs no right beyond that to read it; watching CRDs would.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(1);

/// Looks that follow soon.
const SOON_LOOKS: u32 = 3;

/// What a watch tells.
#[derive(Debug)]
pub(super) enum News {
    /// Objects, or where a list begins and ends.
    Event(Box<Event<Received>>),
    /// The server has the kind in no version.
    Missing,
    /// Something went wrong, and is tried again.
    Trouble(Trouble),
}

type Events = BoxStream<'static, watcher::Result<Event<Received>>>;

/// A watch that is open, or about to be.
struct Watch {
    client: Client,
    place: Place,
    /// The versions to try, and which is.
    resources: Vec<ApiResource>,
    at: usize,
    events: Option<Events>,
    wait: Option<Duration>,
    backoff: Backoff,
    /// Looks in a row that did not find the kind.
    n_not_found: u32,
}

/// Everything that happens at a place.
pub(super) fn watch(client: Client, place: Place) -> impl Stream<Item = News> + Send {
    let watch = Watch {
        resources: place.resources(),
        client,
        place,
        at: 0,
        events: None,
        wait: None,
        backoff: Backoff::default(),
        n_not_found: 0,
    };
    stream::unfold(watch, async |mut watch| {
        let news = watch.next().await;
        Some((news, watch))
    })
}

impl Watch {
    async fn next(&mut self) -> News {
        loop {
            if let Some(wait) = self.wait {
                sleep(wait).await;
                self.wait = None;
            }
            let Some(events) = &mut self.events else {
                self.events = self.open();
                continue;
            };
            match events.next().await {
                Some(Ok(event)) => {
                    if !matches!(event, Event::Init) {
                        self.backoff.reset();
                        self.n_not_found = 0;
                    }
                    return News::Event(Box::new(event));
                }
                Some(Err(error)) => {
                    if let Some(news) = self.on_error(&error) {
                        return news;
                    }
                }
                None => self.events = None,
            }
        }
    }

    fn on_error(&mut self, error: &watcher::Error) -> Option<News> {
        let trouble = Trouble::from(error);
        tracing::debug!(place = %self.place, %error, "watch failed");
        if trouble != Trouble::Missing || !self.place.is_optional() {
            let wait = self.backoff.next(Instant::now(), trouble.limit());
            self.wait = Some(jittered(wait));
            // A version that this server has never had, as after a restore: only a list helps.
            if matches!(trouble, Trouble::Refused { .. }) && wait >= trouble.limit() {
                self.events = None;
            }
            return Some(News::Trouble(trouble));
        }
        // A kind that comes back has other objects: it is listed anew.
        self.events = None;
        self.at += 1;
        if self.at < self.resources.len() {
            return None;
        }
        self.at = 0;
        let is_new = self.n_not_found < SOON_LOOKS;
        self.n_not_found = self.n_not_found.saturating_add(1);
        let wait = if is_new { LOOK_AGAIN_SOON } else { LOOK_AGAIN };
        self.wait = Some(jittered(wait));
        Some(News::Missing)
    }

    fn open(&self) -> Option<Events> {
        let Place {
            kind: _,
            namespace,
            name,
        } = &self.place;
        let resource = self.resources.get(self.at)?;
        let client = self.client.clone();
        let api: Api<Received> = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        };
        let mut config = watcher::Config::default()
            .timeout(WATCH_SECS)
            .page_size(PAGE);
        if let Some(name) = name {
            config = config.fields(&format!("metadata.name={name}"));
        }
        if let Some(labels) = self.place.labels() {
            config = config.labels(&labels);
        }
        Some(watcher(api, config).boxed())
    }
}
