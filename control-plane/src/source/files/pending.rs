//! What the operating system said of the directory and nobody has read yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind},
};

use super::set::{Batch, is_manifest};

/// Beyond this many files one look at all of them is cheaper.
const MAX_PATHS: usize = 10_000;

/// The longest that a file is left alone while somebody has it open for writing.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

/// Files that changed, and of those the ones that are being written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    ready: BTreeSet<PathBuf>,
    writing: BTreeMap<PathBuf, Instant>,
    everything: bool,
}

impl Pending {
    /// Takes in what happened at `now`. A file that is being written is not ready: what it says so far
    /// may be half of it.
    pub(super) fn on_event(&mut self, event: &Event, now: Instant) {
        if event.need_rescan() {
            self.everything = true;
        }
        for path in &event.paths {
            self.on_path(path, event.kind, now);
        }
        if self.ready.len() + self.writing.len() > MAX_PATHS {
            *self = Self {
                everything: true,
                ..Self::default()
            };
        }
    }

    fn on_path(&mut self, path: &Path, kind: EventKind, now: Instant) {
        if !is_manifest(path) {
            // A link or a directory that comes, goes or moves takes files with it; the set looks.
            let is_content = matches!(
                kind,
                EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_))
            );
            if !is_content {
                self.ready.insert(path.to_owned());
            }
            return;
        }
        match kind {
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(CreateKind::File) => {
                self.writing.entry(path.to_owned()).or_insert(now);
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Any
            | EventKind::Other => {
                self.writing.remove(path);
                self.ready.insert(path.to_owned());
            }
            EventKind::Access(_) => {}
        }
    }

    /// Says that anything may have changed.
    pub(super) fn everything(&mut self) {
        self.everything = true;
    }

    /// When a file that is being written is read all the same.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.writing
            .values()
            .min()
            .map(|since| *since + WRITE_LIMIT)
    }

    /// What is to be read at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Batch> {
        if std::mem::take(&mut self.everything) {
            *self = Self::default();
            return Some(Batch::Everything);
        }
        let mut files = std::mem::take(&mut self.ready);
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= WRITE_LIMIT;
        self.writing.retain(|path, since| {
            let is_over = is_over(since);
            if is_over {
                files.insert(path.clone());
            }
            !is_over
        });
        (!files.is_empty()).then_some(Batch::Files(files))
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RenameMode};

    use super::*;

    const DATA: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const RENAMED: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

    fn after(events: &[(EventKind, &str)], since_last: Duration) -> Option<Batch> {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for (kind, path) in events {
            let event = Event::new(*kind).add_path(Path::new("/m").join(path));
            pending.on_event(&event, now);
        }
        pending.take(now + since_last)
    }

    fn files(paths: &[&str]) -> Batch {
        Batch::Files(
            paths
                .iter()
                .map(|path| Path::new("/m").join(path))
                .collect(),
        )
    }

    #[test]
    fn a_file_is_ready_once_its_writer_closed_it() {
        assert_eq!(after(&[(DATA, "a.yaml")], Duration::ZERO), None);
        assert_eq!(
            after(&[(DATA, "a.yaml"), (CLOSED, "a.yaml")], Duration::ZERO),
            Some(files(&["a.yaml"]))
        );
        assert_eq!(
            after(&[(DATA, "a.yaml")], WRITE_LIMIT),
            Some(files(&["a.yaml"]))
        );
    }

    #[test]
    fn a_rename_is_ready_at_once() {
        assert_eq!(
            after(&[(RENAMED, "a.yaml"), (DATA, "b.json")], Duration::ZERO),
            Some(files(&["a.yaml"]))
        );
    }

    #[test]
    fn what_is_no_manifest_is_looked_at_unless_it_is_only_written() {
        assert_eq!(
            after(&[(RENAMED, "..data")], Duration::ZERO),
            Some(files(&["..data"]))
        );
        assert_eq!(
            after(
                &[(DATA, "notes.txt"), (CLOSED, "notes.txt")],
                Duration::ZERO
            ),
            None
        );
    }
}
