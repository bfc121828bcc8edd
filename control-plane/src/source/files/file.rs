//! One file: what it says now, and what it said of documents that cannot be used any more.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    path::Path,
    time::SystemTime,
};

use std::os::unix::fs::MetadataExt as _;

use crate::{
    object::{Finding, Object, ObjectId},
    source::{
        self,
        document::{self, Content, DocumentError},
    },
};

/// Larger files are refused: nobody writes them, and reading one stops all others.
const MAX_BYTES: u64 = 64 << 20;

/// A file as it was read.
#[derive(Debug, Default)]
pub(super) struct File {
    /// None while it could not be read.
    pub(super) stamp: Option<Stamp>,
    /// The objects, each with its document.
    pub(super) objects: BTreeMap<ObjectId, (usize, Object)>,
    pub(super) findings: Vec<Finding>,
}

/// What tells one version of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    n_bytes: u64,
    inode: u64,
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok();
        Self {
            modified,
            n_bytes: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

impl File {
    /// Reads `path`, which stood as `last` before; `shown` is its name in findings.
    pub(super) fn read(path: &Path, shown: &str, last: Self) -> Self {
        match text(path) {
            Ok((stamp, text)) => Self::parse(&text, stamp, shown, last),
            Err(error) => {
                let reason = format!("{error}; what it said before stays in force");
                let finding = Finding::elsewhere(shown, "", reason);
                Self {
                    stamp: None,
                    objects: last.objects,
                    findings: vec![finding],
                }
            }
        }
    }

    fn parse(text: &str, stamp: Stamp, shown: &str, last: Self) -> Self {
        let mut file = Self {
            stamp: Some(stamp),
            ..Self::default()
        };
        let mut bad = Vec::new();
        for parsed in document::parse(text) {
            let place = format!("{shown}, document {}", parsed.document);
            match parsed.content {
                Ok(Content::Object(id, object)) => {
                    let unknown = parsed.unknown.iter().map(|unknown| {
                        let reason = format!("{unknown}; it is passed over");
                        Finding::new(&id, &*unknown.field, reason)
                    });
                    file.findings.extend(unknown);
                    file.insert(id, parsed.document, *object, &place);
                }
                Ok(Content::Ignored(what)) => tracing::debug!(place, what, "kind is not read"),
                Err(error) => bad.push((parsed.document, place, error)),
            }
        }
        file.keep_last_good(bad, last);
        file
    }

    fn insert(&mut self, id: ObjectId, document: usize, object: Object, place: &str) {
        if let Some((first, _)) = self.objects.get(&id) {
            let reason =
                format!("{id} is there already, in document {first}; this one is not used");
            let finding = Finding::elsewhere(place, "", reason);
            self.findings.push(finding);
            return;
        }
        self.objects.insert(id, (document, object));
    }

    /// Each bad document stands for an object that was good before: the one that it names, else the
    /// one that stood in its place and stands nowhere now.
    fn keep_last_good(&mut self, bad: Vec<(usize, String, DocumentError)>, last: Self) {
        let mut last = last.objects;
        last.retain(|id, _| !self.objects.contains_key(id));
        let named: Vec<ObjectId> = bad
            .iter()
            .filter_map(|(_, _, error)| error.object.clone())
            .collect();
        for (document, place, error) in bad {
            let id = error.object.clone().or_else(|| {
                let mut same_place = last
                    .iter()
                    .filter(|(id, (at, _))| *at == document && !named.contains(id));
                same_place.next().map(|(id, _)| id.clone())
            });
            let kept = id.and_then(|id| last.remove_entry(&id));
            self.findings.push(finding(&place, error, kept.is_some()));
            if let Some((id, (_, object))) = kept {
                self.objects.insert(id, (document, object));
            }
        }
    }
}

fn finding(place: &str, error: DocumentError, is_kept: bool) -> Finding {
    let DocumentError {
        object,
        field,
        reason,
    } = error;
    let object = object.map_or_else(|| place.to_owned(), |id| format!("{place}, {id}"));
    let follows = source::follows(is_kept);
    Finding::elsewhere(object, field, format!("{reason}; {follows}"))
}

fn text(path: &Path) -> io::Result<(Stamp, String)> {
    // The stamp is older than the text, never newer: a write in between is seen as a change later.
    let metadata = fs::metadata(path)?;
    if metadata.len() > MAX_BYTES {
        return Err(io::Error::other(format!("larger than {MAX_BYTES} bytes")));
    }
    let text = String::from_utf8(fs::read(path)?)
        .map_err(|error| io::Error::other(format!("not UTF-8: {}", error.utf8_error())))?;
    Ok((Stamp::from(&metadata), text))
}
