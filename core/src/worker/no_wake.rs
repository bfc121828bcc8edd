//! Requests that wake nothing.

use crate::{NoWake, NoWakeMatch, Request};

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
        NoWakeMatch::Header(header) => header
            .value
            .matches(request.header(&header.name).as_deref()),
    })
}

/// `/api` and `/api/` are a prefix of `/api`, `/api/` and `/api/v1`, not of `/apis`.
fn is_segment_prefix(prefix: &[u8], path: &[u8]) -> bool {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    let path = path.split(|byte| *byte == b'?').next().unwrap_or(path);
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_with_a_segment() {
        for (prefix, path, is) in [
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz?full", true),
            ("/healthz/", "/healthz", true),
            ("/healthz", "/healthz/live", true),
            ("/healthz", "/healthzz", false),
            ("/", "/any", true),
        ] {
            assert_eq!(
                is_segment_prefix(prefix.as_bytes(), path.as_bytes()),
                is,
                "{prefix} {path}"
            );
        }
    }
}
