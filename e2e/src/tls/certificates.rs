//! The certificates of one stack: a folder for each part, as kubelet mounts its Secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::authority::{Authority, Role};
use super::identity::Identity;
use super::link::Link;
use super::mount::Mount;

/// An authority, and a mount for each role.
#[derive(Debug)]
pub struct Certificates {
    authority: Authority,
    mounts: BTreeMap<Role, Mount>,
}

impl Certificates {
    /// Makes an authority, and a folder of each part below `folder`.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let authority = Authority::new()?;
        let mount = |role: Role| {
            let identity = authority.issue(role)?;
            Ok((
                role,
                Mount::new(&folder.join(role.name()), identity.files())?,
            ))
        };
        let mounts = Role::ALL.into_iter().map(mount).collect::<Result<_>>()?;
        Ok(Self { authority, mounts })
    }

    /// The authority that signed them all at first.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The folder of a part.
    pub fn folder(&self, role: Role) -> Result<&Path> {
        Ok(self.mount(role)?.folder())
    }

    /// Replaces what a part has.
    pub fn put(&self, role: Role, identity: &Identity) -> Result<()> {
        self.mount(role)?.put(identity.files())
    }

    /// How `role` reaches a daemon.
    pub fn link(&self, address: SocketAddr, role: Role) -> Result<Link> {
        Ok(Link::tls(address, self.folder(role)?))
    }

    fn mount(&self, role: Role) -> Result<&Mount> {
        self.mounts.get(&role).context("each role has a folder")
    }
}
