//! Answers that no backend gives.

use std::collections::BTreeMap;

use super::error::{Problem, ReadError, not_empty, within};
use crate::http_add_on::{ConfigMapKeyRef, StaticResponse, static_response::MAX_BODY};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// From 100 to 599.
    pub status: u16,
    /// Its body.
    pub body: Body,
    /// Its headers, by name as it was written.
    pub headers: BTreeMap<String, String>,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// This, which may be empty.
    Text(String),
    /// What a ConfigMap of the object's namespace has, which needs the label
    /// [`RESPONSE_BODY_LABEL`](crate::http_add_on::RESPONSE_BODY_LABEL).
    ConfigMap {
        /// Its name.
        name: String,
        /// The entry. `None`: the one called as the path of the request without its first `/`, and
        /// `index.html` for `/`.
        key: Option<String>,
    },
}

impl Response {
    pub(super) fn read(
        field: &str,
        response: &StaticResponse,
        default_status: u16,
    ) -> Result<Self, ReadError> {
        let StaticResponse {
            status_code,
            body,
            body_from_config_map,
            headers,
        } = response;
        let status = status_code.map(|code| {
            let field = format_args!("{field}.statusCode");
            within(field, code.into(), 100..=599)
        });
        let body = match (body, body_from_config_map) {
            (Some(_), Some(_)) => return Err(ReadError::new(field, Problem::TwoBodies)),
            (Some(text), None) => inline(&format!("{field}.body"), text)?,
            (None, Some(from)) => config_map(&format!("{field}.bodyFromConfigMap"), from)?,
            (None, None) => Body::Text(String::new()),
        };
        Ok(Self {
            status: status.transpose()?.unwrap_or(default_status),
            body,
            headers: headers.clone(),
        })
    }
}

fn inline(field: &str, text: &str) -> Result<Body, ReadError> {
    let n_chars = text.chars().count();
    if n_chars > MAX_BODY {
        let most = MAX_BODY;
        return Err(ReadError::new(
            field,
            Problem::BodyTooLong { n_chars, most },
        ));
    }
    Ok(Body::Text(text.to_owned()))
}

fn config_map(field: &str, from: &ConfigMapKeyRef) -> Result<Body, ReadError> {
    let ConfigMapKeyRef { name, key } = from;
    Ok(Body::ConfigMap {
        name: not_empty(format_args!("{field}.name"), name)?,
        // To the add-on an empty key is none.
        key: key.clone().filter(|key| !key.is_empty()),
    })
}
