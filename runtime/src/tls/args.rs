//! The flags of TLS.

use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use super::{Allowed, DirectoryError, Grant, TlsMetrics, Transport, directory::Directory};
use crate::Tasks;

/// The flags of TLS, to be flattened into a daemon's own.
#[derive(Clone, Debug, Default, Args)]
pub struct TlsArgs {
    /// The directory of tls.crt, tls.key and ca.crt, as a mounted Secret has them; what is replaced there is in
    /// force within seconds
    #[arg(long, env = "WAKEGATE_TLS_DIR", value_name = "DIR")]
    pub tls_dir: Option<PathBuf>,

    /// Serve and connect without TLS: whoever reaches a port may do what filters, KEDA, scalers and control
    /// planes may; the variable wants true
    #[arg(long, env = "WAKEGATE_PLAIN_TEXT")]
    pub plain_text: bool,

    /// One more name (URI or DNS) in a certificate that has a role: filter, keda, scaler or control-plane; may be
    /// given again
    #[arg(
        long,
        env = "WAKEGATE_TLS_ALLOW",
        value_name = "ROLE=SAN",
        value_delimiter = ','
    )]
    pub tls_allow: Vec<Grant>,
}

/// What the flags of TLS say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSetting {
    /// There is no TLS.
    PlainText,
    /// Certificates are in files.
    Directory {
        /// Where they are.
        path: PathBuf,
        /// Who has which role.
        allowed: Allowed,
    },
    /// Nothing is said of certificates.
    Unsaid {
        /// Who has which role.
        allowed: Allowed,
    },
}

/// The flags of TLS contradict each other, or do not say enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TlsArgsError {
    /// Both ways are asked for.
    #[error("--tls-dir and --plain-text exclude each other")]
    Both,
    /// Without TLS nobody has a name.
    #[error("--tls-allow means nothing with --plain-text")]
    AllowInPlainText,
    /// Neither is.
    #[error(
        "give --tls-dir DIR, or --plain-text to have no TLS: whoever reaches a port may then do everything"
    )]
    Neither,
}

impl TryFrom<TlsArgs> for TlsSetting {
    type Error = TlsArgsError;

    fn try_from(args: TlsArgs) -> Result<Self, TlsArgsError> {
        let TlsArgs {
            tls_dir,
            plain_text,
            tls_allow,
        } = args;
        match (tls_dir, plain_text) {
            (Some(_), true) => Err(TlsArgsError::Both),
            (None, true) if !tls_allow.is_empty() => Err(TlsArgsError::AllowInPlainText),
            (None, true) => Ok(Self::PlainText),
            (Some(path), false) => Ok(Self::Directory {
                path,
                allowed: Allowed::new(tls_allow),
            }),
            (None, false) => Ok(Self::Unsaid {
                allowed: Allowed::new(tls_allow),
            }),
        }
    }
}

impl TlsSetting {
    /// This, where something has to be said.
    ///
    /// # Errors
    /// Nothing is.
    pub fn said(self) -> Result<Self, TlsArgsError> {
        match self {
            Self::Unsaid { .. } => Err(TlsArgsError::Neither),
            said @ (Self::PlainText | Self::Directory { .. }) => Ok(said),
        }
    }
}

impl Transport {
    /// What a setting says, from now on.
    ///
    /// # Errors
    /// Certificates cannot be used, or nothing is said of them.
    pub fn of(setting: TlsSetting, metrics: TlsMetrics, tasks: &Tasks) -> anyhow::Result<Self> {
        match setting {
            TlsSetting::Directory { path, allowed } => {
                Ok(Self::from_directory(path, allowed, metrics, tasks)?)
            }
            TlsSetting::PlainText => {
                tracing::warn!("no TLS: whoever reaches the gRPC port may do everything");
                Ok(Self::PlainText)
            }
            TlsSetting::Unsaid { .. } => Err(TlsArgsError::Neither.into()),
        }
    }

    /// What certificates in the directory `path` say, now and from now on.
    ///
    /// # Errors
    /// What is there cannot be used.
    pub fn from_directory(
        path: PathBuf,
        allowed: Allowed,
        metrics: TlsMetrics,
        tasks: &Tasks,
    ) -> Result<Self, DirectoryError> {
        let directory = Directory::open(path, allowed, metrics)?;
        let tls = directory.tls();
        let shutdown = tasks.shutdown_token();
        tasks.spawn("certificates", async {
            directory.run(shutdown).await;
            Ok(())
        });
        Ok(Self::Tls(tls))
    }
}
