//! A difference between two versions of the table, as a worker applies it.

use crate::{Backend, BackendId, Route, RouteId};

/// What a worker applies at once; nothing of it is in force before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableUpdate {
    /// Whether what is not named is gone.
    pub full: bool,
    /// The name of the content after this update: an echo for the ack, without meaning here.
    pub version: String,
    /// Routes that are new or changed.
    pub routes: Vec<Route>,
    /// Routes that are gone.
    pub removed_routes: Vec<RouteId>,
    /// Backends that are new or changed.
    pub backends: Vec<Backend>,
    /// Backends that are gone.
    pub removed_backends: Vec<BackendId>,
}
