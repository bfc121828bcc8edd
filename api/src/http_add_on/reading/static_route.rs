//! Requests that scale nothing.

use super::{
    NotInForce, Requests, Response,
    error::{Problem, ReadError},
};
use crate::http_add_on::{StaticRoute, static_response::RESPONSE_MODES};

/// Its status where nobody says.
const DEFAULT_STATUS: u16 = 200;

/// Requests that scale nothing, and their answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticAnswer {
    /// The requests: those that one of these means. Never empty.
    pub requests: Vec<Requests>,
    /// The answer; its status is 200 by default.
    pub response: Response,
    /// When it is given.
    pub mode: ResponseMode,
}

/// When a static answer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// While no endpoint is ready. Else the requests go on to the backend.
    #[default]
    WhenUnavailable,
    /// At all times: the backend gets none of these requests.
    Always,
}

impl StaticAnswer {
    pub(super) fn read_all(
        field: &str,
        routes: &[StaticRoute],
        notes: &mut Vec<NotInForce>,
    ) -> Result<Vec<Self>, ReadError> {
        let mut all = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let StaticRoute {
                rules,
                response,
                response_mode,
            } = route;
            let field = format!("{field}[{index}]");
            let rules_field = format!("{field}.rules");
            if rules.is_empty() {
                return Err(ReadError::new(rules_field, Problem::NoRules));
            }
            let requests = Requests::read_all(&rules_field, rules, notes)?;
            let answer = Self {
                requests,
                response: Response::read(&format!("{field}.response"), response, DEFAULT_STATUS)?,
                mode: mode(&format!("{field}.responseMode"), response_mode.as_deref())?,
            };
            // Whatever left it without requests is noted.
            if !answer.requests.is_empty() {
                all.push(answer);
            }
        }
        Ok(all)
    }
}

fn mode(field: &str, text: Option<&str>) -> Result<ResponseMode, ReadError> {
    match text {
        None | Some("WhenUnavailable") => Ok(ResponseMode::WhenUnavailable),
        Some("Always") => Ok(ResponseMode::Always),
        Some(other) => {
            let problem = Problem::Unknown {
                value: other.to_owned(),
                known: &RESPONSE_MODES,
            };
            Err(ReadError::new(field, problem))
        }
    }
}
