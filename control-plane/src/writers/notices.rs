//! What the writers find out themselves and a user has to know: it stands until it is taken back.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::object::ObjectId;

/// All that stands. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub(super) struct Notices {
    standing: Arc<Mutex<Standing>>,
    changed: watch::Sender<()>,
}

/// One thing to know about one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Notice {
    /// The object that the user looks at.
    pub(super) object: ObjectId,
    /// In CamelCase.
    pub(super) reason: &'static str,
    /// What happened, and the way out.
    pub(super) text: String,
}

/// What a notice comes from: the ScaledObject or workload that is in trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// A ScaledObject that cannot be written.
    ScaledObject(ObjectId),
    /// A workload, by its id, that does not become ready.
    NotReady(Arc<str>),
}

type Standing = BTreeMap<Topic, Vec<Notice>>;

impl Notices {
    /// Replaces what stands about a topic; nothing takes it back.
    pub(super) fn set(&self, topic: Topic, notices: Vec<Notice>) {
        let mut standing = self.standing.lock();
        let is_same = standing.get(&topic).map(Vec::as_slice).unwrap_or_default() == notices;
        if is_same {
            return;
        }
        if notices.is_empty() {
            standing.remove(&topic);
        } else {
            standing.insert(topic, notices);
        }
        drop(standing);
        self.changed.send_replace(());
    }

    /// All that stands now.
    pub(super) fn all(&self) -> Vec<Notice> {
        self.standing.lock().values().flatten().cloned().collect()
    }

    /// Fires when something came or went.
    pub(super) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            standing: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }
}
