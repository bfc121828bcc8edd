//! A directory of manifests, in place of Kubernetes: read, watched, and kept whole.
//!
//! A document that cannot be used leaves the last good version of its object in force; a file that
//! cannot be read leaves all of its objects. Everything else is served.

mod file;
mod pending;
mod set;
mod watch;

use std::{io, path::PathBuf};

use thiserror::Error;

pub use self::set::{Batch, FileSet};
pub use self::watch::Files;

/// The directory cannot be used at all.
#[derive(Debug, Error)]
pub enum FilesError {
    /// It is not there, or not readable.
    #[error("read manifests directory {}", dir.display())]
    Read {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refuses to watch it.
    #[error("watch manifests directory {}", dir.display())]
    Watch {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: notify::Error,
    },
}
