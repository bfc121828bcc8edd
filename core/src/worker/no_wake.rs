//! Requests that wake nothing.

use crate::{NoWake, NoWakeMatch, Request, policy::is_segment_prefix};

/// The first rule that the request meets. `user_agent` and method are asked for at most once, and only
/// when a rule needs them: each is a host call on the hot path.
pub(super) fn find<'a>(
    rules: &'a [NoWake],
    path: &[u8],
    request: &impl Request,
) -> Option<&'a NoWake> {
    let mut agent = None;
    rules.iter().find(|rule| match &rule.what {
        NoWakeMatch::UserAgentPrefix(prefix) => agent
            .get_or_insert_with(|| request.header("user-agent"))
            .as_deref()
            .is_some_and(|agent| agent.starts_with(prefix.as_bytes())),
        NoWakeMatch::PathPrefix(prefix) => is_segment_prefix(prefix.as_bytes(), path),
        NoWakeMatch::Method(method) => *request.method() == *method.as_bytes(),
        NoWakeMatch::Header(header) => header.is_in(request),
    })
}
