//! The table: routes, backends and the updates that carry them.

mod assemble;
mod policy;
mod route;
mod static_answer;
#[cfg(test)]
mod tests;

pub use self::assemble::{AssembleError, Assembler};

use std::num::NonZeroU32;

use wakegate_core::{Backend, BackendId};

use crate::{DecodeError, v1};

/// Envoy compares nothing longer, and an id is a Kubernetes name or three.
pub(crate) const MAX_NAME: usize = 2_048;

/// Refuses an empty name, and one that nobody can mean.
pub(crate) fn name<'a>(
    of: &str,
    field: &'static str,
    name: &'a str,
) -> Result<&'a str, DecodeError> {
    match name.len() {
        0 => Err(DecodeError::missing(of, field)),
        1..=MAX_NAME => Ok(name),
        n_bytes => Err(DecodeError::Value {
            of: of.to_owned(),
            field,
            value: format!("{n_bytes} bytes long"),
            expected: "at most 2048 are allowed",
        }),
    }
}

impl From<&Backend> for v1::Backend {
    fn from(backend: &Backend) -> Self {
        let Backend {
            id,
            ready_endpoints,
            paused,
            probe,
            max_in_flight_per_endpoint,
        } = backend;
        Self {
            id: id.as_str().to_owned(),
            ready_endpoints: *ready_endpoints,
            paused: *paused,
            no_probe: !probe,
            max_in_flight_per_endpoint: max_in_flight_per_endpoint.map_or(0, NonZeroU32::get),
        }
    }
}

impl TryFrom<v1::Backend> for Backend {
    type Error = DecodeError;

    fn try_from(backend: v1::Backend) -> Result<Self, DecodeError> {
        let v1::Backend {
            id,
            ready_endpoints,
            paused,
            no_probe,
            max_in_flight_per_endpoint,
        } = backend;
        Ok(Self {
            id: BackendId::from(name("backend", "id", &id)?),
            ready_endpoints,
            paused,
            probe: !no_probe,
            max_in_flight_per_endpoint: NonZeroU32::new(max_in_flight_per_endpoint),
        })
    }
}
