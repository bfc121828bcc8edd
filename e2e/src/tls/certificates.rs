//! The certificates of one stack: a folder for each part, as kubelet mounts its Secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use parking_lot::Mutex;

use super::authority::{Authority, Role};
use super::identity::Identity;
use super::leak::{Key, logs_with};
use super::link::Link;
use super::mount::Mount;

/// An authority, and a mount for each role.
#[derive(Debug)]
pub struct Certificates {
    authority: Authority,
    parts: BTreeMap<Role, Part>,
    /// All that there ever were.
    keys: Mutex<Vec<Key>>,
}

#[derive(Debug)]
struct Part {
    mount: Mount,
    current: Mutex<Identity>,
}

impl Certificates {
    /// Makes an authority, and a folder of each part below `folder`.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let authority = Authority::new()?;
        let mut parts = BTreeMap::new();
        let mut keys = Vec::new();
        for role in Role::ALL {
            let identity = authority.issue(role)?;
            keys.push(Key::of(&identity.key));
            let part = Part {
                mount: Mount::new(&folder.join(role.name()), identity.files())?,
                current: Mutex::new(identity),
            };
            parts.insert(role, part);
        }
        Ok(Self {
            authority,
            parts,
            keys: Mutex::new(keys),
        })
    }

    /// The authority that signed them all at first.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The folder of a part.
    pub fn folder(&self, role: Role) -> Result<&Path> {
        Ok(self.part(role)?.mount.folder())
    }

    /// What a part has.
    pub fn current(&self, role: Role) -> Result<Identity> {
        Ok(self.part(role)?.current.lock().clone())
    }

    /// Replaces what a part has.
    pub fn put(&self, role: Role, identity: &Identity) -> Result<()> {
        let part = self.part(role)?;
        self.keys.lock().push(Key::of(&identity.key));
        part.current.lock().clone_from(identity);
        part.mount.put(identity.files())
    }

    /// How `role` reaches a daemon.
    pub fn link(&self, address: SocketAddr, role: Role) -> Result<Link> {
        Ok(Link::tls(address, self.folder(role)?))
    }

    /// The logs below `folder` in which there is a key, or a part of one.
    pub fn keys_in_logs(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        logs_with(&self.keys.lock(), folder)
    }

    fn part(&self, role: Role) -> Result<&Part> {
        self.parts.get(&role).context("each role has a folder")
    }
}
