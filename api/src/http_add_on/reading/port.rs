//! A port of a Service.

use std::{fmt, num::NonZeroU16};

use super::error::{Problem, ReadError, not_empty, within};
use crate::http_add_on::{ServiceRef, TargetRef};

/// A port of a Service, in the object's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// The name of the Service.
    pub service: String,
    /// Which of its ports.
    pub port: Port,
}

/// How a port is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// By its number, on the Service and not on its pods.
    Number(NonZeroU16),
    /// By its name, on the Service.
    Name(String),
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Port::Number(number) => write!(f, "{}:{number}", self.service),
            Port::Name(name) => write!(f, "{}:{name}", self.service),
        }
    }
}

/// The two fields of which one names a port.
pub(super) type PortFields<'a> = (Option<i32>, Option<&'a str>);

impl ServicePort {
    pub(super) fn of_target(field: &str, target: &TargetRef) -> Result<Self, ReadError> {
        let TargetRef {
            service,
            port,
            port_name,
        } = target;
        let service = not_empty(format_args!("{field}.service"), service)?;
        Self::read(field, service, (*port, port_name.as_deref()))
    }

    pub(super) fn of_service(field: &str, service: &ServiceRef) -> Result<Self, ReadError> {
        let ServiceRef {
            name,
            port,
            port_name,
        } = service;
        let name = not_empty(format_args!("{field}.name"), name)?;
        Self::read(field, name, (*port, port_name.as_deref()))
    }

    /// The Service's name is known to be one.
    pub(super) fn read(
        field: &str,
        service: String,
        port: PortFields<'_>,
    ) -> Result<Self, ReadError> {
        let port = match port {
            (Some(number), None) => {
                let number: u16 = within(format_args!("{field}.port"), number.into(), 1..=65_535)?;
                NonZeroU16::new(number).map(Port::Number)
            }
            (None, Some(name)) => {
                let name = not_empty(format_args!("{field}.portName"), name)?;
                Some(Port::Name(name))
            }
            (Some(_), Some(_)) => return Err(ReadError::new(field, Problem::TwoPorts)),
            (None, None) => None,
        };
        let port = port.ok_or_else(|| ReadError::new(field, Problem::NoPort))?;
        Ok(Self { service, port })
    }
}
