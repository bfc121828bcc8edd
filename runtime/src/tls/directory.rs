//! Certificates in files, which others replace.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    Allowed, Identity, IdentityError, Tls, TlsMetrics,
    identity::{AUTHORITIES, CERTIFICATE, KEY},
};

/// How often the files are looked at. They are small, and what Kubernetes mounts it replaces by symbolic links,
/// which not everything that watches notices.
const LOOK: Duration = Duration::from_secs(2);

/// The kind of its lines in the log.
const REFUSED: &str = "certificates";

/// Certificates in a directory cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is in the files cannot be used.
    #[error("certificates in {}", path.display())]
    Identity {
        /// The directory.
        path: PathBuf,
        /// The file, and why not.
        source: IdentityError,
    },
}

/// The files, and what they said last.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    tls: Tls,
    in_force: Identity,
}

impl Directory {
    /// Reads the files, and puts what they say in force.
    pub(super) fn open(
        path: PathBuf,
        allowed: Allowed,
        metrics: TlsMetrics,
    ) -> Result<Self, DirectoryError> {
        let in_force = read(&path)?;
        let tls = Tls::new(&in_force, allowed, metrics, SystemTime::now());
        match tls {
            Ok(tls) => Ok(Self {
                path,
                tls,
                in_force,
            }),
            Err(source) => Err(DirectoryError::Identity { path, source }),
        }
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Follows the files until the shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(looks.tick()).await.is_some() {
            if let Err(error) = self.look() {
                self.refused(error);
            }
        }
    }

    /// Puts in force what is new. Three small files, mostly in memory: no thread of its own reads them faster.
    fn look(&mut self) -> Result<(), DirectoryError> {
        let found = read(&self.path).inspect_err(|_| self.tls.refused())?;
        if found == self.in_force {
            return Ok(());
        }
        let replaced = self.tls.replace(&found, SystemTime::now());
        replaced.map_err(|source| DirectoryError::Identity {
            path: self.path.clone(),
            source,
        })?;
        self.in_force = found;
        tracing::info!(dir = %self.path.display(), "certificates replaced");
        Ok(())
    }

    fn refused(&self, error: DirectoryError) {
        if let Some(left_out) = self.tls.metrics().refusals.line_due(REFUSED) {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::warn!(error, left_out, "the certificates of before stay in force");
        }
    }
}

fn read(directory: &Path) -> Result<Identity, DirectoryError> {
    let file = |name| {
        let path = directory.join(name);
        fs::read(&path).map_err(|source| DirectoryError::Read { path, source })
    };
    Ok(Identity {
        certificate: file(CERTIFICATE)?,
        key: file(KEY)?,
        authorities: file(AUTHORITIES)?,
    })
}
