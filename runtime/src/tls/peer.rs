//! Who is at the other end of a connection.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use tonic::{Request, Status};

use super::{Role, refused};
use crate::Refusals;

/// Who sent a request. Known since the handshake; a clone is cheap.
#[derive(Clone, Debug)]
pub struct Peer {
    address: Option<SocketAddr>,
    rights: Rights,
}

#[derive(Clone, Debug)]
enum Rights {
    /// Without TLS nobody can be told from another.
    Everything,
    /// What its certificate says.
    Certified(Arc<Certified>),
    /// The connection did not come by way of a [`Transport`](super::Transport).
    Nothing,
}

/// What a certificate that was verified says.
#[derive(Debug)]
pub(super) struct Certified {
    pub(super) names: Vec<String>,
    pub(super) roles: BTreeSet<Role>,
    pub(super) refusals: Refusals,
}

impl Peer {
    /// Who sent `request`.
    pub fn of<T>(request: &Request<T>) -> Self {
        let known = request.extensions().get::<Self>();
        known.cloned().unwrap_or(Self {
            address: request.remote_addr(),
            rights: Rights::Nothing,
        })
    }

    pub(super) fn of_plain_text(address: Option<SocketAddr>) -> Self {
        Self {
            address,
            rights: Rights::Everything,
        }
    }

    pub(super) fn certified(address: Option<SocketAddr>, certified: Certified) -> Self {
        Self {
            address,
            rights: Rights::Certified(Arc::new(certified)),
        }
    }

    /// The other end's address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Whether it is what it has to be. Who is not is counted.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`: its certificate has no name with this role.
    pub fn require(&self, role: Role) -> Result<(), Status> {
        match &self.rights {
            Rights::Everything => Ok(()),
            Rights::Certified(certified) if certified.roles.contains(&role) => Ok(()),
            Rights::Certified(certified) => {
                let status = Status::permission_denied(format!(
                    "this is for the role {role}, which no name in the certificate has"
                ));
                let names = certified.names.join(" ");
                certified.refusals.refuse(refused::ROLE, &names, &status);
                Err(status)
            }
            Rights::Nothing => Err(Status::permission_denied("who calls is not known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_unknown_origin_has_no_role() {
        let peer = Peer::of(&Request::new(()));
        for role in Role::ALL {
            assert!(peer.require(role).is_err(), "{role}");
        }
    }

    #[test]
    fn in_plain_text_everybody_has_every_role() {
        let mut request = Request::new(());
        let address = Some(([127, 0, 0, 1], 1).into());
        request
            .extensions_mut()
            .insert(Peer::of_plain_text(address));
        let peer = Peer::of(&request);
        assert_eq!(peer.address(), address);
        for role in Role::ALL {
            peer.require(role).unwrap();
        }
    }
}
