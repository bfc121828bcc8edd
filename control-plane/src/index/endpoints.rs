//! The slices of a Service -> who is ready behind each of its ports.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{Endpoint, EndpointSlice},
};

use super::{ServiceId, objects::Objects};
use crate::object::{Finding, ObjectId};

/// Who is ready behind a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEndpoints {
    /// One for each port of the Service.
    pub ports: Vec<PortEndpoints>,
    /// The pods behind all ports, each once.
    pub instances: BTreeSet<String>,
}

/// Who is ready behind one port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEndpoints {
    /// The Service's port.
    pub number: u16,
    /// Its name; empty where it has none.
    pub name: String,
    /// Where the pods listen, each once.
    pub addresses: BTreeSet<SocketAddr>,
}

impl ServiceEndpoints {
    /// The port of that number or name.
    pub fn port(&self, number_or_name: &str) -> Option<&PortEndpoints> {
        let number = number_or_name.parse::<u16>();
        let is_it = |port: &&PortEndpoints| match number {
            Ok(number) => port.number == number,
            Err(_) => !port.name.is_empty() && port.name == number_or_name,
        };
        self.ports.iter().find(is_it)
    }

    /// Ready endpoints behind a port.
    pub(super) fn n_ready(&self, port: u16) -> u32 {
        let port = self.ports.iter().find(|candidate| candidate.number == port);
        port.map_or(0, |port| {
            u32::try_from(port.addresses.len()).unwrap_or(u32::MAX)
        })
    }
}

/// Gathers what the slices of a Service say.
pub(super) fn of_service(
    id: &ServiceId,
    service: &Service,
    objects: &Objects,
    findings: &mut Vec<Finding>,
) -> ServiceEndpoints {
    let mut endpoints = ServiceEndpoints {
        ports: ports(service),
        ..ServiceEndpoints::default()
    };
    // Of a Service with two families, one: the pods are the same, and would count twice.
    let families = service
        .spec
        .as_ref()
        .and_then(|spec| spec.ip_families.as_ref());
    let family = families.and_then(|families| families.first());
    for (slice_id, slice) in objects.slices(id) {
        match slice.address_type.as_str() {
            "IPv4" | "IPv6" if family.is_none_or(|family| *family == slice.address_type) => {
                endpoints.add(slice_id, slice, findings);
            }
            "IPv4" | "IPv6" => {}
            other => {
                let reason = format!("{other:?} is not IPv4 or IPv6; its endpoints do not count");
                findings.push(Finding::new(slice_id, "addressType", reason));
            }
        }
    }
    endpoints
}

fn ports(service: &Service) -> Vec<PortEndpoints> {
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    ports
        .filter_map(|port| {
            Some(PortEndpoints {
                number: u16::try_from(port.port).ok().filter(|number| *number > 0)?,
                name: port.name.clone().unwrap_or_default(),
                addresses: BTreeSet::new(),
            })
        })
        .collect()
}

impl ServiceEndpoints {
    fn add(&mut self, id: &ObjectId, slice: &EndpointSlice, findings: &mut Vec<Finding>) {
        for (at, endpoint) in slice.endpoints.iter().flatten().enumerate() {
            if !is_ready(endpoint) {
                continue;
            }
            // All addresses of an endpoint lead to the same pod: the first is as good as any.
            let text = endpoint.addresses.first().map_or("", String::as_str);
            let Ok(address) = text.parse::<IpAddr>() else {
                let field = format!("endpoints[{at}].addresses");
                let reason = format!("{text:?} is no IP address; the endpoint does not count");
                findings.push(Finding::new(id, field, reason));
                continue;
            };
            self.add_endpoint(slice, endpoint, address);
        }
    }

    fn add_endpoint(&mut self, slice: &EndpointSlice, endpoint: &Endpoint, address: IpAddr) {
        let pod = endpoint
            .target_ref
            .as_ref()
            .and_then(|target| target.name.clone());
        for slice_port in slice.ports.iter().flatten() {
            let number = slice_port.port.and_then(|port| u16::try_from(port).ok());
            let name = slice_port.name.as_deref().unwrap_or_default();
            let Some(number) = number.filter(|number| *number > 0) else {
                continue;
            };
            let address = SocketAddr::new(address, number);
            // Two ports of a Service may have one target port, but never one name.
            for port in self.ports.iter_mut().filter(|port| port.name == name) {
                port.addresses.insert(address);
                self.instances
                    .insert(pod.clone().unwrap_or_else(|| address.to_string()));
            }
        }
    }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().is_none_or(|conditions| {
        conditions.ready != Some(false) && conditions.terminating != Some(true)
    })
}
