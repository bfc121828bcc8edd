//! One update as bytes: encoded once, part by part as the first needs them, for everyone who is sent the same.

use std::sync::Arc;

use parking_lot::Mutex;
use prost::Message as _;
use tonic::codegen::Bytes;
use wakegate_wire::v1::{self, watch_response::Response};

use super::{chunks::Chunks, view::Difference};
use crate::snapshot::Version;

/// A difference between two tables, or a whole table. Four hundred workers that get the same share it.
#[derive(Debug)]
pub(super) struct Update {
    /// Whether what the subscriber has counts for nothing.
    pub(super) is_full: bool,
    /// The version that it leads to.
    pub(super) version: Version,
    parts: Mutex<Parts>,
}

#[derive(Debug)]
struct Parts {
    /// Encoded so far.
    done: Vec<Bytes>,
    /// Not encoded yet.
    left: Chunks,
}

/// An update on its way to one subscriber.
#[derive(Debug)]
pub(super) struct Sending {
    update: Arc<Update>,
    n_sent: usize,
}

impl Update {
    pub(super) fn new(difference: Difference) -> Self {
        Self {
            is_full: difference.is_full,
            version: difference.version,
            parts: Mutex::new(Parts {
                done: Vec::new(),
                left: Chunks::from(difference),
            }),
        }
    }

    /// The message `at` of this update; none beyond the last.
    fn message(&self, at: usize) -> Option<Bytes> {
        let mut parts = self.parts.lock();
        if at == parts.done.len() {
            let chunk = parts.left.next()?;
            parts.done.push(message(Response::Update(chunk)));
        }
        parts.done.get(at).cloned()
    }
}

impl Sending {
    pub(super) fn new(update: Arc<Update>) -> Self {
        Self { update, n_sent: 0 }
    }

    /// The version that it leads to.
    pub(super) fn version(&self) -> Version {
        self.update.version
    }
}

/// The messages, in order.
impl Iterator for Sending {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let message = self.update.message(self.n_sent)?;
        self.n_sent += 1;
        Some(message)
    }
}

/// A message to a subscriber.
pub(super) fn message(response: Response) -> Bytes {
    let response = v1::WatchResponse {
        response: Some(response),
    };
    response.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::chunks::tests::workload;

    #[test]
    fn many_subscribers_are_sent_the_bytes_of_one() {
        let update = Arc::new(Update::new(Difference {
            is_full: true,
            workloads: (0..1_000).map(|n| workload(n, 1_000)).collect(),
            ..Difference::default()
        }));
        let (mut first, mut second) = (
            Sending::new(Arc::clone(&update)),
            Sending::new(Arc::clone(&update)),
        );
        let begun = first.next().unwrap();
        let behind: Vec<Bytes> = second.by_ref().collect();
        let ahead: Vec<Bytes> = std::iter::once(begun).chain(first).collect();
        assert!(ahead.len() > 10, "{}", ahead.len());
        let places = |all: &[Bytes]| all.iter().map(|bytes| bytes.as_ptr()).collect::<Vec<_>>();
        assert_eq!(places(&ahead), places(&behind), "encoded twice");
        let n_workloads: usize = ahead.into_iter().map(n_workloads).sum();
        assert_eq!(n_workloads, 1_000);
        assert_eq!(second.next(), None);
    }

    fn n_workloads(message: Bytes) -> usize {
        match v1::WatchResponse::decode(message).unwrap().response {
            Some(Response::Update(update)) => update.workloads.len(),
            other => panic!("{other:?}"),
        }
    }
}
