//! Who may speak with a daemon, and how: TLS 1.3 with certificates on both sides, or plain text.
//!
//! ```text
//! files or a Secret ──Identity──► Tls ──┬─► incoming ──Connection──► the gRPC server, which asks Peer::of
//!                        replace ─┘     └─► connect ───Channel────► a client
//! ```
//! A certificate is looked at in the handshake alone: what replaces it is for new connections, and drops none.

mod accept;
mod args;
mod certificate;
mod connect;
mod connection;
mod directory;
mod identity;
mod metrics;
mod peer;
mod refused;
mod role;

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::RwLock;
use rustls::ServerConfig;
use x509_parser::time::ASN1Time;

pub use self::accept::Incoming;
pub use self::args::{TlsArgs, TlsArgsError, TlsSetting};
pub use self::connect::ConnectError;
pub use self::connection::Connection;
pub use self::directory::DirectoryError;
pub use self::identity::{AUTHORITIES, CERTIFICATE, Identity, IdentityError, KEY};
pub use self::metrics::TlsMetrics;
pub use self::peer::Peer;
pub use self::role::{Allowed, Grant, Role, RoleError};

use self::{identity::Checked, metrics::Reload};

/// How this daemon speaks with others. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Without TLS: nobody can be told from another, and everybody may do everything.
    PlainText,
    /// With certificates on both sides.
    Tls(Tls),
}

/// The identity in force. A clone is a handle to the same.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    in_force: RwLock<Arc<Checked>>,
    allowed: Arc<Allowed>,
    metrics: TlsMetrics,
}

impl Transport {
    /// The scheme of a URI that this can connect to.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::PlainText => "http",
            Self::Tls(_) => "https",
        }
    }
}

impl Tls {
    /// Puts the first identity in force. Others have the roles that `allowed` says.
    ///
    /// # Errors
    /// It cannot be used at the time `now`.
    pub fn new(
        identity: &Identity,
        allowed: Allowed,
        metrics: TlsMetrics,
        now: SystemTime,
    ) -> Result<Self, IdentityError> {
        let checked = identity.check(&allowed, time(now))?;
        metrics.in_force(checked.until);
        Ok(Self {
            shared: Arc::new(Shared {
                in_force: RwLock::new(Arc::new(checked)),
                allowed: Arc::new(allowed),
                metrics,
            }),
        })
    }

    /// Puts another identity in force, for connections that are made from now on. What is open goes on.
    ///
    /// # Errors
    /// It cannot be used at the time `now`: the one before stays in force.
    pub fn replace(&self, identity: &Identity, now: SystemTime) -> Result<(), IdentityError> {
        let checked = identity.check(&self.shared.allowed, time(now));
        let checked = checked.inspect_err(|_| self.refused())?;
        let until = checked.until;
        *self.shared.in_force.write() = Arc::new(checked);
        self.shared.metrics.in_force(until);
        self.shared.metrics.reloaded(Reload::Applied);
        Ok(())
    }

    /// Counts an identity that did not come into force.
    fn refused(&self) {
        self.shared.metrics.reloaded(Reload::Refused);
    }

    fn in_force(&self) -> Arc<Checked> {
        Arc::clone(&self.shared.in_force.read())
    }

    fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.in_force.read().server)
    }

    fn allowed(&self) -> Arc<Allowed> {
        Arc::clone(&self.shared.allowed)
    }

    fn metrics(&self) -> &TlsMetrics {
        &self.shared.metrics
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A clock that shows a time before 1970 finds no certificate valid.
fn time(now: SystemTime) -> ASN1Time {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    // Only a year beyond 9999 is none.
    ASN1Time::from_timestamp(seconds).unwrap_or_else(|_| ASN1Time::now())
}
