//! The images that there are: what of this machine is in each.

use std::path::PathBuf;

use anyhow::Result;

use crate::programs;

/// What a container's processes find.
#[derive(Debug)]
pub(super) struct Image {
    /// What is run where the pod names no command.
    pub(super) entrypoint: &'static str,
    /// Places in the image, and the files of this machine that are there.
    pub(super) files: Vec<(&'static str, PathBuf)>,
    /// Whether its processes have a file system of their own. The sample app needs none, and there are many of it.
    pub(super) has_root: bool,
}

impl Image {
    /// The image of a reference, whatever its tag; an error when what is in it has not been built.
    pub(super) fn find(reference: &str) -> Option<Result<Self>> {
        let image = match repository(reference) {
            "wakegate/sample-app" => Self::of(&["/usr/bin/sample-app"], false),
            "wakegate/control-plane" => Self::control_plane(),
            "wakegate/scaler" => Self::of(&["/usr/bin/wakegate-scaler"], true),
            "envoyproxy/envoy" => programs::envoy().map(|envoy| Self {
                entrypoint: "/usr/local/bin/envoy",
                files: vec![("/usr/local/bin/envoy", envoy)],
                has_root: true,
            }),
            "envoyproxy/gateway" => programs::envoy_gateway().map(|gateway| Self {
                entrypoint: "/usr/local/bin/envoy-gateway",
                files: vec![("/usr/local/bin/envoy-gateway", gateway)],
                has_root: true,
            }),
            _ => return None,
        };
        Some(image)
    }

    /// Programs of ours; the first is the one that is run.
    fn of(programs: &[&'static str], has_root: bool) -> Result<Self> {
        let files = programs.iter().map(|place| {
            let name = place.rsplit('/').next().unwrap_or_default();
            Ok((*place, programs::ours(name)?))
        });
        Ok(Self {
            entrypoint: programs.first().copied().unwrap_or_default(),
            files: files.collect::<Result<_>>()?,
            has_root,
        })
    }

    fn control_plane() -> Result<Self> {
        let programs = ["/usr/bin/wakegate-control-plane", "/usr/bin/wakegate"];
        let mut image = Self::of(&programs, true)?;
        let module = "/usr/share/wakegate/wakegate_filter.wasm";
        image.files.push((module, programs::filter()?));
        Ok(image)
    }
}

/// What stands in pods for where images are pulled from: the public one, and that of the user in docs/install.md.
const REGISTRIES: [&str; 2] = ["docker.io/", "registry.example.com/"];

/// The name without registry, tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let name = tag.map_or(name, |at| &name[..at]);
    let mut in_registries = REGISTRIES.iter().filter_map(|it| name.strip_prefix(it));
    in_registries.next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_with_any_tag_or_digest() {
        for reference in [
            "wakegate/scaler",
            "wakegate/scaler:0.1.0",
            "docker.io/wakegate/scaler:0.1.0@sha256:00",
            "registry.example.com/wakegate/scaler:0.1.0",
        ] {
            assert_eq!(repository(reference), "wakegate/scaler");
        }
        assert_eq!(repository("host:5000/scaler"), "host:5000/scaler");
    }
}
