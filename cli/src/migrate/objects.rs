//! What is looked at, wherever it was read: one input for files and clusters.

mod decode;
mod ingress;
mod kind;
mod other_route;
mod requests;
mod route;
mod scaled_object;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Service},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use wakegate_api::{
    UnknownField,
    http_add_on::{ReadError, Reading},
};

pub use self::kind::Kind;
pub(crate) use self::{
    other_route::OtherRoute,
    requests::{Path, covers, overlap, path_covers, path_overlap, same},
    route::{BackendRef, Grant, Rewrite, Route, RouteRule},
    scaled_object::{COOLDOWN_SECS, ScaledObject, Trigger},
};

/// Which object, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; `default` where a file does not say.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The file; `None` for a cluster.
    pub file: Option<String>,
}

/// A name in a namespace.
pub(crate) type Place = (String, String);

/// An InterceptorRoute or an HTTPScaledObject.
#[derive(Clone, Debug)]
pub(crate) struct AddOn {
    pub(crate) id: Id,
    pub(crate) metadata: ObjectMeta,
    pub(crate) reading: Reading,
    /// The hosts as they were written.
    pub(crate) written_hosts: Vec<(String, String)>,
    /// The fields that were written, two levels deep.
    pub(crate) fields: Vec<String>,
    pub(crate) unknown: Vec<UnknownField>,
    /// A window below its granularity, which the reading does not show any more.
    pub(crate) window: Option<String>,
}

/// An object that cannot be read: the field, empty for the whole, and why.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Id,
    pub(crate) field: String,
    pub(crate) reason: String,
}

/// A part of the add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Operator,
    Interceptor,
    Scaler,
}

/// Everything that was read and matters.
#[derive(Debug, Default)]
pub struct Objects {
    pub(crate) is_cluster: bool,
    /// Whether every namespace was read, and so the add-on's own.
    pub(crate) is_whole: bool,
    pub(crate) add_ons: Vec<AddOn>,
    /// Where each of them is: each is asked for once for each other.
    by_name: BTreeMap<(Kind, Place), usize>,
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) scaled: Vec<ScaledObject>,
    pub(crate) routes: Vec<Route>,
    pub(crate) other_routes: Vec<OtherRoute>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) services: BTreeMap<Place, (Id, Service)>,
    /// Those without the label that makes them bodies of answers are there without their content.
    pub(crate) config_maps: BTreeMap<Place, Option<ConfigMap>>,
    /// The add-on's own.
    pub(crate) parts: Vec<(Part, Id, Deployment)>,
    /// Kinds of which there may be more than was read.
    pub(crate) unread: BTreeSet<Kind>,
}

impl Objects {
    /// Of files, which need not have everything that a cluster has.
    pub fn of_files() -> Self {
        Self::default()
    }

    /// Of a cluster, or of some of its namespaces: what is not here is not there.
    pub fn of_cluster(is_whole: bool) -> Self {
        Self {
            is_cluster: true,
            is_whole,
            ..Self::default()
        }
    }

    /// Whether the add-on's own Deployments would be here if they were there.
    pub(crate) fn sees_add_on(&self) -> bool {
        self.is_whole && !self.unread.contains(&Kind::Deployment)
    }

    /// The Deployments that are this part of the add-on.
    pub(crate) fn parts(&self, wanted: Part) -> impl Iterator<Item = (&Id, &Deployment)> {
        let parts = self.parts.iter();
        parts
            .filter(move |(part, _, _)| *part == wanted)
            .map(|(_, id, deployment)| (id, deployment))
    }

    /// The object of that kind and place.
    pub(crate) fn add_on(&self, kind: Kind, namespace: &str, name: &str) -> Option<&AddOn> {
        let place = (namespace.to_owned(), name.to_owned());
        let at = self.by_name.get(&(kind, place))?;
        self.add_ons.get(*at)
    }

    /// Whether what is not here of a kind is not there: of a cluster that was read, and of files that have at least
    /// something of the kind in that namespace.
    pub(crate) fn has_all(&self, kind: Kind, namespace: &str) -> bool {
        if self.is_cluster {
            return !self.unread.contains(&kind);
        }
        match kind {
            Kind::Service => self.services.keys().any(|(it, _)| it == namespace),
            Kind::InterceptorRoute | Kind::HttpScaledObject => {
                let ids = self.add_ons.iter().map(|it| &it.id);
                let mut ids = ids.chain(self.unreadable.iter().map(|it| &it.id));
                ids.any(|id| id.kind.is_add_on() && id.namespace == namespace)
            }
            Kind::ScaledObject
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::Ingress
            | Kind::VirtualService
            | Kind::HttpProxy
            | Kind::ReferenceGrant
            | Kind::ConfigMap
            | Kind::Deployment => false,
        }
    }

    /// Whether there is an object of that kind and place, readable or not.
    pub(crate) fn has(&self, kind: Kind, namespace: &str, name: &str) -> bool {
        let ids = self.add_ons.iter().map(|it| &it.id);
        let mut ids = ids.chain(self.unreadable.iter().map(|it| &it.id));
        ids.any(|id| id.kind == kind && id.namespace == namespace && id.name == name)
    }

    /// Whether a file or a cluster has anything of the add-on.
    pub(crate) fn has_add_on(&self) -> bool {
        let is_add_on = |it: &Unreadable| it.id.kind.is_add_on();
        !self.add_ons.is_empty() || self.unreadable.iter().any(is_add_on)
    }
}

impl AddOn {
    /// Whether it is an InterceptorRoute, and not an HTTPScaledObject.
    pub(crate) fn is_route(&self) -> bool {
        self.id.kind == Kind::InterceptorRoute
    }

    /// Its Service.
    pub(crate) fn service(&self) -> Place {
        let service = self.reading.target.service.clone();
        (self.id.namespace.clone(), service)
    }
}

impl Unreadable {
    fn of(id: &Id, error: ReadError) -> Self {
        Self {
            id: id.clone(),
            field: error.field,
            reason: error.problem.to_string(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            ..
        } = self;
        write!(f, "{kind} {namespace}/{name}")
    }
}
