//! A folder that looks and changes as kubelet's mount of a Secret: each file is a link into `..data`, which is a link
//! to the folder of one version; a new version is one rename.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

const DATA: &str = "..data";

/// The folder of one Secret.
#[derive(Debug)]
pub struct Mount {
    folder: PathBuf,
    version: AtomicU64,
}

impl Mount {
    /// Makes the folder, with these files in it.
    pub fn new<'a>(
        folder: &Path,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self> {
        fs::create_dir_all(folder).context("make the folder of a Secret")?;
        let mount = Self {
            folder: folder.to_owned(),
            version: AtomicU64::new(0),
        };
        mount.put(files)?;
        Ok(mount)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces all files at once.
    pub fn put<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<()> {
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        let name = format!("..version_{version}");
        let next = self.folder.join(&name);
        fs::create_dir_all(&next).context("make the folder of a version")?;
        let mut names = Vec::new();
        for (name, bytes) in files {
            fs::write(next.join(name), bytes).with_context(|| format!("write {name}"))?;
            names.push(name);
        }
        let data = self.folder.join(DATA);
        let last = fs::read_link(&data).ok();
        let staged = self.folder.join("..data_tmp");
        symlink(&name, &staged).context("link the version")?;
        fs::rename(&staged, &data).context("put the version in place")?;
        for name in names {
            let link = self.folder.join(name);
            if !link.is_symlink() {
                symlink(Path::new(DATA).join(name), link).context("link a file")?;
            }
        }
        if let Some(last) = last {
            fs::remove_dir_all(self.folder.join(last)).context("remove the last version")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_replaces_all_files_at_once_and_leaves_nothing_of_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount::new(folder.path(), [("a", b"1".as_slice()), ("b", b"1")]).unwrap();
        mount.put([("a", b"2".as_slice()), ("b", b"2")]).unwrap();
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert_eq!((read("a"), read("b")), (b"2".to_vec(), b"2".to_vec()));
        let version = fs::canonicalize(folder.path().join("a")).unwrap();
        assert!(version.ends_with("..version_1/a"), "{}", version.display());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
