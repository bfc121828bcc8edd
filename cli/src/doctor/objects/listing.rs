//! A cluster -> objects: its kinds are listed, and the few objects that are asked for by name are got.

use serde_json::Value;

use super::{CONFIG_MAP, KINDS, MESH, Objects, Origin, SECRET};
use crate::{
    doctor::certificate,
    source::{
        Unread,
        cluster::{Cluster, Got, Wanted},
    },
};

impl Objects {
    /// Lists all kinds of a cluster.
    pub(in crate::doctor) async fn of_cluster(
        mut cluster: Cluster,
        namespaces: &[String],
    ) -> anyhow::Result<(Self, Vec<Unread>)> {
        let mut objects = Self::of(Origin::Cluster(namespaces.to_vec()));
        let mut unread = Vec::new();
        // Of ConfigMaps one is wanted, and nobody has to let us see the others.
        for resource in KINDS.iter().filter(|it| **it != CONFIG_MAP) {
            let wanted = if *resource == SECRET {
                Wanted::Metadata
            } else {
                Wanted::Whole
            };
            let mut add = |value| objects.add(value, None);
            let listed = cluster.list(resource, wanted, &mut add).await?;
            if !listed.is_known {
                objects.missing.insert(resource.kind);
            }
            if listed.unread.is_empty() {
                continue;
            }
            objects.unread.insert(resource.kind);
            // Who may not list Secrets gets no report on missing ones, and all of the rest.
            if *resource != SECRET {
                unread.extend(listed.unread);
            }
        }
        objects.read_mesh(&cluster).await?;
        objects.read_certificates(&cluster).await?;
        Ok((objects, unread))
    }

    /// What Istio is told. Who may not see it gets no report on it.
    async fn read_mesh(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        let (namespace, name) = MESH;
        if let Got::Object(value) = cluster.get(&CONFIG_MAP, namespace, name).await? {
            self.add(value, None);
        }
        Ok(())
    }

    /// The certificates of Secrets that are ours by their names or by who has them. What else is in these is dropped
    /// at once.
    async fn read_certificates(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        for (namespace, name) in certificate::wanted(self) {
            match cluster.get(&SECRET, &namespace, &name).await? {
                Got::Object(value) => self.replace(certificate::without_keys(value)),
                Got::Absent => {}
                Got::Refused => {
                    self.closed.insert(format!("{namespace}/{name}"));
                }
            }
        }
        Ok(())
    }

    /// Takes in more of a Secret whose name was listed.
    fn replace(&mut self, value: Value) {
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
        let text = |pointer| text(pointer).unwrap_or_default().to_owned();
        let place = (
            SECRET.kind,
            text("/metadata/namespace"),
            text("/metadata/name"),
        );
        let at = self.places.get(&place);
        let secrets = self.by_kind.get_mut(SECRET.kind);
        match at.and_then(|at| secrets?.get_mut(*at)) {
            Some(object) => object.value = value,
            None => self.add(value, None),
        }
    }
}
