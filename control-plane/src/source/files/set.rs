//! All files: which object stands where, and what changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    FilesError,
    file::{File, Stamp},
};
use crate::{
    object::{Finding, Object, ObjectId},
    source::Change,
};

/// Directories below directories that are looked into: a link that leads upwards must end somewhere.
const MAX_DEPTH: usize = 8;

/// Every file of a directory of manifests, as it was read.
#[derive(Debug)]
pub struct FileSet {
    dir: PathBuf,
    files: BTreeMap<PathBuf, File>,
    /// Where each object stands. The first path counts.
    places: BTreeMap<ObjectId, BTreeSet<PathBuf>>,
}

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// These files.
    Files(BTreeSet<PathBuf>),
    /// Whatever is there.
    Everything,
}

impl FileSet {
    /// A directory of which nothing was read yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            files: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    /// Reads what changed; returns the objects that may have, or nothing when no file did.
    ///
    /// # Errors
    /// The directory itself cannot be read. What was read before stays.
    pub fn reload(&mut self, batch: &Batch) -> Result<Option<Vec<Change>>, FilesError> {
        let paths = match batch {
            Batch::Files(paths) => self.below(paths)?,
            Batch::Everything => self.everything()?,
        };
        let (mut touched, mut has_changed) = (BTreeSet::new(), false);
        for path in paths {
            has_changed |= self.reload_file(path, &mut touched);
        }
        let changes = touched.into_iter().map(|id| {
            let object = self.object(&id).cloned();
            (id, object)
        });
        Ok(has_changed.then(|| changes.collect()))
    }

    /// What is wrong with the files, other than what the index finds in their objects.
    pub fn findings(&self) -> Vec<Finding> {
        let in_files = self
            .files
            .values()
            .flat_map(|file| file.findings.iter().cloned());
        in_files
            .chain(self.places.iter().filter_map(|place| self.twice(place)))
            .collect()
    }

    fn twice(&self, (id, paths): (&ObjectId, &BTreeSet<PathBuf>)) -> Option<Finding> {
        if paths.len() < 2 {
            return None;
        }
        let mut paths = paths.iter().map(|path| self.shown(path));
        let (first, second) = (paths.next()?, paths.next()?);
        let reason = format!("it is in {first} and in {second}; the first counts");
        Some(Finding::new(id, "", reason))
    }

    /// The object that counts.
    fn object(&self, id: &ObjectId) -> Option<&Object> {
        let file = self.files.get(self.places.get(id)?.first()?)?;
        file.objects.get(id).map(|(_, object)| object)
    }

    /// Reads one file, if it is not as it was.
    fn reload_file(&mut self, path: PathBuf, touched: &mut BTreeSet<ObjectId>) -> bool {
        let stamp = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        let stamp = stamp.as_ref().map(Stamp::from);
        let last = match self.files.remove(&path) {
            Some(last) if stamp.is_some() && stamp == last.stamp => {
                self.files.insert(path, last);
                return false;
            }
            None if stamp.is_none() => return false,
            last => last.unwrap_or_default(),
        };
        let before: BTreeSet<ObjectId> = last.objects.keys().cloned().collect();
        let file = match stamp {
            Some(_) => File::read(&path, &self.shown(&path), last),
            None => File::default(),
        };
        for id in before.iter().filter(|id| !file.objects.contains_key(id)) {
            if let Some(paths) = self.places.get_mut(id) {
                paths.remove(&path);
                if paths.is_empty() {
                    self.places.remove(id);
                }
            }
        }
        for id in file.objects.keys() {
            self.places
                .entry(id.clone())
                .or_default()
                .insert(path.clone());
        }
        touched.extend(before);
        touched.extend(file.objects.keys().cloned());
        if stamp.is_some() {
            self.files.insert(path, file);
        }
        true
    }

    /// The manifests among `paths` and those that a directory or a link among them may hold.
    fn below(&self, paths: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>, FilesError> {
        let mut files = BTreeSet::new();
        for path in paths {
            if is_manifest(path) {
                files.insert(path.clone());
                continue;
            }
            if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                return self.everything();
            }
            let known = self.files.range(path.clone()..).map(|(known, _)| known);
            files.extend(known.take_while(|known| known.starts_with(path)).cloned());
        }
        Ok(files)
    }

    /// Every file that is there, and every one that was.
    fn everything(&self) -> Result<BTreeSet<PathBuf>, FilesError> {
        let mut paths = self.files.keys().cloned().collect();
        walk(&self.dir, 0, &mut paths).map_err(|source| FilesError::Read {
            dir: self.dir.clone(),
            source,
        })?;
        Ok(paths)
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.dir)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}

/// Whether a file of that name is a manifest. Hidden ones are those of editors and, in a mounted
/// ConfigMap, the versions behind its links.
pub(super) fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json")) && !is_hidden(path)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn walk(dir: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !is_hidden(&path) && depth < MAX_DEPTH {
            // One that cannot be read hides only itself.
            if let Err(error) = walk(&path, depth + 1, found) {
                tracing::warn!(dir = %path.display(), %error, "directory is not read");
            }
        } else if is_manifest(&path) {
            found.insert(path);
        }
    }
    Ok(())
}
