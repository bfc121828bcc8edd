//! `noWake` -> requests that wake nothing.

use super::{
    super::{NoWake, NoWakeHeader},
    FieldError,
};
use crate::bounds::{DEFAULT_NO_WAKE_STATUS, MAX_NO_WAKE, NO_WAKE_STATUS};

/// Requests that wake nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWakeRule {
    /// How they are recognised.
    pub what: NoWakeRequest,
    /// The status of the answer while the backend is asleep.
    pub status: u16,
}

/// How requests that wake nothing are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWakeRequest {
    /// Their path begins with these whole segments.
    PathPrefix(String),
    /// Their user agent begins so.
    UserAgentPrefix(String),
    /// Their method, upper case.
    Method(String),
    /// A header, with this value or with any.
    Header {
        /// Its name, lower case.
        name: String,
        /// Its whole value.
        value: Option<String>,
    },
}

pub(super) fn read(entries: &[NoWake]) -> Result<Vec<NoWakeRule>, FieldError> {
    if entries.len() > MAX_NO_WAKE {
        let reason = format!("{} entries, of {MAX_NO_WAKE} at most", entries.len());
        return Err(FieldError::new("spec.noWake", reason));
    }
    let entries = entries.iter().enumerate();
    entries
        .map(|(at, entry)| read_one(&format!("spec.noWake[{at}]"), entry))
        .collect()
}

fn read_one(field: &str, entry: &NoWake) -> Result<NoWakeRule, FieldError> {
    let NoWake {
        path_prefix,
        user_agent_prefix,
        method,
        header,
        status,
    } = entry.clone();
    let all = [
        path_prefix.map(NoWakeRequest::PathPrefix),
        user_agent_prefix.map(NoWakeRequest::UserAgentPrefix),
        method.map(NoWakeRequest::Method),
        header.map(NoWakeRequest::from),
    ];
    let mut all = all.into_iter().flatten();
    let (Some(what), None) = (all.next(), all.next()) else {
        let reason = "name one of pathPrefix, userAgentPrefix, method and header";
        return Err(FieldError::new(field, reason));
    };
    if let Some((name, expected)) = what.flaw() {
        let reason = format!("it is not {expected}");
        return Err(FieldError::new(format!("{field}.{name}"), reason));
    }
    let status = status.unwrap_or(DEFAULT_NO_WAKE_STATUS);
    if !NO_WAKE_STATUS.contains(&status) {
        let reason = format!("{status} is not a status from 200 to 599");
        return Err(FieldError::new(format!("{field}.status"), reason));
    }
    Ok(NoWakeRule { what, status })
}

impl NoWakeRequest {
    /// The field that is not what it has to be, and what that is.
    fn flaw(&self) -> Option<(&'static str, &'static str)> {
        let (is_well, field, expected) = match self {
            Self::PathPrefix(path) => (
                path.starts_with('/'),
                "pathPrefix",
                "a path that begins with /",
            ),
            // All begin with nothing.
            Self::UserAgentPrefix(agent) => (
                !agent.is_empty(),
                "userAgentPrefix",
                "the beginning of a user agent",
            ),
            Self::Method(method) => (
                is_method(method),
                "method",
                "a method in upper case, such as OPTIONS",
            ),
            Self::Header { name, .. } => (is_token(name), "header.name", "the name of a header"),
        };
        (!is_well).then_some((field, expected))
    }
}

impl From<NoWakeHeader> for NoWakeRequest {
    fn from(NoWakeHeader { name, value }: NoWakeHeader) -> Self {
        Self::Header {
            name: name.to_ascii_lowercase(),
            value,
        }
    }
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_inner)
}
