//! What a daemon needs and every daemon needs alike: supervised tasks, telemetry, an admin server and
//! listeners, TLS. Knows no routes.
//!
//! A daemon's life: [`LogArgs::init`], bind with [`listen`], write the [`AddressFile`], spawn each part
//! through [`Tasks`] under a name, and leave the rest to [`Tasks::run`].

pub mod admin;
pub mod clients;
pub mod health;
pub mod listen;
pub mod reference;
pub mod refusals;
pub mod sparing;
pub mod streams;
pub mod tasks;
pub mod telemetry;
pub mod tls;

pub use self::admin::{Condition, Latch, Readiness};
pub use self::clients::{Clients, NoPlace};
pub use self::listen::{AddressFile, ListenError};
pub use self::refusals::Refusals;
pub use self::sparing::Sparing;
pub use self::streams::{StreamAge, StreamArgs, StreamEnd};
pub use self::tasks::{TaskError, Tasks};
pub use self::telemetry::{LogArgs, TelemetryError};
pub use self::tls::{Peer, Role, Tls, TlsMetrics, TlsSetting, Transport};
